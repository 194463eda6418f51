"""Three members of one side, tripod's or the real etcd's, for tools/bench: started alike, loaded by the same generator,
and what they use while it measures."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import tripod_cluster
from measure import cpu_seconds, written_bytes

SIDES = {"tripod": "external-tripod", "etcd": "external"}
SLOW_CARD = str(Path(__file__).with_name("slow_card.py"))
RUN_SECONDS_MAX = 300
# What else runs on the machine then waits: for comparing on one that is busy.
FIRST = ["chrt", "--fifo", "1"]


class Members:
    """Alive inside `with`. `syncs`: fdatasyncs a second that each one's storage does, 0 for any."""

    def __init__(self, side, folder, syncs=0, first=False):
        self.folder = Path(folder) / side
        shutil.rmtree(self.folder, ignore_errors=True)
        addresses = [f"{tripod_cluster.free_subnet()}{n}" for n in (11, 12, 13)]
        self.cluster = tripod_cluster.Cluster(self.folder, addresses, topology=SIDES[side])
        self.stores = self.cluster.stores
        self.launcher = (FIRST if first else []) + ([sys.executable, SLOW_CARD, str(syncs)] if syncs else [])
        self.generator = FIRST if first else []

    def __enter__(self):
        self.cluster.prepare()
        for store in self.stores:
            self.start(store)
        self.cluster.wait_ready(60, self.stores)
        return self

    def __exit__(self, *_):
        self.cluster.stop()
        self.cluster.destroy()

    def start(self, store):
        store.launcher = self.launcher
        store.start()

    def etcdctl(self, stores, *arguments):
        done = subprocess.run([tripod_cluster.peer("etcdctl"), *map(str, arguments)], capture_output=True, text=True,
                              env=os.environ | self.cluster.etcdctl_environment(stores), timeout=RUN_SECONDS_MAX)
        if done.returncode != 0:
            raise tripod_cluster.ClusterError(f"etcdctl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def statuses(self):
        """By client URL; of those that answer."""
        with contextlib.suppress(tripod_cluster.ClusterError, ValueError):
            alive = [s for s in self.stores if s.pid()]
            return {each["Endpoint"]: each["Status"] for each in
                    json.loads(self.etcdctl(alive, "endpoint", "status", "-w", "json"))}
        return {}

    def leader(self):
        def find():
            for store in self.stores:
                status = self.statuses().get(store.client_url, {"leader": 0})
                if status["leader"] and status["leader"] == status["header"]["member_id"]:
                    return store
            return None
        return tripod_cluster.wait_for("a leader", find, 30)

    def follower(self):
        leader = self.leader()
        return next(store for store in self.stores if store is not leader)

    def endpoints(self, everywhere):
        stores = self.stores if everywhere else [self.leader()]
        return ",".join(s.client_url.removeprefix("https://") for s in stores)

    def used(self):
        pids = [s.pid() for s in self.stores]
        if not all(pids):
            raise tripod_cluster.ClusterError("a member ended")
        return sum(map(cpu_seconds, pids)), sum(map(written_bytes, pids))

    def resident_mib(self):
        return max(s.resident_bytes() for s in self.stores if s.pid()) / 2**20

    def run(self, what, arguments, everywhere=False):
        """The generator's figures, and what all members used while it measured."""
        pki = self.cluster.pki
        command = [*self.generator, tripod_cluster.program("etcd-load"), *arguments,
                   f"--endpoints={self.endpoints(everywhere)}", f"--cacert={pki}/etcd-ca.crt",
                   f"--cert={pki}/etcd-client.crt", f"--key={pki}/etcd-client.key"]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as child:
            first = child.stdout.readline()
            before = self.used()
            rest = child.stdout.read()
            after = self.used()
            code = child.wait(RUN_SECONDS_MAX)
        lines = (first + rest).splitlines()
        result = json.loads(lines[-1]) if lines else {}
        if code != 0 or result.get("errors", 1) or len(lines) != 2:
            raise tripod_cluster.ClusterError(f"{what}: exit code {code}: {result}")
        thousands = result["operations"] / 1000
        return result | {"cpu": (after[0] - before[0]) / thousands,
                         "written": (after[1] - before[1]) / result["operations"], "resident": self.resident_mib()}
