#!/usr/bin/env python3
"""A disk with a volatile write cache, for emulated boards: an NBD server on a Unix socket over an image file.

What the guest has not flushed lives in this process alone. When the emulator dies without a goodbye (a power cut), each
unflushed write is kept, lost or torn in the middle, by a seeded draw, as a card may do it; then it waits for the next start.
`--fates torn` draws among fewer, and `--lies` tears what the last flush wrote, too: a card that broke its word. SIGUSR1 is
the death of the card: every request fails from then on. `--syncs N` makes it as slow as a card that manages N flushes a
second. Figures are in STATISTICS after each flush.

The protocol is NBD's fixed newstyle handshake with simple replies (doc/proto.md of NetworkBlockDevice/nbd).
"""

import argparse
import contextlib
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

SECTOR = 512
CACHE_BYTES_MAX = 32 << 20  # a card writes back by itself when its cache is full
REQUEST_BYTES_MAX = 32 << 20
HANDSHAKE, OPTION_MAGIC, OPTION_REPLY_MAGIC = b"NBDMAGIC", b"IHAVEOPT", 0x3E889045565A9
REQUEST_MAGIC, REPLY_MAGIC = 0x25609513, 0x67446698
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
OPT_EXPORT_NAME, OPT_ABORT, OPT_INFO, OPT_GO = 1, 2, 6, 7
REP_ACK, REP_INFO, REP_UNSUPPORTED = 1, 3, 0x80000001
HAS_FLAGS, SEND_FLUSH, SEND_FUA, SEND_WRITE_ZEROES = 1, 4, 8, 64
READ, WRITE, DISCONNECT, FLUSH, WRITE_ZEROES = 0, 1, 2, 3, 6
FUA = 1
FATES = ("kept", "lost", "lost", "torn")
EIO, EINVAL = 5, 22


class Gone(Exception):
    """The emulator is gone."""


class Disk:
    """The file, and above it the writes that no flush has followed yet."""

    def __init__(self, path, seed, fates=FATES, lies=False):
        self.file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.size = os.fstat(self.file).st_size
        self.random, self.fates, self.lies = random.Random(seed), fates, lies
        self.dead = False
        self.flushed = []  # (offset, bytes before, bytes) of the last flush that wrote something, if the card lies
        self.pending = []  # (offset, bytes), oldest first
        self.pending_bytes = 0
        self.sectors = {}  # what pending adds up to
        self.counts = {"writes": 0, "written_bytes": 0, "flushes": 0, "reads": 0, "power_cuts": 0, "lost_writes": 0,
                       "torn_writes": 0, "lies": 0}

    def read(self, offset, length):
        self.counts["reads"] += 1
        data = bytearray(os.pread(self.file, length, offset))
        for number in range(offset // SECTOR, -(-(offset + length) // SECTOR)) if self.sectors else ():
            if sector := self.sectors.get(number):
                at = number * SECTOR - offset
                first, last = max(at, 0), min(at + SECTOR, length)
                data[first:last] = sector[first - at:last - at]
        return bytes(data)

    def write(self, offset, data):
        self.counts["writes"] += 1
        self.counts["written_bytes"] += len(data)
        self.pending.append((offset, data))
        self.pending_bytes += len(data)
        for at in range(0, len(data), SECTOR):
            self.sectors[(offset + at) // SECTOR] = data[at:at + SECTOR]
        if self.pending_bytes > CACHE_BYTES_MAX:
            self.write_back()

    def write_back(self):
        if self.lies and self.pending:
            self.flushed = [(offset, os.pread(self.file, len(data), offset), data) for offset, data in self.pending]
        for offset, data in self.pending:
            os.pwrite(self.file, data, offset)
        self.pending, self.sectors, self.pending_bytes = [], {}, 0

    def flush(self):
        self.counts["flushes"] += 1
        self.write_back()

    def lose_power(self):
        """Each pending write meets its own fate; a torn one ends at a sector."""
        lost = torn = 0
        self.break_word()
        for offset, data in self.pending:
            fate = self.random.choice(self.fates)
            if fate == "torn" and len(data) > SECTOR:
                data = self.tear(data)
                torn += 1
            elif fate != "kept":
                lost += 1
                continue
            os.pwrite(self.file, data, offset)
        total = len(self.pending)
        self.pending, self.sectors, self.pending_bytes = [], {}, 0
        self.counts["power_cuts"] += 1
        self.counts["lost_writes"] += lost
        self.counts["torn_writes"] += torn
        return f"{total} unflushed writes: {lost} lost, {torn} torn, {total - lost - torn} kept"

    def tear(self, data):
        return data[:SECTOR * self.random.randrange(1, len(data) // SECTOR)]

    def break_word(self):
        """What was flushed last ends in the middle; behind it is what was there before."""
        for offset, before, data in self.flushed:
            kept = self.tear(data) if len(data) > SECTOR else b""
            os.pwrite(self.file, kept + before[len(kept):], offset)
        self.counts["lies"] += len(self.flushed)
        self.flushed = []


class Connection:
    def __init__(self, connection, disk, sync_seconds, on_flush):
        self.socket, self.disk, self.sync_seconds, self.on_flush = connection, disk, sync_seconds, on_flush

    def receive(self, size):
        parts = bytearray()
        while len(parts) < size:
            part = self.socket.recv(min(size - len(parts), 1 << 20))
            if not part:
                raise Gone
            parts += part
        return bytes(parts)

    def export_flags(self):
        return HAS_FLAGS | SEND_FLUSH | SEND_FUA | SEND_WRITE_ZEROES

    def handshake(self):
        self.socket.sendall(HANDSHAKE + OPTION_MAGIC + struct.pack(">H", FIXED_NEWSTYLE | NO_ZEROES))
        self.receive(4)
        while True:
            magic, option, length = struct.unpack(">8sII", self.receive(16))
            if magic != OPTION_MAGIC or length > 65536:
                raise Gone
            self.receive(length)
            if option == OPT_EXPORT_NAME:
                self.socket.sendall(struct.pack(">QH", self.disk.size, self.export_flags()))
                return
            if option in (OPT_GO, OPT_INFO):
                info = struct.pack(">HQH", 0, self.disk.size, self.export_flags())
                self.answer(option, REP_INFO, info)
                self.answer(option, REP_ACK)
                if option == OPT_GO:
                    return
            elif option == OPT_ABORT:
                self.answer(option, REP_ACK)
                raise Gone
            else:
                self.answer(option, REP_UNSUPPORTED)

    def answer(self, option, kind, data=b""):
        self.socket.sendall(struct.pack(">QIII", OPTION_REPLY_MAGIC, option, kind, len(data)) + data)

    def serve(self):
        """Until a goodbye. A connection that ends without one raises."""
        while True:
            magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", self.receive(28))
            if magic != REQUEST_MAGIC:
                raise Gone
            if kind == DISCONNECT:
                return
            # Out of bounds, or no whole sectors: QEMU never asks for it.
            wrong = length > REQUEST_BYTES_MAX or offset + length > self.disk.size or (offset | length) % SECTOR
            data = self.receive(length) if kind == WRITE else b"\0" * length if kind == WRITE_ZEROES and not wrong else b""
            error, result = (EINVAL, b"") if wrong else (EIO, b"") if self.disk.dead else self.perform(
                kind, offset, length, data, flags)
            self.socket.sendall(struct.pack(">IIQ", REPLY_MAGIC, error, handle) + result)

    def perform(self, kind, offset, length, data, flags):
        if kind == READ:
            return 0, self.disk.read(offset, length)
        if kind in (WRITE, WRITE_ZEROES):
            self.disk.write(offset, data)
            if flags & FUA:
                self.flush()
            return 0, b""
        if kind == FLUSH:
            self.flush()
            return 0, b""
        return EINVAL, b""

    def flush(self):
        """A power cut in the middle of it is one before it."""
        line = select.poll()
        line.register(self.socket, 0)  # hanging up is told unasked
        if line.poll(1000 * self.sync_seconds):
            raise Gone
        self.disk.flush()
        self.on_flush()


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def serve_for_ever(disk, listener, sync_seconds, statistics):
    def note():
        fresh = Path(f"{statistics}.new")
        fresh.write_text(json.dumps(disk.counts) + "\n")
        fresh.rename(statistics)

    note()
    while True:
        connection, _ = listener.accept()
        say("power on")
        client = Connection(connection, disk, sync_seconds, note)
        try:
            with connection:
                client.handshake()
                client.serve()
            disk.flush()
            say("off, all flushed")
        except (Gone, OSError):
            say(f"power cut with {disk.lose_power()}")
        note()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("socket", type=Path)
    parser.add_argument("statistics", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fates", default=",".join(FATES), help="drawn for each unflushed write; %(default)s by default")
    parser.add_argument("--lies", action="store_true", help="tear what the last flush wrote, too")
    parser.add_argument("--syncs", type=float, help="flushes a second at most")
    options = parser.parse_args()
    fates = tuple(options.fates.split(","))
    if unknown := set(fates) - set(FATES):
        parser.error(f"--fates {options.fates}: {', '.join(sorted(unknown))}: expected kept, lost or torn")
    disk = Disk(options.image, options.seed, fates, options.lies)
    with contextlib.suppress(FileNotFoundError):
        options.socket.unlink()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(options.socket))
    listener.listen(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGUSR1, lambda *_: setattr(disk, "dead", True))
    say(f"{options.image}: {disk.size >> 20} MiB")
    serve_for_ever(disk, listener, 1 / options.syncs if options.syncs else 0, options.statistics)


if __name__ == "__main__":
    main()
