#!/usr/bin/env python3
"""An Ethernet switch between emulated boards: each QEMU plugs its `-netdev stream` into a Unix socket of its own.

It learns which address is behind which plug. A frame to an address that it does not know is dropped and not flooded: among
the plugs is one of QEMU's user network, which would answer for boards that are off. Frames on a plug are four bytes of length
and the frame, as QEMU writes them.
"""

import argparse
import contextlib
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path

FRAME_BYTES_MAX = 69632  # QEMU's NET_BUFSIZE
QUEUE_BYTES_MAX = 4 << 20  # of one plug; beyond, frames are dropped, as a switch does it


class Plug:
    """One socket, and whoever is connected to it."""

    def __init__(self, path):
        self.path = path
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.connection, self.input, self.output = None, bytearray(), bytearray()

    def connect(self):
        self.connection, _ = self.listener.accept()
        self.connection.setblocking(False)
        self.input, self.output = bytearray(), bytearray()

    def frames(self):
        """What has arrived whole. Raises ConnectionError when the other side is gone."""
        data = self.connection.recv(1 << 18)
        if not data:
            raise ConnectionResetError
        self.input += data
        while len(self.input) >= 4:
            size, = struct.unpack_from(">I", self.input)
            if size > FRAME_BYTES_MAX:
                raise ConnectionAbortedError(f"a frame of {size} bytes")
            if len(self.input) < 4 + size:
                return
            yield bytes(self.input[4:4 + size])
            del self.input[:4 + size]

    def send(self, frame):
        if len(self.output) < QUEUE_BYTES_MAX:
            self.output += struct.pack(">I", len(frame)) + frame

    def drain(self):
        if self.output:
            with contextlib.suppress(BlockingIOError):
                del self.output[:self.connection.send(self.output)]


class Switch:
    def __init__(self, plugs):
        self.plugs, self.behind = plugs, {}  # Ethernet address -> plug
        self.selector = selectors.DefaultSelector()
        for plug in plugs:
            self.selector.register(plug.listener, selectors.EVENT_READ, plug)

    def forward(self, source, frame):
        if len(frame) < 14:
            return
        to, sender = frame[:6], frame[6:12]
        self.behind[sender] = source
        if to[0] & 1:
            for plug in self.plugs:
                if plug is not source and plug.connection:
                    plug.send(frame)
        elif (plug := self.behind.get(to)) and plug is not source and plug.connection:
            plug.send(frame)

    def unplug(self, plug):
        self.selector.unregister(plug.connection)
        plug.connection.close()
        plug.connection = None
        self.behind = {address: p for address, p in self.behind.items() if p is not plug}
        self.selector.register(plug.listener, selectors.EVENT_READ, plug)
        say(f"{plug.path.name}: unplugged")

    def handle(self, key, events):
        plug = key.data
        if key.fileobj is plug.listener:
            plug.connect()
            self.selector.unregister(plug.listener)
            self.selector.register(plug.connection, selectors.EVENT_READ, plug)
            say(f"{plug.path.name}: plugged in")
        elif events & selectors.EVENT_READ:
            for frame in plug.frames():
                self.forward(plug, frame)

    def turn(self):
        for key, events in self.selector.select():
            try:
                self.handle(key, events)
            except OSError as error:
                if not isinstance(error, BlockingIOError) and key.data.connection:
                    self.unplug(key.data)
        for plug in self.plugs:
            if plug.connection:
                try:
                    plug.drain()
                except OSError:
                    self.unplug(plug)
                    continue
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if plug.output else 0)
                if self.selector.get_key(plug.connection).events != wanted:
                    self.selector.modify(plug.connection, wanted, plug)


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sockets", type=Path, nargs="+", metavar="SOCKET")
    switch = Switch([Plug(path) for path in parser.parse_args().sockets])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        switch.turn()


if __name__ == "__main__":
    main()
