"""One run of the suite against one cluster: calls, streams and HTTP requests, each written down as a step with its answer.

What two clusters can never share is replaced when it is written down: ids of clusters, members, leases and tokens become
names by the order in which they appear, terms become `term`. Everything else stays as it came.
"""

import http.client
import json
import queue
import re
import ssl
import threading
from pathlib import Path

import grpc

import wire

DEADLINE_SECONDS = 20
TOKEN = re.compile(r"^[A-Za-z0-9_-]{16}\.\d+$")
REVISIONS = {"revision", "create_revision", "mod_revision", "compact_revision", "hash_revision", "rev"}
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
           ("grpc.enable_retries", 0), ("grpc.service_config_disable_resolution", 1)]


class Names:
    """What stands for the values that differ between any two clusters."""

    def __init__(self):
        self.known, self.begun = {}, 0

    def learn(self, value, name):
        self.known[value] = name

    def lease(self, value):
        if abs(value) < 1 << 32:  # the suite's own choice
            return value
        if value not in self.known:
            self.known[value] = f"lease {sum(1 for n in self.known.values() if n.startswith('lease ')) + 1}"
        return self.known[value]

    def clean(self, value, key=""):
        if isinstance(value, dict):
            return {k: self.clean(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.clean(v, key) for v in value]
        if key in ("raft_term", "raftTerm") and str(value).isdigit() and int(value) > 0:
            return "term"
        if key in ("ID", "lease", "member_id", "memberID", "cluster_id", "leader") and str(value).lstrip("-").isdigit():
            number = int(value)
            name = self.known.get(number) or (self.lease(number) if key in ("ID", "lease") else number)
            return name if isinstance(name, str) else value
        if key in REVISIONS and str(value).lstrip("-").isdigit():
            told = f"{int(value) - self.begun:+d}" if int(value) > 0 else value
            return f'"{told}"' if isinstance(value, str) else told
        if isinstance(value, str):
            return self.text(value)
        return value

    def text(self, value):
        if TOKEN.match(value):
            return "token"
        for known, name in self.known.items():
            for form in (f"{known:x}", f"{known & (1 << 64) - 1:x}", str(known & (1 << 64) - 1)):
                if len(form) > 8:
                    value = value.replace(form, f"<{name}>")
        return value if len(value) <= 400 else f"{value[:40]}... ({len(value)} bytes)"


def outcome_of(error):
    return {"code": error.code().name, "text": error.details()}


class Stream:
    """A call with several messages: what is sent and what is received are steps, too."""

    def __init__(self, session, label, method, metadata, at):
        self.session, self.label, self.method = session, label, method
        path, self.name = wire.METHODS[method]
        self.outgoing, self.incoming = queue.Queue(), queue.Queue()
        call = session.channel(at).stream_stream(path)
        self.responses = call(iter(self.outgoing.get, None), metadata=metadata, timeout=60)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for message in self.responses:
                self.incoming.put(wire.decode(f"{self.name}Response", message))
            self.incoming.put({"code": "OK"})
        except grpc.RpcError as error:
            self.incoming.put(outcome_of(error))

    def send(self, request):
        self.outgoing.put(wire.encode(f"{self.name}Request", request))
        return self

    def receive(self, label, count=1, timeout=DEADLINE_SECONDS):
        """The next messages; one that does not come is written down as missing."""
        got = []
        for _ in range(count):
            try:
                got.append(self.incoming.get(timeout=timeout))
            except queue.Empty:
                got.append({"nothing": f"within {timeout} s"})
                break
        self.session.record(f"{self.label}: {label}", self.method, {}, got)
        return got

    def quiet(self, label, seconds=0.5):
        """That nothing comes: time passes, long enough for either server to say something wrong."""
        return self.receive(label, timeout=seconds)

    def end(self):
        """No more requests; the server's last word is received as usual."""
        self.outgoing.put(None)
        return self

    def cancel(self):
        self.responses.cancel()


class Session:
    def __init__(self, endpoints, pki=None, certificate="etcd-client"):
        """`endpoints`: HOST:PORT of every member. `pki`: the folder with etcd-ca.crt and NAME.crt, NAME.key; None without
        TLS."""
        self.endpoints, self.pki, self.certificate = endpoints, pki and Path(pki), certificate
        self.names, self.steps, self.channels, self.chapter = Names(), [], {}, ""

    # what is written down

    def record(self, label, method, request, answer):
        where = f"{self.chapter}/{label}"
        assert where not in {s["where"] for s in self.steps}, f"two steps called {where}"
        self.steps.append({"where": where, "method": method, "answer": self.names.clean(answer)})

    def begin(self, chapter):
        header = self.ask("KV/Range", {"key": "none"}).get("header", {})  # refused while authentication is on
        self.chapter, self.names.begun = chapter, header.get("revision", self.names.begun)

    # gRPC

    def channel(self, at):
        if at not in self.channels:
            target = self.endpoints[at - 1]
            if self.pki:
                self.channels[at] = grpc.secure_channel(target, grpc.ssl_channel_credentials(
                    (self.pki / "etcd-ca.crt").read_bytes(), (self.pki / f"{self.certificate}.key").read_bytes(),
                    (self.pki / f"{self.certificate}.crt").read_bytes()), OPTIONS)
            else:
                self.channels[at] = grpc.insecure_channel(target, OPTIONS)
        return self.channels[at]

    def ask(self, method, request=None, at=1, metadata=(), timeout=DEADLINE_SECONDS):
        """The answer, which is not written down: for what only prepares."""
        path, name = wire.METHODS.get(method, (method, ""))
        body = wire.encode(f"{name}Request", request or {}) if not isinstance(request, bytes) else request
        try:
            answer = self.channel(at).unary_unary(path)(body, metadata=metadata, timeout=timeout)
            return wire.decode(f"{name}Response", answer) if name else {"bytes": answer.hex()}
        except grpc.RpcError as error:
            return outcome_of(error)

    def call(self, label, method, request=None, clean=None, **how):
        self.catch_up(how.get("at", 1))
        answer = self.ask(method, request, **how)
        self.record(label, method, request, clean(answer) if clean else answer)
        return answer

    def catch_up(self, at):
        """A member that is asked after another one has seen what that one did."""
        if at != 1:
            self.ask("KV/Range", {"key": "none"}, at=at)

    def stream(self, label, method="Watch/Watch", metadata=(), at=1):
        self.catch_up(at)
        return Stream(self, label, method, metadata, at)

    def pieces(self, label, method, request, clean, at=1, metadata=()):
        """A call that is answered by a stream which ends by itself."""
        path, name = wire.METHODS[method]
        got = []
        try:
            for message in self.channel(at).unary_stream(path)(wire.encode(f"{name}Request", request), metadata=metadata,
                                                               timeout=DEADLINE_SECONDS):
                got.append(wire.decode(f"{name}Response", message))
        except grpc.RpcError as error:
            got.append(outcome_of(error))
        self.record(label, method, request, clean(got))
        return got

    # HTTP

    def http(self, label, method, path, body=None, at=1, headers=None, clean=None, lines=None):
        """`lines`: how many lines of a stream are awaited. Headers that clients read are written down, too."""
        host, _, port = self.endpoints[at - 1].rpartition(":")
        if self.pki:
            context = ssl.create_default_context(cafile=str(self.pki / "etcd-ca.crt"))
            context.load_cert_chain(self.pki / f"{self.certificate}.crt", self.pki / f"{self.certificate}.key")
            connection = http.client.HTTPSConnection(host, int(port), timeout=DEADLINE_SECONDS, context=context)
        else:
            connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE_SECONDS)
        try:
            data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
            connection.request(method, path, data, headers or {})
            answer = connection.getresponse()
            texts = [answer.readline().decode() for _ in range(lines)] if lines else [answer.read().decode()]
            kept = {k: v for k, v in ((k.lower(), v) for k, v in answer.getheaders()) if k in (
                "content-type", "allow", "grpc-metadata-content-type", "x-content-type-options")}
            found = {"status": answer.status, "headers": kept, "body": [_parsed(t) for t in texts]}
        finally:
            connection.close()
        self.record(label, f"{method} {path}", body, clean(found) if clean else found)
        return found

    def gateway(self, label, path, body, **how):
        return self.http(label, "POST", f"/v3/{path}", body, **how)

    # what the suite needs to know

    def learn_members(self):
        """Names for the ids; they are the same at each endpoint, whatever order the members are listed in."""
        for number in range(1, len(self.endpoints) + 1):
            header = self.ask("Maintenance/Status", at=number)["header"]
            self.names.learn(header["member_id"], f"member {number}")
            self.names.learn(header["cluster_id"], "cluster")

    def reachable(self):
        return all(self.ask("Maintenance/Status", at=n).get("code") != "UNAVAILABLE"
                   for n in range(1, len(self.endpoints) + 1))

    def close(self):
        for channel in self.channels.values():
            channel.close()


def _parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text
