"""Boards emulated by QEMU that start from images as a card has them: shared by tools/qemu and tests/qemu.

Nothing here needs root. Per board there are two processes: the disk (power_cut_disk.py), and what a boot firmware does
(board_firmware.py), with QEMU as its child: kernel and initramfs come from the boot slot that the card's autoboot.txt names. The network is a switch (board_switch.py) that the boards plug into by
Unix sockets, and one more QEMU without a machine: the host's place on it, which forwards ports and gives leases and names.

A cluster lives in one folder: cards/ (what `tripod init` made), board-N.img, board-N.disk, board-N.console, board-N.log,
board-N.pid, disk-N.*, switch.*, host.*, admin.conf, etcdctl.env.
"""

import contextlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import board_rows
import image_command
from tripod_cluster import (API_PORT, BALANCER_PORT, CLIENT_PORT, ROOT, ClusterError, Process, free_subnet, https_get,
                            program, render_ini, wait_for)

HERE = Path(__file__).resolve().parent
SEGMENT = "10.77.0."
FORWARDED = (CLIENT_PORT, API_PORT, BALANCER_PORT)
DISK_MIB = 1024
PHASE = re.compile(r"tripod: phase (\S+) ([0-9.]+)")
# Emulated processors that boards share take seconds for a handshake: etcd's advice is a longer heartbeat then.
PATIENT = {("etcd", "heartbeat-interval"): "500", ("etcd", "election-timeout"): "5000",
           ("balancer", "health-check-timeout"): "5s", ("balancer", "health-check-interval"): "5s"}


@dataclass
class Options:
    """How the boards are emulated."""
    boards: tuple = ("qemu-virt", "qemu-virt", "qemu-virt")
    syncs: float = None  # flushes a second of each card
    seed: int = 1
    memory_mib: int = None
    overrides: dict = None  # (section, key) -> value of every tripod.ini, above PATIENT; None leaves a key out
    own_overrides: dict = None  # board's number -> the same of its file alone
    devices: tuple = ()  # more of QEMU's arguments for each board
    kernel_arguments: str = ""  # behind those of the card
    debugger: bool = False  # at the board's debugger_socket
    reboots: bool = False  # a board that resets goes on with the same kernel; otherwise its QEMU ends, so that it is noticed
    firmware: bool = False  # a board that resets goes on, and its firmware chooses the boot slot anew
    ips: dict = None  # board's number -> its address on the segment, where it is not SEGMENT11, SEGMENT12, ...
    names: tuple = ()  # in the certificates, beside those the host reaches the boards by
    ports: tuple = FORWARDED  # of each board, forwarded from the host
    founders: int = None  # boards that `tripod init` makes; the others' cards are insert_new_card()
    binaries: dict = None  # arch preset -> program, or what returns it, instead of what tools/build makes


def partition_of(table, number):
    """(first byte, bytes) of a partition, by the first sector of a card."""
    at = 446 + 16 * (number - 1)
    return tuple(int.from_bytes(table[at + offset:at + offset + 4], "little") * 512 for offset in (8, 12))


def qemu_command(row, disk, network=None, memory_mib=None, extra=()):
    """QEMU's arguments for a board of this row, its serial console and what it boots apart."""
    command = [row.text("qemu", "program"), "-M", row.text("qemu", "machine"), "-nodefaults", "-display", "none",
               "-m", str(memory_mib or row.number("qemu", "memory-mib"))]
    if cpu := row.sections["qemu"].get("cpu"):
        command += ["-cpu", cpu, "-smp", row.text("qemu", "processors")]
    command += disk
    if network:
        command += network
    return [str(c) for c in [*command, *extra]]


class EmulatedBoard(Process):
    def __init__(self, cluster, number, row):
        self.cluster, self.number, self.row = cluster, number, row
        folder = cluster.folder
        name = f"board-{number}"
        self.ip = (cluster.options.ips or {}).get(number, f"{SEGMENT}{10 + number}")
        self.address = f"{cluster.prefix}{10 + number}"
        self.image, self.disk_file = folder / f"{name}.img", folder / f"{name}.disk"
        self.boot, self.console = folder / f"{name}.boot", folder / f"{name}.console"
        self.console_socket, self.monitor = folder / f"{name}.tty", folder / f"{name}.qmp"
        self.disk = Process(f"disk-{number}", folder, [], self.disk_file)
        self.statistics_file, self.disk_socket = folder / f"disk-{number}.json", folder / f"disk-{number}.sock"
        self.kubeconfig, self.debugger_socket = folder / f"{name}.conf", folder / f"{name}.gdb"
        self.plan_file = folder / f"{name}.plan"
        self.devices, self.disk_options = [], []  # of this board, beside those of the options
        super().__init__(name, folder, [], f"tripod-{name}:{folder}")

    @property
    def client_url(self):
        return f"https://{self.address}:{CLIENT_PORT}"

    def insert_card(self):
        """A fresh card of 1 GiB with the image on it."""
        self.disk_file.unlink(missing_ok=True)
        shutil.copyfile(self.image, self.disk_file)
        with open(self.disk_file, "r+b") as file:
            file.truncate(DISK_MIB << 20)

    def put_on_card(self, name, text):
        """A file of the boot partition, as a person edits it. The board is off."""
        with open(self.disk_file, "rb") as file:
            first = partition_of(file.read(512), 1)[0]
        subprocess.run(["mcopy", "-n", "-o", "-i", f"{self.disk_file}@@{first}", "-", f"::{name}"], check=True,
                       input=text.encode())

    def data_partition(self):
        """(first byte, bytes) on the card."""
        with open(self.disk_file, "rb") as file:
            return partition_of(file.read(512), 4)

    def start_disk(self):
        if self.disk.pid():
            return
        self.disk_socket.unlink(missing_ok=True)
        options = self.cluster.options
        self.disk.command = [sys.executable, HERE / "power_cut_disk.py", self.disk_file, self.disk_socket,
                             self.statistics_file, "--seed", options.seed + self.number]
        if options.syncs:
            self.disk.command += ["--syncs", options.syncs]
        self.disk.command += self.disk_options
        self.disk.command = [str(c) for c in self.disk.command]
        self.disk.start()
        wait_for(f"the disk of {self.name}", self.disk_socket.exists, 10, 0.02)

    def start(self):
        if self.pid():
            return
        self.start_disk()
        disk = ["-blockdev", f"driver=nbd,node-name=card,server.type=unix,server.path={self.disk_socket}",
                "-device", f"{self.row.text('qemu', 'disk-device')},drive=card"]
        network = ["-netdev", f"stream,id=net,server=off,addr.type=unix,addr.path={self.cluster.plug(self.number)}",
                   "-device", f"{self.row.text('qemu', 'network-device')},netdev=net,mac=52:54:00:77:00:{self.number:02x}"]
        options = self.cluster.options
        # With a multiplexer, Ctrl-A b on the console is a break, which the kernel listens to.
        debugger = ["-gdb", f"unix:{self.debugger_socket},server=on,wait=off"] if options.debugger else []
        extra = ["-name", self.marker, "-device", "virtio-rng-device", "-chardev",
                 f"socket,id=tty,path={self.console_socket},server=on,wait=off,mux=on,logfile={self.console}",
                 "-serial", "chardev:tty", "-qmp", f"unix:{self.monitor},server=on,wait=off",
                 *debugger, *options.devices, *self.devices]
        if (size := options.memory_mib) is None:
            size = self.row.number("qemu", "memory-mib")
        self.plan_file.write_text(json.dumps({
            "disk": str(self.disk_file), "boot": str(self.boot), "console": str(self.console),
            "events": str(self.monitor.with_suffix(".events")), "kernel": self.row.text("kernel", "file"),
            "device_tree": self.row.sections["qemu"].get("device-tree"), "arguments": options.kernel_arguments,
            "again": "inside" if options.reboots else "firmware" if options.firmware else "never",
            "command": qemu_command(self.row, disk, network, size, extra)}))
        self.command = [sys.executable, str(HERE / "board_firmware.py"), str(self.plan_file), self.marker]
        super().start()

    def power_button(self):
        """What a person presses; the board shuts down in order."""
        monitor(self.monitor, "system_powerdown")

    def stop(self, timeout=60):
        if not self.pid():
            return True
        with contextlib.suppress(OSError, ClusterError):  # it may be on its way already, or gone before it answers
            self.power_button()
        try:
            self.wait_gone(timeout)
            return True
        except ClusterError:
            self.kill()
            return False

    def pull_cable(self, out=True):
        monitor(self.monitor, "set_link", {"name": "net", "up": not out})

    def console_text(self):
        with contextlib.suppress(OSError):
            return self.console.read_text(errors="replace")
        return ""

    def log_tail(self, lines=30):
        return "\n".join([super().log_tail(5), *self.console_text().splitlines()[-lines:]])

    def type(self, *keys):
        """On the serial console, one after the other."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.console_socket))
            for each in keys:
                time.sleep(0.5)
                line.sendall(each)
            time.sleep(0.5)

    def boots(self):
        """How often it has begun since QEMU started."""
        return self.console_text().count("tripod: phase init ")

    def phases(self):
        """name -> seconds after the kernel was handed over to, as the console has them."""
        return {name: float(seconds) for name, seconds in PHASE.findall(self.console_text())}

    def statistics(self):
        return json.loads(self.statistics_file.read_text())

    def get(self, path, port=API_PORT, timeout=5.0):
        """(status, body) of an HTTPS GET with the admin's certificate."""
        return https_get(self.address, port, path, self.cluster.tls(), timeout)

    def ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False


def monitor(path, command, arguments=None):
    """One command over QEMU's machine protocol; what it returned."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        stream = connection.makefile("rwb")
        stream.readline()
        for name, values in (("qmp_capabilities", None), (command, arguments)):
            stream.write(json.dumps({"execute": name, **({"arguments": values} if values else {})}).encode() + b"\n")
            stream.flush()
            while "return" not in (answer := json.loads(stream.readline() or b'{"error": "closed"}')):
                if "error" in answer:
                    raise ClusterError(f"QEMU: {command}: {answer['error']}")
        return answer["return"]


class EmulatedCluster:
    """Boards 1..N; the balancer is on the first. `prefix` is where the host reaches them: PREFIX11, PREFIX12, ..."""

    def __init__(self, folder, prefix=None, options=None):
        self.folder = Path(folder).resolve()
        self.options = options or Options()
        self.prefix = prefix or self.recorded_prefix() or free_subnet()
        self.boards = [EmulatedBoard(self, n, board_rows.board(b)) for n, b in enumerate(self.options.boards, 1)]
        self.switch = Process("switch", self.folder, [], self.plug(0))
        self.host = Process("host", self.folder, [], f"tripod-host:{self.folder}")
        self.cards, self.pki = self.folder / "cards", self.folder / "cards/pki"
        self.admin_conf = self.folder / "admin.conf"
        self.nodes = Process("hollow-nodes", self.folder, [], self.admin_conf)
        self.stores, self.members = [], self.boards
        self.made = {}  # by a board's row: what is on each of its images

    def recorded_prefix(self):
        with contextlib.suppress(OSError):
            return (self.folder / "prefix").read_text().strip()
        return None

    def board(self, number):
        if not 1 <= number <= len(self.boards):
            raise ClusterError(f"no board {number}; there are 1 to {len(self.boards)}")
        return self.boards[number - 1]

    def member(self, number):
        return self.board(number)

    # Files

    def prepare(self):
        """Cards for all boards, as a person makes them: tripod init, then an image each."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "prefix").write_text(f"{self.prefix}\n")
        names = ",".join([*(b.address for b in self.boards), *self.options.names])
        founders = self.boards[:self.options.founders]
        done = subprocess.run([str(program("tripod")), "init", "--dir", self.cards, "--boards", str(len(founders)),
                               "--address", ",".join(f"{b.ip}/24" for b in founders), "--gateway", f"{SEGMENT}2", "--names", names],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise ClusterError(f"tripod init: {done.stderr.strip()}")
        for board in founders:
            card = self.cards / board.name
            self.insert_new_card(board, (card / "tripod.ini").read_text(), card / "pki")
        self.write_client_files()

    def insert_new_card(self, board, text, pki=None):
        """A card that starts with this tripod.ini, under what the options put above it."""
        ini = self.cards / board.name / "tripod.ini"
        ini.parent.mkdir(exist_ok=True)
        ini.write_text(render_ini(text, self.overrides_of(board)))
        if board.row.name not in self.made:
            self.made[board.row.name] = image_command.collect(board.row.name, binary=self.binary_of(board.row))
        image_command.write(self.made[board.row.name], board.image, ini, pki, compress=False)
        board.insert_card()

    def overrides_of(self, board):
        """Only the first board has a balancer to say something about."""
        wanted = PATIENT | (self.options.overrides or {})
        wanted = {key: value for key, value in wanted.items() if key[0] != "balancer" or board is self.boards[0]}
        return wanted | (self.options.own_overrides or {}).get(board.number, {})

    def binary_of(self, row):
        given = (self.options.binaries or {}).get(row.text("board", "preset"))
        return given() if callable(given) else given

    def write_client_files(self):
        text = (self.cards / "admin.conf").read_text()
        self.admin_conf.write_text(re.sub(r"server: \S+", f"server: https://{self.boards[0].address}:{BALANCER_PORT}", text))
        for board in self.boards:
            direct = re.sub(r"server: \S+", f"server: https://{board.address}:{API_PORT}", text)
            board.kubeconfig.write_text(direct)
        (self.folder / "etcdctl.env").write_text("".join(
            f"export {key}={value}\n" for key, value in self.etcdctl_environment().items()))

    def etcdctl_environment(self, boards=None):
        return {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": ",".join(b.client_url for b in boards or self.boards),
                "ETCDCTL_CACERT": str(self.pki / "etcd-ca.crt"), "ETCDCTL_CERT": str(self.pki / "etcd-client.crt"),
                "ETCDCTL_KEY": str(self.pki / "etcd-client.key")}

    def tls(self):
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(str(self.pki / "admin.crt"), str(self.pki / "admin.key"))
        return context

    def etcd_tls(self):
        context = ssl.create_default_context(cafile=str(self.pki / "etcd-ca.crt"))
        context.load_cert_chain(str(self.pki / "etcd-client.crt"), str(self.pki / "etcd-client.key"))
        return context

    # Life

    def plug(self, number):
        """0 is the host's, then the boards', and one is left for whoever else comes onto the segment."""
        return self.folder / f"plug-{number}.sock"

    @property
    def free_plug(self):
        return self.plug(len(self.boards) + 1)

    def start_network(self):
        """The switch, and QEMU's user network plugged into it: the host's address, forwarded ports, DHCP and DNS."""
        plugs = [self.plug(n) for n in range(len(self.boards) + 2)]
        if not self.switch.pid():
            self.switch.command = [str(c) for c in (sys.executable, HERE / "board_switch.py", *plugs)]
            self.switch.start()
            wait_for(f"the switch\n{self.switch.log_tail(5)}", lambda: all(p.exists() for p in plugs), 10, 0.02)
        if self.host.pid():
            return
        forwards = "".join(f",hostfwd=tcp:{b.address}:{port}-{b.ip}:{port}" for b in self.boards
                           for port in self.options.ports)
        self.host.command = [
            "qemu-system-aarch64", "-name", self.host.marker, "-M", "none", "-nodefaults", "-display", "none",
            "-netdev", f"user,id=host,net={SEGMENT}0/24,host={SEGMENT}2,dns={SEGMENT}3,dhcpstart={SEGMENT}100{forwards}",
            "-netdev", "hubport,id=hub-host,hubid=0,netdev=host",
            "-netdev", f"stream,id=plug,server=off,addr.type=unix,addr.path={plugs[0]}",
            "-netdev", "hubport,id=hub-plug,hubid=0,netdev=plug"]
        self.host.start()
        wait_for(f"the host's plug\n{self.host.log_tail(5)}", self.forwards, 15, 0.05)

    def forwards(self):
        """Is the host's side listening?"""
        if not self.host.pid():
            raise ClusterError(f"ended: {self.host.log_tail(5)}")
        with socket.create_connection((self.boards[0].address, API_PORT), timeout=1):
            return True

    def start(self):
        self.start_network()
        for board in self.boards:
            board.start()

    def alive(self, board):
        if not board.pid():
            raise RuntimeError(f"{board.name} ended\n{board.log_tail()}")
        return True

    def wait_ready(self, timeout=120, boards=None):
        for board in boards or self.boards:
            wait_for(f"{board.name} is ready", lambda b=board: self.alive(b) and b.ready(), timeout, 0.3)

    def wait_balancer(self, timeout=60):
        first = self.boards[0]
        wait_for("the balancer answers", lambda: first.get("/readyz", BALANCER_PORT)[0] == 200, timeout, 0.3)

    def start_nodes(self, count):
        self.nodes.command = [str(program("hollow-node")), "--kubeconfig", str(self.admin_conf), "--nodes", str(count)]
        self.nodes.start()

    def stop_boards(self):
        """The power buttons of all boards at once. True when each shut down by itself."""
        for board in self.boards:
            with contextlib.suppress(OSError, ClusterError):
                if board.pid():
                    board.power_button()
        return all([board.stop() for board in self.boards])

    def stop(self):
        """Nodes first, then the boards, then what is under them."""
        self.nodes.stop()
        clean = self.stop_boards()
        for process in [*(b.disk for b in self.boards), self.host, self.switch]:
            process.stop()
        return clean

    def destroy(self):
        for process in [self.nodes, *self.boards, *(b.disk for b in self.boards), self.host, self.switch]:
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
