"""What the stories stand on: a cluster of their own, real clients, conditions with deadlines, the API over plain HTTPS.

A story file has functions `test_*(t)`. Optional names in it: BOARDS (3), NODES (0), OVERRIDES ({(section, key): value}),
VARIANTS (client names each test runs with), CLUSTER = False (no cluster is started), TOPOLOGIES (where etcd may be, the
default first; only "stacked" without it).
"""

import contextlib
import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

# Debian's own Python, which sees Debian's packages; tools/peers installs those that the stories import.
DEBIAN_PYTHON = "/usr/bin/python3"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/lib"))

import tripod_cluster  # noqa: E402
from tripod_cluster import ClusterError, peer, wait_for  # noqa: E402

__all__ = ["DEBIAN_PYTHON", "ROOT", "Failure", "Harness", "Result", "wait_for", "ClusterError", "peer", "tripod_cluster"]


class Failure(AssertionError):
    pass


class Result:
    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out, self.err = arguments, code, out, err

    def __str__(self):
        return f"{' '.join(self.arguments)}\n  exit code {self.code}\n  stdout: {self.out}\n  stderr: {self.err}"

    def json(self):
        return json.loads(self.out)


def run(arguments, env=None, stdin=None, timeout=60, check=True):
    arguments = [str(a) for a in arguments]
    try:
        done = subprocess.run(arguments, env={**os.environ, **(env or {})}, input=stdin, capture_output=True,
                              text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{' '.join(arguments)}: no end within {timeout} s\n{error.stdout}\n{error.stderr}") from None
    result = Result(arguments, done.returncode, done.stdout, done.stderr)
    if check and done.returncode != 0:
        raise Failure(str(result))
    return result


class Background:
    """A client that keeps running; its output is collected line by line."""

    def __init__(self, arguments, env=None, stdin=""):
        """`stdin` is typed at once, and nothing after it."""
        self.arguments = [str(a) for a in arguments]
        self.child = subprocess.Popen(self.arguments, env={**os.environ, **(env or {})},
                                      stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, bufsize=1)
        if stdin:
            self.child.stdin.write(stdin)
            self.child.stdin.flush()
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for_line(self, what, matches, timeout=20):
        try:
            return wait_for(what, lambda: next((n for n in list(self.lines) if matches(n)), None), timeout, 0.02)
        except ClusterError:
            raise Failure(f"{' '.join(self.arguments)}: no {what} within {timeout} s; got\n" +
                          "\n".join(self.lines)) from None

    def stop(self):
        self.child.kill()
        self.child.wait()
        self.reader.join(2)
        self.child.stdout.close()
        if self.child.stdin:
            self.child.stdin.close()
        return self.lines

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Api:
    """The Kubernetes API without a client library: one connection, JSON in and out."""

    def __init__(self, cluster, address, port, timeout=10):
        self.cluster, self.address, self.port, self.timeout = cluster, address, port, timeout
        self.connection = None

    def request(self, method, path, body=None, content_type="application/json", headers=None):
        """(status, object). A broken connection raises, and the next call makes a new one."""
        if self.connection is None:
            self.connection = http.client.HTTPSConnection(self.address, self.port, timeout=self.timeout,
                                                          context=self.cluster.tls())
        data = None if body is None else body if isinstance(body, (bytes, str)) else json.dumps(body)
        try:
            self.connection.request(method, path, data, {"Content-Type": content_type, **(headers or {})})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    def get(self, path):
        return self.request("GET", path)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Harness:
    namespaces = itertools.count(1)  # of this run: one that still terminates is not met again

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, Path(folder)
        self.kubectl_name = "kubectl-1.32"
        self.clients = {}
        self.cleanups = contextlib.ExitStack()

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = peer(name)
        return self.clients[name]

    # kubectl

    def kubectl_environment(self, board=None):
        conf = self.cluster.board(board).kubeconfig if board else self.cluster.admin_conf
        return {"KUBECONFIG": str(conf), "KUBECACHEDIR": str(self.folder / f"cache-{self.kubectl_name}"),
                "HOME": str(self.folder)}

    def kubectl(self, *arguments, board=None, env=None, **how):
        """Through the balancer, or straight to one board."""
        return run([self.client(self.kubectl_name), *arguments],
                   env={**self.kubectl_environment(board), **(env or {})}, **how)

    def kubectl_background(self, *arguments, board=None):
        return self.cleanups.enter_context(
            Background([self.client(self.kubectl_name), *arguments], env=self.kubectl_environment(board)))

    def namespace(self):
        """A fresh namespace, deleted after the test."""
        name = f"story-{os.getpid()}-{next(self.namespaces)}"
        self.kubectl("create", "namespace", name)
        self.cleanups.callback(self.kubectl, "delete", "namespace", name, "--wait=false", check=False)
        return name

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    # etcdctl

    def etcd_environment(self, boards=None):
        chosen = [self.cluster.member(n) for n in boards] if boards else None
        return self.cluster.etcdctl_environment(chosen)

    def etcdctl(self, *arguments, boards=None, name="etcdctl", **how):
        return run([self.client(name), *arguments], env=self.etcd_environment(boards), **how)

    def etcdctl_background(self, *arguments, boards=None):
        return self.cleanups.enter_context(
            Background([self.client("etcdctl"), *arguments], env=self.etcd_environment(boards)))

    def endpoint_status(self, board):
        status = self.etcdctl("endpoint", "status", "-w", "json", "--command-timeout=3s", boards=[board]).json()
        return status[0]["Status"]

    def leader(self, among=None):
        """The number of the board that leads etcd, as a live board sees it."""
        def find():
            for number in among or [m.number for m in self.cluster.members if m.pid()]:
                with contextlib.suppress(Failure):
                    leader = self.endpoint_status(number).get("leader", 0)
                    if leader:
                        return self.member_number(leader, number)
            return None
        return wait_for("etcd has a leader", find, 15)

    def member_number(self, member_id, ask):
        members = self.etcdctl("member", "list", "-w", "json", "--command-timeout=3s", boards=[ask]).json()
        for member in members["members"]:
            if member["ID"] == member_id and member.get("name"):
                return int(member["name"].rpartition("-")[2])
        raise ValueError(f"no member {member_id:x}")

    # an etcd member without a client

    def etcd_http(self, method, path, body=None, board=1, timeout=15):
        """The answer of a member's client port over HTTP/1.1; read it, then it is closed after the test."""
        connection = http.client.HTTPSConnection(self.cluster.board(board).address, tripod_cluster.CLIENT_PORT,
                                                 timeout=timeout, context=self.cluster.etcd_tls())
        self.cleanups.callback(connection.close)
        connection.request(method, path, body if body is None or isinstance(body, (bytes, str)) else json.dumps(body))
        return connection.getresponse()

    def gateway(self, path, body, board=1):
        """(status, object) of one call of the JSON gateway."""
        answer = self.etcd_http("POST", f"/v3/{path}", body, board)
        return answer.status, json.loads(answer.read())

    # the API without a client

    def api(self, board=None, timeout=10):
        """Through the balancer, or straight to one board."""
        address = self.cluster.board(board or 1).address
        port = tripod_cluster.API_PORT if board else tripod_cluster.BALANCER_PORT
        api = Api(self.cluster, address, port, timeout)
        self.cleanups.callback(api.close)
        return api

    def eventually(self, what, condition, timeout=30, poll=0.1):
        """Like wait_for, where a failed expectation of the condition counts as "not yet" too."""
        def attempt():
            try:
                return condition()
            except AssertionError as error:
                raise ValueError(str(error)) from None
        try:
            return wait_for(what, attempt, timeout, poll)
        except ClusterError as error:
            raise Failure(str(error)) from None


def diagnostics(cluster):
    """What to look at after a failure."""
    text = []
    for process in [*cluster.stores, *cluster.boards, cluster.nodes]:
        if process.log_file.exists():
            state = f"pid {process.pid()}" if process.pid() else "not running"
            text.append(f"--- {process.name} ({state}), end of its log\n{process.log_tail(25)}")
    return "\n".join(text)

