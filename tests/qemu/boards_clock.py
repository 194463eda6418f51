"""Clocks that are wrong: boards that begin in 1970 and know no time server, then jump by hours, both ways, because a time server
says so. Consensus does not notice, etcd's leases end when they should, certificates are valid all the time."""

import datetime
import re
import time

import segment
from cluster_checks import PATIENCE
from emulated_boards import Options
from harness import Failure

ON_REQUEST = True
HOUR = 3600
OPTIONS = Options(devices=("-rtc", "base=1970-01-01T00:00:00"),
                  overrides={("board", "ntp-servers"): segment.TimeServer.ip})
READY_SECONDS, JUMP_SECONDS = 240, 200
LEASE_SECONDS = 300


def state_of(t):
    """(term, leader) that all members agree on."""
    status = [s["Status"] for s in t.etcdctl("endpoint", "status", "-w", "json", *PATIENCE, timeout=120).json()]
    found = {(s["raftTerm"], s["leader"]) for s in status}
    if len(status) != 3 or len(found) != 1:
        raise Failure(f"no three members with one leader: {status}")
    return found.pop()


def shown_time(board):
    """(when, text) of the clock on the last status screen."""
    rows = re.findall(r"(?m)^clock +(\S+Z), (.*?)\r?$", board.console_text())
    if not rows:
        raise Failure(f"no clock on the screen:\n{board.log_tail()}")
    return datetime.datetime.fromisoformat(rows[-1][0].replace("Z", "+00:00")).timestamp(), rows[-1][1]


def grant(t):
    return t.etcdctl("lease", "grant", str(LEASE_SECONDS), "-w", "json", *PATIENCE, timeout=120).json()["ID"]


def left(t, lease):
    return t.etcdctl("lease", "timetolive", f"{lease:x}", "-w", "json", *PATIENCE, timeout=120).json()["ttl"]


def test_boards_of_1970_without_time_servers_become_a_cluster(t):
    for board in t.cluster.boards:
        shown, text = shown_time(board)
        print(f"         {board.name}: {datetime.datetime.fromtimestamp(shown, datetime.UTC):%Y-%m-%d %H:%M}, {text}")
        if "synchronized with" in text or "1970" in text:
            raise Failure(f"{board.name}: {text}")
        if "the clock begins at the last time that is known" not in board.console_text():
            raise Failure(f"{board.name} does not say where its clock comes from:\n{board.log_tail()}")
        if abs(shown - time.time()) > 2 * HOUR:  # certificates begin an hour before they were made
            raise Failure(f"{board.name} begins {time.time() - shown:.0f} s from now; its certificates are new")
    state_of(t)
    t.kubectl("get", "--raw", "/readyz", timeout=120)


def jump(t, offset):
    """All boards are told another time while they serve; what leases had left before and after."""
    lease, term = grant(t), state_of(t)
    t.kubectl("create", "configmap", f"before-{offset}", timeout=120)
    before, begin = left(t, lease), time.monotonic()
    server = segment.TimeServer(t.cluster.free_plug)
    t.cleanups.callback(server.stop)
    server.offset = offset
    server.start()
    for board in t.cluster.boards:
        t.eventually(f"{board.name} has the time of {offset} s from now", lambda b=board: server.answered.get(b.ip)
                     and "synchronized with" in shown_time(b)[1], JUMP_SECONDS, 1)
    for board in t.cluster.boards:
        shown, _ = shown_time(board)
        if abs(shown - time.time() - offset) > 120:
            raise Failure(f"{board.name} shows {shown - time.time():.0f} s from now; it was told {offset}")
    after, passed = left(t, lease), time.monotonic() - begin
    if after < 0 or abs(before - after - passed) > 15:
        raise Failure(f"a lease had {before} s, and {passed:.0f} s later {after} s")
    if state_of(t) != term:
        raise Failure(f"leader and term were {term} and are {state_of(t)}")
    t.kubectl("create", "configmap", f"after-{offset}", timeout=120)
    made = t.kubectl("get", "configmap", f"after-{offset}", "-o", "jsonpath={.metadata.creationTimestamp}", timeout=120).out
    print(f"         {offset // HOUR:+d} h: a lease had {before} s left, and {after} s after {passed:.0f} s; same leader; "
          f"an object is of {made}")


def test_a_jump_ahead_by_hours(t):
    jump(t, 7 * HOUR)


def test_a_jump_back_by_hours(t):
    """Boards keep the time that servers gave, and begin with it. The next server says that it was wrong."""
    if not t.cluster.stop_boards():
        raise Failure("a board did not shut down by its power button")
    for board in t.cluster.boards:
        board.start()
    t.cluster.wait_ready(READY_SECONDS)
    for board in t.cluster.boards:
        shown, _ = shown_time(board)
        if shown - time.time() < 6 * HOUR:
            raise Failure(f"{board.name} begins {shown - time.time():.0f} s from now: it has forgotten the time")
    jump(t, 0)
    t.kubectl("get", "configmap", f"before-{7 * HOUR}", f"after-{7 * HOUR}", timeout=120)


def test_boards_whose_clocks_differ_by_hours(t):
    """One is hours ahead, by a clock of its own that works; nobody tells it otherwise."""
    board = t.cluster.board(3)
    if not board.stop():
        raise Failure(f"the power button did nothing:\n{board.log_tail()}")
    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=9)
    board.devices = ["-rtc", f"base={ahead:%Y-%m-%dT%H:%M:%S}"]
    board.start()
    t.cluster.wait_ready(READY_SECONDS)
    if shown_time(board)[0] - time.time() < 8 * HOUR:
        raise Failure(f"{board.name} shows {shown_time(board)}")
    lease, begin = grant(t), time.monotonic()
    t.etcdctl("move-leader", f"{member_id(t, board):x}", *PATIENCE, boards=[leader_number(t)], timeout=120)
    t.eventually("the board that is ahead leads", lambda: leader_number(t) == 3, 60, 1)
    remaining, passed = left(t, lease), time.monotonic() - begin
    # A new leader gives each lease its whole time anew, and an election timeout, as etcd does; none ends early.
    if remaining < LEASE_SECONDS - passed - 15 or remaining > LEASE_SECONDS + 5:
        raise Failure(f"a lease of {LEASE_SECONDS} s has {remaining} s after {passed:.0f} s under a leader 9 h ahead")
    t.kubectl("create", "configmap", "nine-hours", timeout=120)
    t.kubectl("get", "configmap", "nine-hours", board=3, timeout=120)


def member_id(t, board):
    listed = t.etcdctl("member", "list", "-w", "json", *PATIENCE, timeout=120).json()["members"]
    return next(m["ID"] for m in listed if m["name"] == board.name)


def leader_number(t):
    names = {m["ID"]: m["name"] for m in
             t.etcdctl("member", "list", "-w", "json", *PATIENCE, timeout=120).json()["members"]}
    return int(names[state_of(t)[1]].rpartition("-")[2])
