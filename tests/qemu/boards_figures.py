"""Figures of emulated boards of 256 MiB: the phases of a start, memory, and what an idle board writes, over
TRIPOD_IDLE_MINUTES=5."""

import os
import re
import statistics
import time

from harness import Failure

ON_REQUEST = True
IDLE_MINUTES = float(os.environ.get("TRIPOD_IDLE_MINUTES", "5"))
TEST_SECONDS_MAX = 900 + int(60 * IDLE_MINUTES)
USERLAND_MIB_MAX, MEMORY_MIB = 48, 256


def memory_of(board):
    """MiB of (server, process 1, available, all) on the last status screen."""
    rows = re.findall(r"memory +([\d.]+) MiB server, ([\d.]+) MiB process 1, (\d+) of (\d+) MiB", board.console_text())
    if not rows:
        raise Failure(f"no memory on the screen:\n{board.log_tail()}")
    return [float(number) for number in rows[-1]]


def test_the_phases_of_a_start(t):
    for title in ("first start", "data present"):
        t.eventually("process 1 of each board has heard it", lambda: all("ready" in b.phases() for b in t.cluster.boards), 30)
        for name in t.cluster.board(1).phases():
            seconds = [board.phases()[name] for board in t.cluster.boards]
            print(f"         {title}: {name} {statistics.median(seconds):.1f} s after the kernel began "
                  f"({min(seconds):.1f} to {max(seconds):.1f} s)")
        if title == "first start":
            if not t.cluster.stop_boards():
                raise Failure("a board did not shut down by its power button")
            for board in t.cluster.boards:
                board.start()
            t.cluster.wait_ready(240)


def test_what_an_idle_board_writes_and_how_much_memory_it_has_left(t):
    t.cluster.start_nodes(2)
    t.eventually("two nodes are Ready", lambda: t.kubectl("get", "nodes").out.count(" Ready") == 2, 120, 0.5)
    t.cluster.nodes.stop()
    t.kubectl("delete", "nodes", "--all")
    time.sleep(30)  # the last writes of that
    before, begin = [b.statistics() for b in t.cluster.boards], time.monotonic()
    time.sleep(60 * IDLE_MINUTES)
    after, hours = [b.statistics() for b in t.cluster.boards], (time.monotonic() - begin) / 3600
    for board, one, two in zip(t.cluster.boards, before, after):
        written, flushes = (two[key] - one[key] for key in ("written_bytes", "flushes"))
        print(f"         {board.name}: {written / hours / 1e6:.1f} MB and {flushes / hours:.0f} flushes an hour, idle, "
              f"measured over {hours * 60:.1f} minutes")
    for board in t.cluster.boards:
        board.pull_cable()  # news, so that the screen is on the console anew
        t.eventually("the screen", lambda b=board: "(no cable)" in b.console_text(), 30, 0.2)
        server, init, available, whole = memory_of(board)
        print(f"         {board.name}: server {server:.1f} MiB, process 1 {init:.1f} MiB; {available:.0f} of {whole:.0f} MiB "
              f"available on a machine of {MEMORY_MIB} MiB")
        if server + init > USERLAND_MIB_MAX or whole > MEMORY_MIB:
            raise Failure(f"over {USERLAND_MIB_MAX} MiB, or a larger machine")
