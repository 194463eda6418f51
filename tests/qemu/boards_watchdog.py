"""Boards that hang. The hang is made from outside, by an endless loop that the emulator's debugger writes into the memory of the
running program: in the server's loop, which process 1 notices, and in process 1, which the hardware watchdog notices. A disk that
is slow, or stands still for a while, is no hang; running out of memory ends the server and not the board."""

import re
import socket
import subprocess
import time

import emulated_boards
from emulated_boards import Options
from harness import ROOT, Failure, tripod_cluster
from workload import Writer, nothing_lost, present

ON_REQUEST = True
OPTIONS = Options(boards=("qemu-virt",), reboots=True, debugger=True, kernel_arguments="sysrq_always_enabled=1",
                  devices=("-device", "i6300esb", "-watchdog-action", "reset"),
                  overrides={("board", "memory-max"): "64Mi"})
PROGRAM = ROOT / "build/aarch64/firmware/tripod"
OBJECTS = ROOT / "build/aarch64/platform/boards/CMakeFiles/tripod_boards.dir/supervise"
CODE_BYTES = 96
RAM_BEGIN, RAM_BYTES, PAGE = 0x40000000, 256 << 20, 4096
BRANCH_TO_ITSELF = bytes.fromhex("00000014")
BACK_SECONDS = 240
DISK_STANDS_SECONDS = 45  # more than the silence that process 1 bears from a server


class Debugger:
    """QEMU's stub of GDB's remote protocol; the machine stands still until it is let go."""

    def __init__(self, board):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(board.debugger_socket))

    def ask(self, text):
        data = text.encode()
        self.socket.sendall(b"+$" + data + b"#%02x" % (sum(data) & 255))
        answer = b""
        while b"#" not in answer[:-2]:
            answer += self.socket.recv(4096)
        answer = answer[answer.index(b"$") + 1:answer.index(b"#")].decode()
        if answer.startswith("E") or not answer:
            raise Failure(f"the debugger's stub answers {answer!r} to {text}")
        return answer

    def write_physical(self, address, data):
        self.ask("Qqemu.PhyMemMode:1")
        self.ask(f"M{address:x},{len(data):x}:{data.hex()}")

    def let_go(self):
        self.ask("D")
        self.socket.close()


def code_of(symbol, source):
    """The first bytes of a function, no further than to the end of their page, and where in the page they are. The program has
    no symbols; its object files have, and say which instructions the linker completes."""
    objects = OBJECTS / f"{source}.cpp.o"
    text = subprocess.run(["llvm-objdump-19", "-d", "-r", "--demangle", objects], capture_output=True, text=True, check=True).stdout
    body = re.search(rf"(?ms)^[0-9a-f]+ <{re.escape(symbol)}(?:\[abi:cxx11\])?\(.*?>:\n(.*?)(?:\n\n|\Z)", text).group(1)
    words = {int(m[1], 16): bytes.fromhex(m[2])[::-1] for m in re.finditer(r"(?m)^ +([0-9a-f]+): ([0-9a-f]{8}) ", body)}
    open_words = {int(m[1], 16) for m in re.finditer(r"(?m)^\s+([0-9a-f]+):\s+R_AARCH64", body)}
    begin = min(words)
    pattern = b"".join(b"...." if at in open_words else re.escape(words[at]) for at in sorted(words) if at < begin + CODE_BYTES)
    data = PROGRAM.read_bytes()
    found = [m.start() for m in re.finditer(pattern, data, re.DOTALL) if m.start() % 4 == 0]
    if len(found) != 1:
        raise Failure(f"{symbol}: {len(found)} places in {PROGRAM}")
    return data[found[0]:found[0] + min(CODE_BYTES, PAGE - found[0] % PAGE)], found[0] % PAGE


def hang(t, board, symbol, source):
    """The function never returns from its next call on."""
    code, in_page = code_of(symbol, source)
    memory = t.folder / "memory"
    emulated_boards.monitor(board.monitor, "pmemsave", {"val": RAM_BEGIN, "size": RAM_BYTES, "filename": str(memory)})
    data = memory.read_bytes()
    memory.unlink()
    places, at = [], data.find(code)
    while at >= 0:
        places.append(at)
        at = data.find(code, at + 1)
    places = [place for place in places if place % PAGE == in_page]
    if not places:
        raise Failure(f"the code of {symbol} is not in the board's memory")
    debugger = Debugger(board)
    for place in places:
        debugger.write_physical(RAM_BEGIN + place, BRANCH_TO_ITSELF)
    debugger.let_go()


def started_again(t, board, boots, seconds):
    """It has begun once more, and serves."""
    begin = time.monotonic()
    t.eventually(f"{board.name} starts again\n{board.log_tail(20)}", lambda: board.boots() > boots, seconds, 0.5)
    took = time.monotonic() - begin
    t.cluster.wait_ready(BACK_SECONDS)
    return took


def test_a_disk_that_stands_still_or_is_slow_reboots_nothing(t):
    board = t.cluster.board(1)
    if "watchdog device=" not in board.console_text() or "i6300" not in board.console_text():
        raise Failure(f"no watchdog on the console:\n{board.log_tail(60)}")
    namespace = t.namespace()
    writer = Writer(t.cluster, board.address, 6444, namespace, "slow", timeout=DISK_STANDS_SECONDS + 60)
    writer.start()
    t.eventually("writes", lambda: len(writer.acknowledged) > 5, 60, 0.1)
    board.disk.send(tripod_cluster.signal.SIGSTOP)
    time.sleep(1)
    before = len(writer.acknowledged)
    time.sleep(DISK_STANDS_SECONDS)
    during = len(writer.acknowledged) - before
    board.disk.send(tripod_cluster.signal.SIGCONT)
    t.eventually("writes go on", lambda: len(writer.acknowledged) > before + 5, 60, 0.1)
    acknowledged = writer.finish()
    if during > 1 or board.boots() != 1 or "server ended" in board.console_text():
        raise Failure(f"{during} writes were acknowledged while the disk stood, {board.boots()} starts\n{board.log_tail(40)}")
    nothing_lost(acknowledged, present(t, namespace, 1))
    if not board.stop(90):
        raise Failure(f"the power button did nothing:\n{board.log_tail()}")
    board.disk.stop()
    t.cluster.options.syncs = 3
    board.start()
    t.cluster.options.syncs = None
    t.cluster.wait_ready(BACK_SECONDS)
    writer = Writer(t.cluster, board.address, 6444, namespace, "slower", timeout=60)
    writer.start()
    time.sleep(60)
    acknowledged += writer.finish()
    if board.boots() != 1 or "server ended" in board.console_text():
        raise Failure(f"{board.boots()} starts on a card of 3 flushes a second\n{board.log_tail(40)}")
    nothing_lost(acknowledged, present(t, namespace, 1))
    print(f"         {len(acknowledged)} writes; the disk stood still for {DISK_STANDS_SECONDS} s, then made 3 flushes a second")


def test_a_server_that_hangs_is_noticed_by_process_1(t):
    board = t.cluster.board(1)
    boots = board.boots()
    hang(t, board, "tripod::boards::send_heartbeat", "heartbeat")
    took = started_again(t, board, boots, 120)
    for text in ("the server's loop has hung for", "rebooting"):
        if text not in board.console_text():
            raise Failure(f"`{text}` is not on the console:\n{board.log_tail(60)}")
    print(f"         started again {took:.0f} s after its loop hung")


def test_a_process_1_that_hangs_is_noticed_by_the_watchdog(t):
    board = t.cluster.board(1)
    boots, said = board.boots(), board.console_text().count("rebooting")
    hang(t, board, "tripod::boards::reason_to_reboot", "watchdog")
    took = started_again(t, board, boots, 120)
    if board.console_text().count("rebooting") != said:
        raise Failure(f"process 1 rebooted in order:\n{board.log_tail(60)}")
    print(f"         started again {took:.0f} s after process 1 hung")


def ended_and_back(t, board, text, before):
    t.eventually(f"`{text}` on the console", lambda: board.console_text().count(text) > before, 120, 0.5)
    t.cluster.wait_ready(BACK_SECONDS)


def test_the_kernel_out_of_memory_ends_the_server_and_not_the_board(t):
    """By the kernel's own killer, called over the serial line."""
    board = t.cluster.board(1)
    boots, ended = board.boots(), board.console_text().count("server ended")
    board.type(b"\x01b", b"f")
    ended_and_back(t, board, "server ended", ended)
    if board.boots() != boots or "Out of memory: Killed process" not in board.console_text():
        raise Failure(f"{board.boots() - boots} more starts, or it was not the kernel's killer:\n{board.log_tail(60)}")


def test_a_server_over_its_limit_ends_and_not_the_board(t):
    board = t.cluster.board(1)
    boots = board.boots()
    namespace, text = t.namespace(), "killed for using more than its 64 MiB of memory"
    api, data = t.api(1, timeout=30), "x" * 900_000
    for number in range(120):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"large-{number}"}, "data": {"text": data}}
        try:
            status, answer = api.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)
        except OSError:
            break
        if status != 201:
            break
    else:
        raise Failure("over 100 MB are in a server of 64 MiB")
    t.eventually(f"`{text}` on the console\n{board.log_tail(20)}", lambda: text in board.console_text(), 60, 0.5)
    t.eventually("it is started again", lambda: board.console_text().rpartition(text)[2].count("server started"), 120, 0.5)
    if board.boots() != boots:
        raise Failure(f"the board has started again:\n{board.log_tail(60)}")
    print(f"         killed after {number} objects of 900 kB; {board.boots() - boots} more starts of the board")
