"""Others on the boards' segment: a time server that says what a test wants."""

import socket
import struct
import threading
import time

from emulated_boards import SEGMENT

SECONDS_1900_TO_1970 = 2_208_988_800
ARP, IPV4, UDP, NTP_PORT = 0x0806, 0x0800, 17, 123


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class TimeServer(threading.Thread):
    """SNTP at SEGMENT9, plugged into the switch. Silent until `offset` is set: what it is wrong by, in seconds."""

    ip = f"{SEGMENT}9"
    ethernet = bytes.fromhex("5254007700f0")

    def __init__(self, plug):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(plug))
        self.offset, self.answered = None, {}  # address -> how often

    def run(self):
        while True:
            try:
                size, = struct.unpack(">I", self.read(4))
                self.take(self.read(size))
            except OSError:
                return

    def read(self, size):
        data = b""
        while len(data) < size:
            if not (part := self.socket.recv(size - len(data))):
                raise ConnectionResetError
            data += part
        return data

    def send(self, to, kind, data):
        frame = to + self.ethernet + struct.pack(">H", kind) + data
        self.socket.sendall(struct.pack(">I", len(frame)) + frame)

    def take(self, frame):
        kind, = struct.unpack_from(">H", frame, 12)
        own, sender = socket.inet_aton(self.ip), frame[6:12]
        if kind == ARP and frame[20:22] == b"\0\1" and frame[38:42] == own:
            self.send(sender, ARP, frame[14:20] + b"\0\2" + self.ethernet + own + frame[22:32])
        elif kind == IPV4 and frame[23] == UDP and frame[30:34] == own and self.offset is not None:
            header = 4 * (frame[14] & 15)
            source, target = struct.unpack_from(">HH", frame, 14 + header)
            if target == NTP_PORT:
                self.answer(sender, frame[26:30], source, frame[14 + header + 8:][:48])

    def answer(self, to, address, port, request):
        now = time.time() + self.offset + SECONDS_1900_TO_1970
        stamp = struct.pack(">II", int(now) & 0xffffffff, int(now % 1 * (1 << 32)))
        # RFC 5905, 7.3: server, version 4, stratum 2; the request's transmit time comes back as the originate time.
        packet = struct.pack(">BBbbII4s", 4 << 3 | 4, 2, 6, -20, 0, 0, b"TEST") + stamp + request[40:48] + stamp + stamp
        datagram = struct.pack(">HHHH", NTP_PORT, port, 8 + len(packet), 0) + packet
        own = socket.inet_aton(self.ip)
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, UDP, 0) + own + address
        header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
        self.send(to, IPV4, header + datagram)
        name = socket.inet_ntoa(address)
        self.answered[name] = self.answered.get(name, 0) + 1

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
