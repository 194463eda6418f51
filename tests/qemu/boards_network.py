"""Boards on a network as it is: an address by DHCP, peers over IPv6, cables that are pulled and put back, a name that two have."""

import re
import shutil
import time

from cluster_checks import PATIENCE
from emulated_boards import SEGMENT, EmulatedBoard, Options
from harness import Failure
from workload import Writer

ON_REQUEST = True
LEASED = f"{SEGMENT}100"  # the first that QEMU's DHCP server gives
ROUTER = "fe80::2"  # link-local, as routers announce themselves
MEMBERS = ",".join(f"board-{n}=https://[fd77::1{n}]:2380" for n in (1, 2, 3))


def own(number, address):
    """Peers speak IPv6 only."""
    return {("board", "address"): f"{address}, fd77::1{number}/64", ("etcd", "initial-cluster"): MEMBERS,
            ("etcd", "listen-peer-urls"): f"https://[fd77::1{number}]:2380",
            ("etcd", "initial-advertise-peer-urls"): f"https://[fd77::1{number}]:2380"}


OPTIONS = Options(
    ips={3: LEASED}, names=tuple(f"fd77::1{n}" for n in (1, 2, 3)),
    own_overrides={
        1: own(1, f"{SEGMENT}11/24") | {("board", "gateway"): ROUTER}, 2: own(2, f"{SEGMENT}12/24"),
        3: own(3, "dhcp") | {("board", "hostname"): "board-2", ("apiserver", "bind-address"): "0.0.0.0",
                             ("etcd", "listen-client-urls"): "https://0.0.0.0:2379"}})


def screen(board):
    """The last status screen on the console."""
    shown = re.findall(r"(?s)-{80}\r?\n(tripod .*?)-{80}", board.console_text())
    return shown[-1] if shown else ""


def test_an_address_by_dhcp_and_peers_by_ipv6(t):
    peers = [url for m in t.etcdctl("member", "list", "-w", "json", *PATIENCE, timeout=120).json()["members"]
             for url in m["peerURLs"]]
    if sorted(peers) != [f"https://[fd77::1{n}]:2380" for n in (1, 2, 3)]:
        raise Failure(f"peers: {peers}")
    for board in t.cluster.boards:
        for address in (board.ip, f"fd77::1{board.number}/64"):
            t.eventually(f"{board.name} shows {address}", lambda b=board, a=address: a in screen(b), 30, 0.5)
    if f"address={LEASED}/24" not in t.cluster.board(3).console_text():
        raise Failure(f"no leased address on the console:\n{t.cluster.board(3).log_tail()}")
    if f"gateway={ROUTER}" not in t.cluster.board(1).console_text():
        raise Failure(f"no route to {ROUTER} on the console:\n{t.cluster.board(1).log_tail()}")


def test_two_boards_of_one_name_say_so(t):
    for number, others in ((2, (LEASED, "fd77::13")), (3, (f"{SEGMENT}12", "fd77::12"))):
        board = t.cluster.board(number)
        texts = [f"{other} has the same name" for other in others]
        t.eventually(f"{board.name} complains", lambda b=board, w=texts: any(text in screen(b) for text in w), 60, 0.5)
    if "has the same name" in screen(t.cluster.board(1)):
        raise Failure(f"the board with a name of its own complains:\n{screen(t.cluster.board(1))}")


def test_a_card_that_was_flashed_twice_waits_until_the_other_is_gone(t):
    """With the other's address it would be a second member of the same name, with a vote of its own."""
    board, twin = t.cluster.board(2), EmulatedBoard(t.cluster, 4, t.cluster.board(2).row)
    t.cleanups.callback(lambda: (twin.kill(), twin.disk.kill()))
    shutil.copyfile(board.image, twin.image)
    twin.insert_card()
    twin.start()
    text = f"{board.ip}: the machine 52:54:00:77:00:02 has this address, too"
    t.eventually("the twin complains", lambda: text in twin.console_text().replace("\r", ""), 120, 0.5)
    time.sleep(25)  # it asks again meanwhile
    if "phase server" in twin.console_text() or "phase network" in twin.console_text() or twin.boots() != 1:
        raise Failure(f"the twin has begun:\n{twin.log_tail()}")
    t.cluster.wait_ready(5, [board])
    if not board.stop():
        raise Failure(f"the power button did nothing:\n{board.log_tail()}")
    t.eventually("the twin takes the address", lambda: "phase server" in twin.console_text(), 60, 0.5)
    twin.kill()
    board.start()
    t.cluster.wait_ready(180, [board])


def leader(t, among):
    """The number of the leading board, as those boards see it."""
    names = {m["ID"]: m["name"] for m in
             t.etcdctl("member", "list", "-w", "json", *PATIENCE, boards=among, timeout=120).json()["members"]}
    status = t.etcdctl("endpoint", "status", "-w", "json", *PATIENCE, boards=among, timeout=120).json()
    leaders = {s["Status"].get("leader", 0) for s in status}
    if len(leaders) != 1 or 0 in leaders:
        return None
    return int(names[leaders.pop()].rpartition("-")[2])


def pull_and_put_back(t, number):
    board = t.cluster.board(number)
    others = [b.number for b in t.cluster.boards if b is not board]
    namespace = t.namespace()
    writer = Writer(t.cluster, t.cluster.board(others[0]).address, 6444, namespace, f"without-{number}", timeout=15)
    writer.start()
    t.eventually("writes", lambda: len(writer.acknowledged) > 2, 60, 0.1)
    board.pull_cable()
    begin, before = time.monotonic(), len(writer.acknowledged)
    t.eventually(f"{board.name} notices", lambda: "(no cable)" in screen(board), 30, 0.2)
    t.eventually("the others lead themselves", lambda: leader(t, others) in others, 90, 0.5)
    t.eventually("the others write", lambda: len(writer.acknowledged) > before + 3, 90, 0.1)
    t.eventually(f"{board.name} says that it is alone", lambda: "health    not ready" in screen(board), 60, 0.2)
    alone = time.monotonic() - begin
    board.pull_cable(out=False)
    begin = time.monotonic()
    t.cluster.wait_ready(120, [board])
    back = time.monotonic() - begin
    writer.finish()
    t.eventually("all agree on a leader", lambda: leader(t, [1, 2, 3]), 60, 0.5)
    t.kubectl("get", "configmap", writer.acknowledged[-1], "-n", namespace, board=number, timeout=120)
    if board.boots() != 1:
        raise Failure(f"{board.name} has started anew:\n{board.log_tail()}")
    print(f"         {board.name}: {alone:.1f} s without a cable, ready {back:.1f} s after it was back; the others wrote "
          f"{len(writer.acknowledged)} times, {writer.longest_gap():.1f} s apart at most")


def test_a_cable_is_pulled_and_put_back(t):
    pull_and_put_back(t, 3)


def test_the_leader_s_cable_is_pulled_and_put_back(t):
    pull_and_put_back(t, t.eventually("a leader", lambda: leader(t, [1, 2, 3]), 60, 0.5))
