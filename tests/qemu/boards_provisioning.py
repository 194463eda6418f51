"""A fourth card that holds no key: the board makes its keys, joins three others by a token, and votes. It is taken out, and
neither its card nor a power cut brings it back; the file factory-reset on the card and another token do."""

import re

from cluster_checks import PATIENCE, cut_power, members_agree
from emulated_boards import SEGMENT, Options
from harness import Failure, run
from tripod_cluster import API_PORT, program, render_ini
from workload import Writer, nothing_lost, present

ON_REQUEST = True
OPTIONS = Options(boards=("qemu-virt",) * 4, founders=3)
CLUSTER = False  # three of the four boards found it
BACK_SECONDS = 240


def tripod(t, *arguments, check=True):
    # The boards' own address is another one than that by which the host reaches them.
    return run([program("tripod"), *arguments, "--kubeconfig", t.cluster.board(1).kubeconfig], check=check, timeout=120)


def joining_ini(t):
    board = t.cluster.board(4)
    text = tripod(t, "token", "create", "--board", f"{board.name}={board.ip}/24", "--gateway", f"{SEGMENT}2").out
    text = re.sub(r"(?m)^join = .*\n", "", text)
    return render_ini(text, {("node", "join"): f"https://{SEGMENT}11:{API_PORT}"})


def members(t):
    """By name: whether it votes."""
    listed = t.etcdctl("member", "list", "-w", "json", *PATIENCE, boards=[1], timeout=120).json()["members"]
    return {m.get("name") or m["peerURLs"][0]: not m.get("isLearner", False) for m in listed}


def expect_four(t):
    board = t.cluster.board(4)
    t.eventually("board-4 votes and serves", lambda: t.cluster.alive(board) and members(t).get("board-4") and board.ready(),
                 BACK_SECONDS, 2)
    # No certificate that a board has signed for itself names the address by which the host reaches it.
    members_agree(t, "--insecure-skip-tls-verify")


def write_at(t, board, prefix, count=10):
    namespace = t.namespace()
    writer = Writer(t.cluster, board.address, API_PORT, namespace, prefix, timeout=15)
    writer.start()
    t.eventually(f"{count} writes at {board.name}", lambda: len(writer.acknowledged) >= count, 120, 0.1)
    return namespace, writer.finish()


def test_three_boards_found_the_cluster(t):
    founders = t.cluster.boards[:3]
    t.cluster.prepare()
    t.cluster.start_network()
    for board in founders:
        board.start()
    t.cluster.wait_ready(BACK_SECONDS, founders)
    t.cluster.wait_balancer()
    if sorted(members(t)) != ["board-1", "board-2", "board-3"]:
        raise Failure(f"other members: {members(t)}")


def test_a_card_without_a_key_joins_by_a_token(t):
    board = t.cluster.board(4)
    t.cluster.insert_new_card(board, joining_ini(t))
    board.start()
    expect_four(t)
    namespace, acknowledged = write_at(t, board, "at-the-fourth")
    nothing_lost(acknowledged, present(t, namespace, 1))
    print("         " + "  ".join(f"{name} {seconds:.1f} s" for name, seconds in board.phases().items()))


def test_it_comes_back_from_a_power_cut_as_the_same(t):
    board = t.cluster.board(4)
    before = t.etcdctl("member", "list", *PATIENCE, boards=[1], timeout=120).out
    cut_power(t, [board])
    board.start()
    expect_four(t)
    after = t.etcdctl("member", "list", *PATIENCE, boards=[1], timeout=120).out
    if before != after:
        raise Failure(f"other members than before:\n{before}{after}")


def test_a_removed_board_stays_out_after_a_power_cut(t):
    board = t.cluster.board(4)
    t.eventually("board-4 is removed", lambda: tripod(t, "board", "remove", "board-4", check=False).code == 0, 60, 2)
    t.eventually("it says so", lambda: "permanently removed from the cluster" in board.console_text(), 60, 1)
    cut_power(t, [board])
    board.console.unlink()
    board.start()
    t.eventually("its next start says so, too", lambda: "permanently removed from the cluster" in board.console_text(), BACK_SECONDS, 1)
    if sorted(members(t)) != ["board-1", "board-2", "board-3"] or board.ready():
        raise Failure(f"it is back: {members(t)}\n{board.log_tail()}")


def test_a_factory_reset_and_a_new_token_bring_it_in_as_new(t):
    board = t.cluster.board(4)
    board.stop()
    board.put_on_card("factory-reset", "")
    text = joining_ini(t)
    board.put_on_card("tripod.ini", render_ini(text, t.cluster.overrides_of(board)))
    board.start()
    expect_four(t)
    if "factory reset" not in board.console_text():
        raise Failure(f"no word of a reset\n{board.log_tail()}")
    namespace, acknowledged = write_at(t, board, "after-the-reset")
    nothing_lost(acknowledged, present(t, namespace, 2))
