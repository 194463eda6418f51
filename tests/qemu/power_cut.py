"""What the emulated boards stand on: a disk that forgets what was not flushed, a switch that does not flood, a time server."""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import time

from harness import ROOT, Failure, wait_for
from power_cut_disk import FLUSH, REQUEST_MAGIC, SECTOR, WRITE, Disk
from segment import TimeServer

CLUSTER = False
KIB = 1024


def disk_of(t, name, seed=1):
    path = t.folder / name
    path.write_bytes(b"\0" * 256 * KIB)
    return Disk(path, seed), path


def test_a_disk_reads_what_was_written_flushed_or_not(t):
    disk, path = disk_of(t, "reads")
    disk.write(4 * KIB, b"a" * 4 * KIB)
    disk.flush()
    disk.write(6 * KIB, b"b" * KIB)
    disk.write(6 * KIB + SECTOR, b"c" * SECTOR)
    found = disk.read(4 * KIB, 4 * KIB)
    if found != b"a" * 2 * KIB + b"b" * SECTOR + b"c" * SECTOR + b"a" * KIB:
        raise Failure(f"read back {found[::SECTOR]}")
    if disk.read(6 * KIB + 100, 600) != b"b" * (SECTOR - 100) + b"c" * (600 - SECTOR + 100):
        raise Failure("bytes inside sectors")
    if b"b" in path.read_bytes():
        raise Failure("an unflushed write is in the file already")


def test_a_power_cut_loses_and_tears_only_what_was_not_flushed(t):
    fates = set()
    for seed in range(12):
        disk, path = disk_of(t, "cut", seed)
        disk.write(0, b"f" * 8 * KIB)
        disk.flush()
        for number in range(8):
            disk.write((8 + 8 * number) * KIB, bytes([1 + number]) * 8 * KIB)
        disk.lose_power()
        data = path.read_bytes()
        if data[:8 * KIB] != b"f" * 8 * KIB:
            raise Failure(f"seed {seed}: a flushed write is gone")
        for number in range(8):
            part = data[(8 + 8 * number) * KIB:(16 + 8 * number) * KIB]
            kept = part.count(1 + number)
            if kept % SECTOR or part.count(0) != len(part) - kept:
                raise Failure(f"seed {seed}: write {number} left half a sector or another's bytes")
            fates.add("kept" if kept == len(part) else "torn" if kept else "lost")
        if disk.read(8 * KIB, 8 * KIB) != data[8 * KIB:16 * KIB]:
            raise Failure("after the cut the disk reads something that is not in the file")
    if fates != {"kept", "torn", "lost"}:
        raise Failure(f"fates over 12 seeds: {fates}")


def test_a_lying_card_tears_what_it_had_flushed_last_and_nothing_before(t):
    path = t.folder / "lies"
    path.write_bytes(b"\0" * 256 * KIB)
    disk = Disk(path, 1, ("torn",), lies=True)
    for number in (1, 2):
        disk.write(number * 16 * KIB, bytes([number]) * 8 * KIB)
        disk.flush()
    disk.flush()
    disk.write(64 * KIB, b"u" * 8 * KIB)
    disk.lose_power()
    data = path.read_bytes()
    first, last, unflushed = (data[n * KIB:(n + 8) * KIB] for n in (16, 32, 64))
    if first != b"\1" * 8 * KIB:
        raise Failure("what an earlier flush wrote is not there any more")
    for part, byte in ((last, b"\2"), (unflushed, b"u")):
        kept = part.count(byte)
        if kept % SECTOR or not 0 < kept < len(part) or part != byte * kept + b"\0" * (len(part) - kept):
            raise Failure(f"not torn at a sector: {kept} bytes are there")


def request(connection, kind, offset=0, data=b"", length=None):
    """One of NBD's, without waiting for the answer."""
    connection.sendall(struct.pack(">IHHQQI", REQUEST_MAGIC, 0, kind, 1, offset, len(data) if length is None else length) + data)


def test_a_power_cut_during_a_flush_is_one_before_it(t):
    image, address, statistics = (t.folder / name for name in ("slow", "slow.sock", "slow.json"))
    image.write_bytes(b"\0" * 256 * KIB)
    disk = subprocess.Popen([sys.executable, ROOT / "tools/lib/power_cut_disk.py", image, address, statistics, "--syncs", "2",
                             "--fates", "lost"], stdout=subprocess.DEVNULL)
    t.cleanups.callback(disk.wait)
    t.cleanups.callback(disk.kill)
    wait_for("the disk", address.exists, 10)
    for flushed in (True, False):
        with socket.socket(socket.AF_UNIX) as board:
            board.settimeout(5)
            board.connect(str(address))
            board.recv(18, socket.MSG_WAITALL)
            board.sendall(struct.pack(">I8sII", 3, b"IHAVEOPT", 1, 0))
            board.recv(10, socket.MSG_WAITALL)
            request(board, WRITE, 0 if flushed else 64 * KIB, b"w" * 4 * KIB)
            board.recv(16, socket.MSG_WAITALL)
            request(board, FLUSH)
            if flushed:
                board.recv(16, socket.MSG_WAITALL)
        wait_for("the cut", lambda n=1 if flushed else 2: json.loads(statistics.read_text())["power_cuts"] == n, 10)
    data = image.read_bytes()
    if data[:4 * KIB] != b"w" * 4 * KIB or b"w" in data[4 * KIB:]:
        raise Failure("a flush that was answered lost something, or one that was not kept it")


class Plug:
    """A board's end of a cable."""

    def __init__(self, path, address):
        self.address = bytes([2, 0, 0, 0, 0, address])
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(str(path))

    def send(self, to, text):
        frame = to + self.address + b"\x88\xb5" + text
        self.socket.sendall(struct.pack(">I", len(frame)) + frame)

    def receive(self):
        size, = struct.unpack(">I", self.socket.recv(4, socket.MSG_WAITALL))
        return self.socket.recv(size, socket.MSG_WAITALL)[14:]


def test_a_switch_sends_frames_to_whom_they_belong_only(t):
    paths = [t.folder / f"plug-{n}" for n in range(3)]
    switch = subprocess.Popen([sys.executable, ROOT / "tools/lib/board_switch.py", *paths], stdout=subprocess.DEVNULL)
    t.cleanups.callback(switch.wait)
    t.cleanups.callback(switch.kill)
    wait_for("the switch", lambda: all(p.exists() for p in paths), 10)
    one, two, three = (Plug(path, n) for n, path in enumerate(paths, 1))
    everyone = b"\xff" * 6
    one.send(two.address, b"nobody knows two yet")
    for plug in (one, two, three):
        plug.send(everyone, plug.address)
    heard = {plug: {plug.receive(), plug.receive()} for plug in (one, two, three)}
    for plug, frames in heard.items():
        if frames != {p.address for p in (one, two, three)} - {plug.address}:
            raise Failure(f"broadcasts heard: {frames}")
    one.send(two.address, b"for two")
    one.send(everyone, b"for all")
    if (two.receive(), two.receive(), three.receive()) != (b"for two", b"for all", b"for all"):
        raise Failure("a frame for one plug went elsewhere")
    two.socket.close()
    with contextlib.suppress(OSError):
        one.send(two.address, b"two is off")
    one.send(three.address, b"three is on")
    if three.receive() != b"three is on":
        raise Failure("a frame for a plug that is out went elsewhere")


def test_a_time_server_answers_when_it_is_told_to(t):
    """As a board asks: who has that address, then a datagram."""
    paths = [t.folder / f"clock-plug-{n}" for n in range(2)]
    switch = subprocess.Popen([sys.executable, ROOT / "tools/lib/board_switch.py", *paths], stdout=subprocess.DEVNULL)
    t.cleanups.callback(switch.wait)
    t.cleanups.callback(switch.kill)
    wait_for("the switch", lambda: all(p.exists() for p in paths), 10)
    server = TimeServer(paths[0])
    server.start()
    board, address, own = socket.socket(socket.AF_UNIX), bytes([2, 0, 0, 0, 0, 1]), socket.inet_aton("10.77.0.11")
    board.settimeout(5)
    board.connect(str(paths[1]))

    def send(frame):
        board.sendall(struct.pack(">I", len(frame)) + frame)

    def receive():
        size, = struct.unpack(">I", board.recv(4, socket.MSG_WAITALL))
        return board.recv(size, socket.MSG_WAITALL)

    wanted = socket.inet_aton(server.ip)
    send(b"\xff" * 6 + address + bytes.fromhex("08060001080006040001") + address + own + bytes(6) + wanted)
    if (answer := receive())[22:32] != server.ethernet + wanted or answer[:6] != address:
        raise Failure(f"no address: {answer.hex()}")
    request = bytes([0x23]) + bytes(39) + b"whenever"
    datagram = struct.pack(">HHHH", 4000, 123, 8 + len(request), 0) + request
    packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0) + own + wanted + datagram
    server.offset = 7200
    send(server.ethernet + address + b"\x08\0" + packet)
    answer = receive()[14 + 28:]
    seconds, = struct.unpack_from(">I", answer, 40)
    if answer[24:32] != b"whenever" or abs(seconds - 2_208_988_800 - time.time() - 7200) > 2:
        raise Failure(f"an answer to something else, or another time: {answer.hex()}")
