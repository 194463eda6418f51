"""Clusters of real boards as processes on loopback addresses: shared by tools/cluster and tests/functional.

A cluster lives in one folder: pki/, board-N.ini, board-N/ (data), board-N.log, board-N.pid, admin.conf, board-N.conf,
etcdctl.env, topology; with an external store also etcd-N/, etcd-N.log, etcd-N.pid. Standard library only. Signals go only to processes whose command line names this cluster's files.
"""

import base64
import contextlib
import http.client
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIENT_PORT, PEER_PORT, API_PORT, BALANCER_PORT, METRICS_PORT = 2379, 2380, 6444, 6443, 10249
SERVICE_CIDR = "10.96.0.0/16"
# Where the members of etcd are: inside the boards, three real etcd beside them, three boards that are members only.
TOPOLOGIES = ("stacked", "external", "external-tripod")


class ClusterError(Exception):
    pass


def wait_for(what, condition, timeout, poll=0.1):
    """Calls `condition` until it gives something true, and returns that. An exception counts as "not yet"."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (OSError, ValueError, LookupError, ClusterError, http.client.HTTPException,
                subprocess.SubprocessError) as error:
            last = error
        if time.monotonic() > deadline:
            raise ClusterError(f"not within {timeout} s: {what} (last: {str(last)[:2000]})")
        time.sleep(poll)


def program(name, preset="release"):
    """The path of one of our programs in build/PRESET."""
    places = {"tripod": "firmware/tripod", "hollow-node": "tools/hollow-node/hollow-node",
              "etcd-load": "tools/etcd-load/etcd-load", "history_check": "tests/sim/etcd/history_check"}
    return ROOT / "build" / preset / places[name]


def peer(name):
    """The path of an unmodified client or peer; see tools/peers."""
    return subprocess.run([ROOT / "tools/peers", "path", name], check=True, capture_output=True,
                          text=True).stdout.strip()


def render_ini(text, overrides):
    """Sets (section, key) -> value in the text of an INI file; comments stay, a None value removes the key."""
    wanted = dict(overrides)
    out, section = [], None

    def append_missing():
        for where, key in [k for k in wanted if k[0] == section]:
            value = wanted.pop((where, key))
            if value is not None:
                out.append(f"{key} = {value}")

    for line in text.splitlines():
        if head := re.fullmatch(r"\[(.+)\]", line.strip()):
            append_missing()
            section = head.group(1)
        entry = re.match(r"(?:# )?([a-z][a-z0-9-]*) = ", line)
        if entry and (section, entry.group(1)) in wanted:
            value = wanted.pop((section, entry.group(1)))
            if value is not None:
                out.append(f"{entry.group(1)} = {value}")
            continue
        out.append(line)
    append_missing()
    for section in dict.fromkeys(where for where, _ in wanted):
        out.append(f"\n[{section}]")
        append_missing()
    return "\n".join(out) + "\n"


def resident_bytes_of(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024


class Process:
    """A program in the background, known by its pid file; outlives this one unless it is stopped."""

    def __init__(self, name, folder, command, marker):
        self.name, self.command, self.marker = name, [str(c) for c in command], str(marker)
        self.pid_file, self.log_file = Path(folder) / f"{name}.pid", Path(folder) / f"{name}.log"
        self.launcher = []  # goes in front of the command, and becomes it
        self.child = None

    def pid(self):
        """The running process, or None. The pid counts only while its command line names our file."""
        if self.child and self.child.poll() is None:
            return self.child.pid
        try:
            pid = int(self.pid_file.read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except (OSError, ValueError):
            return None
        return pid if self.marker in arguments else None

    def runs_old_build(self):
        pid = self.pid()
        return bool(pid) and os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")

    def start(self):
        if self.pid():
            return
        with open(self.log_file, "ab") as log:
            self.child = subprocess.Popen([*self.launcher, *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True, cwd="/")
        self.pid_file.write_text(f"{self.child.pid}\n")

    def send(self, signal_number):
        if pid := self.pid():
            os.kill(pid, signal_number)
        return pid

    def kill(self):
        if self.send(signal.SIGKILL):
            self.wait_gone(5)

    def stop(self, timeout=15):
        """SIGTERM, and after the timeout SIGKILL. True when it left by itself."""
        if not self.send(signal.SIGTERM):
            return True
        self.send(signal.SIGCONT)
        try:
            self.wait_gone(timeout)
            return True
        except ClusterError:
            self.kill()
            return False

    def wait_gone(self, timeout):
        wait_for(f"{self.name} ends", lambda: self.pid() is None, timeout, poll=0.02)
        self.pid_file.unlink(missing_ok=True)

    def log_tail(self, lines=30):
        with contextlib.suppress(OSError):
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"


def https_get(address, port, path, context, timeout):
    """(status, body)"""
    connection = http.client.HTTPSConnection(address, port, timeout=timeout, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


class Member(Process):
    """One whose etcd clients are served at `address`."""

    def health(self, path="/health", timeout=10.0):
        """(status, body) of what the member of etcd answers over plain HTTP/1.1."""
        return https_get(self.address, CLIENT_PORT, path, self.cluster.etcd_tls(), timeout)

    def leads_etcd(self):
        """Whether the member says that it leads; False when it says nothing."""
        try:
            return "\netcd_server_is_leader 1" in self.health("/metrics", timeout=3.0)[1]
        except (OSError, http.client.HTTPException):
            return False

    def resident_bytes(self):
        return resident_bytes_of(self.pid())


class Board(Member):
    def __init__(self, cluster, number, address):
        self.cluster, self.number, self.address = cluster, number, address
        self.config = cluster.folder / f"board-{number}.ini"
        self.data = cluster.folder / f"board-{number}"
        super().__init__(f"board-{number}", cluster.folder, [cluster.binary, "run", "--config", self.config],
                         self.config)
        self.kubeconfig = cluster.folder / f"board-{number}.conf"
        self.changes = {}  # (section, key): value, of this board alone
        self.client_url, self.peer_url = f"https://{address}:{CLIENT_PORT}", f"https://{address}:{PEER_PORT}"

    def lose_etcd_data(self):
        """As a card that died, for the member of etcd."""
        shutil.rmtree(self.data / "etcd", ignore_errors=True)

    def get(self, path, port=API_PORT, timeout=2.0):
        """(status, body) of an HTTPS GET with the admin's certificate."""
        return https_get(self.address, port, path, self.cluster.tls(), timeout)

    def metrics(self):
        connection = http.client.HTTPConnection(self.address, METRICS_PORT, timeout=2.0)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False


class Store(Member):
    """A member of an external etcd cluster: real etcd, or a board that is a member only."""

    def __init__(self, cluster, number, address):
        self.cluster, self.number, self.address = cluster, number, address
        self.name = f"etcd-{number}"
        self.config, self.data = cluster.folder / f"{self.name}.ini", cluster.folder / self.name
        self.client_url, self.peer_url = f"https://{address}:{CLIENT_PORT}", f"https://{address}:{PEER_PORT}"
        if cluster.topology == "external":
            super().__init__(self.name, cluster.folder, [], f"--data-dir={self.data}")
        else:
            super().__init__(self.name, cluster.folder, [cluster.binary, "run", "--config", self.config], self.config)

    def start(self):
        if self.cluster.topology == "external":
            self.command = self.etcd_command()
        super().start()

    def etcd_command(self):
        pki, own = self.cluster.pki, self.cluster.pki / self.name
        flags = {
            "name": self.name, "data-dir": self.data, "logger": "zap", "log-level": "warn",
            "listen-client-urls": self.client_url, "advertise-client-urls": self.client_url,
            "listen-peer-urls": self.peer_url, "initial-advertise-peer-urls": self.peer_url,
            "initial-cluster": ",".join(f"{s.name}={s.peer_url}" for s in self.cluster.stores),
            "initial-cluster-token": "tripod", "initial-cluster-state": "new",
            "client-cert-auth": "true", "trusted-ca-file": pki / "etcd-ca.crt",
            "cert-file": own / "etcd-server.crt", "key-file": own / "etcd-server.key",
            "peer-client-cert-auth": "true", "peer-trusted-ca-file": pki / "etcd-ca.crt",
            "peer-cert-file": own / "etcd-peer.crt", "peer-key-file": own / "etcd-peer.key",
        }
        # etcd's flags have the names of our keys.
        flags |= self.cluster.overrides_of("etcd")
        return [peer("etcd"), *(f"--{key}={value}" for key, value in flags.items())]

    def ready(self):
        try:
            return self.health(timeout=3.0)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


class Cluster:
    """Boards 1..N at `addresses`; the balancer is on the first. Stores of an external topology are ten addresses on."""

    def __init__(self, folder, addresses, preset="release", overrides=None, topology="stacked"):
        self.folder = Path(folder).resolve()
        self.addresses = list(addresses)
        self.preset, self.binary = preset, program("tripod", preset)
        self.overrides = overrides or {}
        self.pki = self.folder / "pki"
        self.admin_conf, self.etcdctl_env_file = self.folder / "admin.conf", self.folder / "etcdctl.env"
        self.topology = topology
        prefix = self.addresses[0].rpartition(".")[0]
        self.stores = [] if topology == "stacked" else [Store(self, n, f"{prefix}.{20 + n}") for n in (1, 2, 3)]
        self.boards = [Board(self, n, a) for n, a in enumerate(self.addresses, 1)]
        self.nodes = Process("hollow-nodes", self.folder, [], self.admin_conf)

    def board(self, number):
        if not 1 <= number <= len(self.boards):
            raise ClusterError(f"no board {number}; there are 1 to {len(self.boards)}")
        return self.boards[number - 1]

    @property
    def members(self):
        """Who answers etcd's clients."""
        return self.stores or self.boards

    def overrides_of(self, section):
        return {key: value for (where, key), value in self.overrides.items() if where == section}

    def member(self, number):
        return self.members[number - 1]

    # Files

    def prepare(self):
        """Certificates (once), INI files, kubeconfigs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.pki / "admin.crt").exists():
            self.make_pki(self.pki)
        (self.folder / "topology").write_text(f"{self.topology}\n")
        for store in self.stores:
            store.data.mkdir(exist_ok=True, mode=0o700)
            if self.topology == "external-tripod":
                store.config.write_text(self.store_ini_of(store))
        for board in self.boards:
            board.data.mkdir(exist_ok=True)
            board.config.write_text(self.ini_of(board))
            self.write_kubeconfig(board.kubeconfig, f"https://{board.address}:{API_PORT}")
        self.write_kubeconfig(self.admin_conf, f"https://{self.addresses[0]}:{BALANCER_PORT}")
        self.etcdctl_env_file.write_text("".join(
            f"export {key}={shlex.quote(value)}\n" for key, value in self.etcdctl_environment().items()))

    def make_pki(self, folder):
        members = ",".join(f"{b.name}={b.address}" for b in [*self.boards, *self.stores])
        self.run_tool("pki", "init", "--dir", folder, "--board", members, "--service-cidr", SERVICE_CIDR)

    def run_tool(self, *arguments):
        done = subprocess.run([str(self.binary), *map(str, arguments)], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise ClusterError(f"tripod {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done.stdout

    def ini_of(self, board):
        """The shipped file of that board with this cluster's addresses and paths."""
        shipped = min(board.number, 3)
        folder = ROOT / "config" / ("external" if self.stores else "")
        text = (folder / f"board-{shipped}.ini").read_text()
        text = text.replace(f"pki/board-{shipped}/", f"pki/{board.name}/")
        text = text.replace(f"192.168.1.1{shipped}", board.address)
        text = text.replace("/var/lib/tripod/pki", str(self.pki)).replace("/var/lib/tripod", str(board.data))
        changes = {
            ("node", "name"): board.name,
            ("metrics", "listen"): f"{board.address}:{METRICS_PORT}",
        }
        if self.stores:
            changes["apiserver", "etcd-servers"] = ",".join(s.client_url for s in self.stores)
        else:
            changes |= self.membership(board)
        if board.number == 1:
            changes["balancer", "backends"] = ", ".join(f"{b.address}:{API_PORT}" for b in self.boards)
        changes |= {k: v for k, v in self.overrides.items() if k[0] != "balancer" or board.number == 1}
        return render_ini(text, changes | board.changes)

    def configure(self, board, changes):
        """Sets keys of one board's file, for its next start."""
        board.changes |= changes
        board.config.write_text(self.ini_of(board))

    def configure_joining(self, board, initial_cluster):
        """`initial_cluster`: as `etcdctl member add` prints it."""
        self.configure(board, {("etcd", "initial-cluster"): initial_cluster,
                               ("etcd", "initial-cluster-state"): "existing"})

    def found(self, boards):
        """These alone make the new cluster; the others may join it later."""
        text = ",".join(f"{b.name}={b.peer_url}" for b in boards)
        for board in boards:
            self.configure(board, {("etcd", "initial-cluster"): text})

    def etcdctl(self, *arguments, boards=None, timeout=30):
        """What etcdctl printed; ClusterError when it fails."""
        done = subprocess.run([peer("etcdctl"), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, **self.etcdctl_environment(boards)})
        if done.returncode != 0:
            raise ClusterError(f"etcdctl {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def replace_member(self, board, ask, timeout=60):
        """A board whose member lost its data, and is down, becomes a member anew: removed, added and started."""
        listed = self.etcdctl("member", "list", boards=[ask])
        old = next((line.split(",")[0] for line in listed.splitlines() if board.peer_url in line), None)
        if old:
            wait_for(f"{board.name} is removed", lambda: self.etcdctl("member", "remove", old, boards=[ask]), timeout, 0.5)
        # etcd wants the others to have been connected for five seconds.
        added = wait_for(f"{board.name} is added", lambda: self.etcdctl(
            "member", "add", board.name, f"--peer-urls={board.peer_url}", boards=[ask]), timeout, 0.5)
        self.configure_joining(board, joined_cluster(added))
        board.start()

    def membership(self, member):
        return {
            ("etcd", "name"): member.name,
            ("etcd", "initial-cluster"): ",".join(f"{m.name}=https://{m.address}:{PEER_PORT}" for m in self.members),
        }

    def store_ini_of(self, store):
        """The same for a board that is a member only."""
        text = (ROOT / f"config/external/{store.name}.ini").read_text()
        text = text.replace(f"192.168.1.2{store.number}", store.address)
        text = text.replace("/var/lib/tripod/pki", str(self.pki)).replace("/var/lib/tripod", str(store.data))
        own = {("etcd", key): value for key, value in self.overrides_of("etcd").items()}
        return render_ini(text, self.membership(store) | own | {("metrics", "listen"): f"{store.address}:{METRICS_PORT}"})

    def write_kubeconfig(self, path, server):
        def data(name):
            return base64.b64encode((self.pki / name).read_bytes()).decode()

        path.touch(mode=0o600)
        path.write_text(f"""apiVersion: v1
kind: Config
clusters:
- name: tripod
  cluster:
    certificate-authority-data: {data("ca.crt")}
    server: {server}
contexts:
- name: admin@tripod
  context:
    cluster: tripod
    user: admin
current-context: admin@tripod
preferences: {{}}
users:
- name: admin
  user:
    client-certificate-data: {data("admin.crt")}
    client-key-data: {data("admin.key")}
""")

    def etcdctl_environment(self, boards=None):
        return {
            "ETCDCTL_API": "3",
            "ETCDCTL_ENDPOINTS": ",".join(b.client_url for b in boards or self.members),
            "ETCDCTL_CACERT": str(self.pki / "etcd-ca.crt"),
            "ETCDCTL_CERT": str(self.pki / "etcd-client.crt"),
            "ETCDCTL_KEY": str(self.pki / "etcd-client.key"),
        }

    def tls(self):
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(str(self.pki / "admin.crt"), str(self.pki / "admin.key"))
        return context

    def etcd_tls(self):
        context = ssl.create_default_context(cafile=str(self.pki / "etcd-ca.crt"))
        context.load_cert_chain(str(self.pki / "etcd-client.crt"), str(self.pki / "etcd-client.key"))
        return context

    # Life

    def start(self):
        for process in [*self.stores, *self.boards]:
            process.start()

    def wait_ready(self, timeout=30, boards=None):
        for board in boards or [*self.stores, *self.boards]:
            wait_for(f"{board.name} is ready", lambda b=board: self.alive(b) and b.ready(), timeout)

    def alive(self, board):
        if not board.pid():
            raise RuntimeError(f"{board.name} ended; its log ends with\n{board.log_tail()}")
        return True

    def wait_balancer(self, timeout=15):
        first = self.boards[0]
        wait_for("the balancer answers", lambda: first.get("/readyz", BALANCER_PORT)[0] == 200, timeout)

    def start_nodes(self, count):
        self.nodes.command = [str(program("hollow-node", self.preset)), "--kubeconfig", str(self.admin_conf), "--nodes",
                              str(count)]
        self.nodes.start()

    def stop(self):
        """Nodes first, then all boards at once, then what they store in."""
        self.nodes.stop()
        clean = []
        for group in (self.boards, self.stores):
            for process in group:
                process.send(signal.SIGTERM)
            clean += [process.stop() for process in group]
        return all(clean)

    def destroy(self):
        for process in [self.nodes, *self.boards, *self.stores]:
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def joined_cluster(printed):
    """initial-cluster for the new member, out of what `etcdctl member add` printed."""
    return re.search(r'ETCD_INITIAL_CLUSTER="([^"]+)"', printed).group(1)


def free_subnet():
    """A loopback prefix 127.1.X. on which nobody listens at our ports."""
    start = os.getpid() % 240
    for step in range(240):
        prefix = f"127.1.{1 + (start + step) % 240}."
        with contextlib.suppress(OSError):
            for last in (*range(11, 18), 21, 22, 23):
                for port in (CLIENT_PORT, PEER_PORT, API_PORT, METRICS_PORT):
                    with socket.socket() as probe:
                        probe.bind((f"{prefix}{last}", port))
            return prefix
    raise ClusterError("no free loopback addresses")
