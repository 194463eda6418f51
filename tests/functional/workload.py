"""Client load with a memory: what was acknowledged, and what a watcher saw."""

import http.client
import json
import threading
import time
from urllib.parse import quote

from harness import Api, Failure


class Writer(threading.Thread):
    """Creates ConfigMaps NAME-0, NAME-1, ... one after the other and remembers the acknowledged ones. A name whose
    answer was lost is never used again: it may or may not be there."""

    def __init__(self, cluster, address, port, namespace, name, labels=None, timeout=5):
        super().__init__(daemon=True)
        self.api = Api(cluster, address, port, timeout)
        self.namespace, self.name, self.labels = namespace, name, labels or {}
        self.acknowledged, self.acknowledged_at, self.errors = [], [], []
        self.ending = threading.Event()

    def run(self):
        index = 0
        while not self.ending.is_set():
            name = f"{self.name}-{index}"
            index += 1
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": self.labels},
                    "data": {"index": str(index)}}
            try:
                status, answer = self.api.request("POST", f"/api/v1/namespaces/{self.namespace}/configmaps", body)
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(f"{name}: {error}")
                self.ending.wait(0.02)
                continue
            if status == 201:
                self.acknowledged.append(name)
                self.acknowledged_at.append(time.monotonic())
            else:
                self.errors.append(f"{name}: {status} {answer}")
                self.ending.wait(0.05)

    def finish(self):
        self.ending.set()
        self.join(30)
        self.api.close()
        return self.acknowledged

    def stall_after(self, moment):
        """Seconds from `moment` to the next acknowledged write, beside the one that was on its way."""
        later = [a for a in self.acknowledged_at if a > moment + 0.05]
        if not later:
            raise Failure(f"no write was acknowledged any more; last errors {self.errors[-3:]}")
        return later[0] - moment

    def longest_gap(self):
        times = self.acknowledged_at
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)


class PodHistory(threading.Thread):
    """Watches a namespace's pods from a board that stays up and keeps the most that were alive at once."""

    resource = "pods"

    def __init__(self, cluster, board, namespace):
        super().__init__(daemon=True)
        self.cluster, self.board, self.namespace = cluster, cluster.board(board), namespace
        self.connections = 0
        self.alive, self.created, self.most, self.error = set(), set(), 0, None
        self.began, self.ending = threading.Event(), False

    def run(self):
        version = None
        while not self.ending:
            try:
                version = self.follow(version)
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.1)  # a broken watch resumes from the last version, which loses nothing
            except Failure as error:
                self.error = error
                return

    def follow(self, version):
        path = f"/api/v1/namespaces/{self.namespace}/{self.resource}"
        self.connections += 1
        connection = http.client.HTTPSConnection(self.board.address, 6444, timeout=30, context=self.cluster.tls())
        try:
            if version is None:
                connection.request("GET", path)
                listing = json.loads(connection.getresponse().read())
                for pod in listing["items"]:
                    self.see("ADDED", pod)
                version = listing["metadata"]["resourceVersion"]
            connection.request("GET", f"{path}?watch=1&allowWatchBookmarks=true&resourceVersion={version}")
            answer = connection.getresponse()
            if answer.status != 200:
                raise ValueError(answer.read())
            self.began.set()
            while line := answer.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise Failure(f"the watch lost its place: {event}")
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self.see(event["type"], event["object"])
                if self.ending:
                    break
            return version
        finally:
            connection.close()

    def see(self, kind, pod):
        uid = pod["metadata"]["uid"]
        finished = pod.get("status", {}).get("phase") in ("Failed", "Succeeded")
        if kind == "DELETED" or finished or pod["metadata"].get("deletionTimestamp"):
            self.alive.discard(uid)
        else:
            self.alive.add(uid)
            self.created.add(uid)
        self.most = max(self.most, len(self.alive))

    def finish(self):
        self.ending = True
        if self.error:
            raise self.error
        return self


class ConfigMapHistory(PodHistory):
    """The same for ConfigMaps, event by event, as an informer on that board sees them."""

    resource = "configmaps"

    def __init__(self, cluster, board, namespace):
        super().__init__(cluster, board, namespace)
        self.events = []  # (type, name, resource version)

    def see(self, kind, item):
        self.events.append((kind, item["metadata"]["name"], int(item["metadata"]["resourceVersion"])))

    def added(self):
        return [name for kind, name, _ in list(self.events) if kind == "ADDED"]

    def check(self, acknowledged):
        """Every acknowledged creation was told once, in the order of the store."""
        added = self.added()
        twice = {name for name in added if added.count(name) > 1} if len(set(added)) < len(added) else set()
        if twice:
            raise Failure(f"{self.board.name} told twice of {sorted(twice)[:10]}")
        nothing_lost(acknowledged, set(added))
        versions = [version for _, _, version in self.events]
        if versions != sorted(versions):
            raise Failure(f"{self.board.name} told events out of order")


def present(t, namespace, board=None, selector=""):
    """The names of the ConfigMaps of a namespace."""
    names, token = set(), ""
    api = t.api(board, timeout=20)
    while True:
        status, listing = api.get(f"/api/v1/namespaces/{namespace}/configmaps?limit=500&continue={quote(token)}{selector}")
        if status != 200:
            raise Failure(f"list: {status} {listing}")
        names |= {item["metadata"]["name"] for item in listing["items"]}
        token = listing["metadata"].get("continue", "")
        if not token:
            return names


def nothing_lost(acknowledged, names):
    lost = [name for name in acknowledged if name not in names]
    if lost:
        raise Failure(f"{len(lost)} of {len(acknowledged)} acknowledged writes are lost: {lost[:10]}")
