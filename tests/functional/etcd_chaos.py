"""Three members in network namespaces under a nemesis, while clients write, read and watch; what they saw goes through the
checkers of the simulation. TRIPOD_CHAOS_SECONDS=600 for more of it, TRIPOD_CHAOS_SEED for another order of things.

Not here: a clock that steps. The wall clock is the machine's (namespaces shift only the others), and the binary is static."""

import base64
import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time

from harness import Failure, tripod_cluster, wait_for
from netlab import Lab, members, why_not

CLUSTER = False
SECONDS = float(os.environ.get("TRIPOD_CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("TRIPOD_CHAOS_SEED", "20261125"))
CLIENTS, KEYS = 4, 6
PATIENCE = 3
DISK_MIB, LEFT_MIB = 160, 6  # of the small disk; a member refuses writes below 48


def packed(text):
    return base64.b64encode(text.encode("latin-1")).decode()


def unpacked(text):
    return base64.b64decode(text).decode("latin-1")


def kv_of(answer):
    numbers = ("create_revision", "mod_revision", "version", "lease")
    return {"key": unpacked(answer["key"]), "value": unpacked(answer.get("value", "")),
            **{name: int(answer.get(name, 0)) for name in numbers}}


class Door:
    """One member's JSON gateway over one connection that is made anew when it breaks."""

    def __init__(self, cluster):
        self.cluster, self.tls, self.connections = cluster, cluster.etcd_tls(), {}

    def post(self, node, path, body, timeout=PATIENCE):
        connection = self.connections.get(node)
        if connection is None:
            connection = self.connections[node] = http.client.HTTPSConnection(
                self.cluster.stores[node].address, tripod_cluster.CLIENT_PORT, timeout=timeout, context=self.tls)
        try:
            connection.request("POST", f"/v3/{path}", json.dumps(body))
            answer = connection.getresponse()
            value = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            del self.connections[node]
            raise
        if answer.status != 200:
            raise ValueError(value)
        return value


class Client(threading.Thread):
    """Asks one thing after the other, of any member, and notes what it was told."""

    def __init__(self, run, number):
        super().__init__(daemon=True)
        self.run_, self.number, self.random = run, number, random.Random(SEED * 100 + number)
        self.door, self.calls, self.known = Door(run.cluster), [], {}

    def run(self):
        while not self.run_.peace.is_set():
            self.call(self.draw())
            time.sleep(self.random.uniform(0.001, 0.02))

    def draw(self):
        kind = self.random.choice(["put", "put", "remove", "pair", "swap", "swap", "read", "read", "read"])
        call = {"call": kind, "client": self.number, "node": self.random.randrange(3),
                "key": f"key{self.random.randrange(KEYS)}"}
        if kind in ("put", "pair", "swap"):
            call["value"] = f"c{self.number}-{len(self.calls)}"
        if kind == "swap":
            call["expected"] = self.known.get(call["key"], 0)
        if kind == "read":
            call["serializable"] = self.random.random() < 0.25
            if self.random.random() < 0.5:
                call["range_end"] = "kez"
        return call

    def call(self, call):
        self.calls.append(call)
        call["begin"] = time.monotonic()
        try:
            told = getattr(self, call["call"])(call)
        except (OSError, http.client.HTTPException, ValueError):
            return  # it may have happened
        call.update(told)
        call["end"] = time.monotonic()

    def ask(self, call, path, body):
        answer = self.door.post(call["node"], path, body)
        return answer, {"revision": int(answer["header"]["revision"])}

    def put(self, call):
        return self.ask(call, "kv/put", {"key": packed(call["key"]), "value": packed(call["value"])})[1]

    def remove(self, call):
        answer, told = self.ask(call, "kv/deleterange", {"key": packed(call["key"])})
        return {**told, "deleted": int(answer.get("deleted", 0))}

    def read(self, call):
        answer, told = self.ask(call, "kv/range", {
            "key": packed(call["key"]), "range_end": packed(call.get("range_end", "")),
            "serializable": call["serializable"]})
        kvs = [kv_of(kv) for kv in answer.get("kvs", [])]
        self.known.update({kv["key"]: kv["mod_revision"] for kv in kvs})
        return {**told, "kvs": kvs}

    def pair(self, call):
        puts = [{"request_put": {"key": packed(key), "value": packed(call["value"])}}
                for key in (call["key"], call["key"] + "+")]
        return self.ask(call, "kv/txn", {"success": puts})[1]

    def swap(self, call):
        key = packed(call["key"])
        answer, told = self.ask(call, "kv/txn", {
            "compare": [{"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": str(call["expected"])}],
            "success": [{"request_put": {"key": key, "value": packed(call["value"])}}],
            "failure": [{"request_range": {"key": key}}]})
        if answer.get("succeeded"):
            self.known[call["key"]] = told["revision"]
            return {**told, "succeeded": True}
        kvs = [kv_of(kv) for kv in answer["responses"][0]["response_range"].get("kvs", [])]
        self.known[call["key"]] = kvs[0]["mod_revision"] if kvs else 0
        return {**told, "succeeded": False, "kvs": kvs}


class Watcher(threading.Thread):
    """Watches a range through the loss of its members, each time from the revision after the last it was told of."""

    def __init__(self, run, name, key, range_end):
        super().__init__(daemon=True)
        self.run_, self.name_, self.key, self.range_end = run, name, key, range_end
        self.random, self.told, self.seen, self.streams = random.Random(name), [], 1, 0

    def record(self):
        return {"watch": self.name_, "key": self.key, "range_end": self.range_end, "told": self.told}

    def run(self):
        while not self.run_.over.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self.follow(self.random.randrange(3))
            time.sleep(0.05)

    def follow(self, node):
        connection = http.client.HTTPSConnection(self.run_.cluster.stores[node].address, tripod_cluster.CLIENT_PORT,
                                                 timeout=PATIENCE, context=self.run_.cluster.etcd_tls())
        with contextlib.closing(connection):
            self.streams += 1
            connection.request("POST", "/v3/watch", json.dumps({"create_request": {
                "key": packed(self.key), "range_end": packed(self.range_end), "start_revision": str(self.seen + 1),
                "prev_kv": True, "progress_notify": True}}))
            answer = connection.getresponse()
            while not self.run_.over.is_set():
                line = answer.readline()
                if not line:
                    return
                self.take(json.loads(line)["result"])

    def take(self, result):
        if result.get("canceled"):
            raise ValueError(result)
        if result.get("created"):
            return
        events = [{"type": event.get("type", "PUT"), "kv": kv_of(event["kv"]),
                   **({"prev_kv": kv_of(event["prev_kv"])} if "prev_kv" in event else {})}
                  for event in result.get("events", [])]
        revision = int(result["header"]["revision"])
        self.told.append({"revision": revision, "events": events})
        self.seen = max(self.seen, events[-1]["kv"]["mod_revision"] if events else revision)


class Nemesis:
    """One thing at a time, in an order that the seed decides."""

    def __init__(self, run):
        self.run, self.lab, self.stores, self.random = run, run.lab, run.cluster.stores, random.Random(SEED)
        self.done, self.stopped, self.filled = {}, set(), None

    def act(self):
        actions = [self.isolate, self.cut, self.cut, self.heal, self.heal, self.heal, self.pause, self.kill, self.kill, self.kill_all,
                   self.degrade, self.fill_disk, self.resume, self.resume]
        action = self.random.choice(actions)
        name = action(self.random.randrange(3)) or action.__name__
        self.done[name] = self.done.get(name, 0) + 1
        self.start_some()

    def isolate(self, node):
        self.lab.isolate(node)

    def cut(self, node):
        self.lab.cut((node + 1) % 3, node)

    def heal(self, _node=0):
        self.lab.heal()
        for node in range(3):
            self.lab.mend(node)

    def degrade(self, node):
        return f"degrade ({self.lab.degrade(node) or 'not in this kernel'})"

    def pause(self, node):
        if self.stores[node].send(signal.SIGSTOP):
            self.stopped.add(node)

    def resume(self, _node=0):
        for node in self.stopped:
            self.stores[node].send(signal.SIGCONT)
        self.stopped.clear()

    def kill(self, node):
        self.stopped.discard(node)
        self.stores[node].kill()

    def kill_all(self, _node):
        for node in range(3):
            self.kill(node)

    def fill_disk(self, _node):
        """The last member's disk, or its end."""
        if self.filled:
            self.empty_disk()
            return "empty_disk"
        path = self.stores[2].data / "ballast"
        free = os.statvfs(path.parent)
        size = max(0, free.f_bavail * free.f_frsize - LEFT_MIB * 2**20)
        with open(path, "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, max(1, size))
        self.filled = path
        return None

    def empty_disk(self):
        if self.filled:
            self.filled.unlink()
            self.filled = None

    def start_some(self):
        for store in self.stores:
            if not store.pid() and self.random.random() < 0.6:
                store.start()

    def make_peace(self):
        self.heal()
        self.resume()
        self.empty_disk()
        for store in self.stores:
            store.start()


class Chaos:
    def __init__(self, lab, cluster):
        self.lab, self.cluster = lab, cluster
        self.peace, self.over = threading.Event(), threading.Event()

    def wait_healthy(self):
        for store in self.cluster.stores:
            wait_for(f"{store.name} is healthy", lambda s=store: self.cluster.alive(s) and s.ready(), 30)

    def go(self, t):
        clients = [Client(self, n) for n in range(CLIENTS)]
        watchers = [Watcher(self, "all-1", "\0", "\0"), Watcher(self, "all-2", "\0", "\0"),
                    Watcher(self, "some", "key1", "key4"), Watcher(self, "one", "key2", "")]
        for thread in [*watchers, *clients]:
            thread.start()
        nemesis = Nemesis(self)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(nemesis.random.uniform(0.3, 1.5))
            nemesis.act()
        nemesis.make_peace()
        self.wait_healthy()
        self.peace.set()
        for client in clients:
            client.join(30)
        self.finish(t, clients, watchers, nemesis)

    def finish(self, t, clients, watchers, nemesis):
        last = t.eventually("a write in peace", lambda: int(Door(self.cluster).post(
            0, "kv/put", {"key": packed("key2"), "value": packed("last")})["header"]["revision"]), 20)
        t.eventually("the watches are told of it", lambda: all(w.seen >= last for w in watchers), 30)
        self.over.set()
        t.eventually("the members' hashes agree", self.agree, 20)
        calls = [call for client in clients for call in client.calls]
        lines = [*(w.record() for w in watchers), *sorted(calls, key=lambda call: call["begin"])]
        history = t.write("history.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        self.check(history)
        done = ", ".join(f"{name} {count}" for name, count in sorted(nemesis.done.items()))
        print(f"         {done}; {sum(w.streams for w in watchers)} watch streams")
        answered = sum("end" in call for call in calls)
        if answered < SECONDS * 5:
            raise Failure(f"only {answered} of {len(calls)} calls were answered")

    def agree(self):
        door = Door(self.cluster)
        answers = [door.post(node, "maintenance/hashkv", {"revision": "0"}) for node in range(3)]
        found = {(a["hash"], a["header"]["revision"]) for a in answers}
        return len(found) == 1

    def check(self, history):
        program = tripod_cluster.program("history_check", self.cluster.preset)
        with open(history, "rb") as lines:
            done = subprocess.run([program], stdin=lines, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{history}:\n{done.stdout[-4000:]}{done.stderr}")
        print(f"         {done.stdout.strip()}")


def small_disk(t, path):
    """A file system of its own at `path`, removed after the test."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "tripod-chaos", path],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"mount {path}: {done.stderr}")
    t.cleanups.callback(subprocess.run, ["umount", "-l", path], check=False)


def test_partitions_pauses_kills_and_a_full_disk(t):
    if reason := why_not():
        print(f"         not here: {reason}")
        return
    lab = t.cleanups.enter_context(Lab(3))
    cluster = members(lab, t.folder / "lab", t.cluster.preset, {("etcd", "watch-progress-notify-interval"): "300ms"})
    small_disk(t, cluster.stores[2].data)
    t.cleanups.callback(cluster.destroy)
    for store in cluster.stores:
        store.start()
    chaos = Chaos(lab, cluster)
    t.cleanups.callback(chaos.over.set)
    t.cleanups.callback(chaos.peace.set)
    chaos.wait_healthy()
    chaos.go(t)
