"""tools/figures: measures the release build on this machine and prints the table of the README. Takes four minutes."""

import argparse
import contextlib
import os
import platform
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/functional"))

from harness import Harness, tripod_cluster, wait_for  # noqa: E402
from measure import cpu_seconds, written_bytes  # noqa: E402
from workload import Writer  # noqa: E402


def over(cluster, seconds):
    """(CPU share, bytes written per second) of the busiest board over that time."""
    pids = [b.pid() for b in cluster.boards]
    before = [(cpu_seconds(p), written_bytes(p)) for p in pids]
    time.sleep(seconds)  # measuring is the one thing that takes its time
    after = [(cpu_seconds(p), written_bytes(p)) for p in pids]
    return (max((a[0] - b[0]) / seconds for a, b in zip(after, before)),
            max((a[1] - b[1]) / seconds for a, b in zip(after, before)))


def resident(cluster):
    return max(b.resident_bytes() for b in cluster.boards)


def mib(value):
    return f"{value / 2**20:.1f} MiB"


class Figures:
    def __init__(self, seconds):
        self.seconds, self.rows = seconds, []

    def add(self, what, value, budget=""):
        self.rows.append((what, value, budget))
        print(f"  {what}: {value}", file=sys.stderr, flush=True)

    def table(self):
        print(f"| what ({platform.machine()}, {os.cpu_count()} cores, three boards on one machine) | measured | budget |")
        print("|---|---|---|")
        for row in self.rows:
            print("| " + " | ".join(row) + " |")

    def measure(self, folder):
        cluster = tripod_cluster.Cluster(folder / "cluster", [f"{tripod_cluster.free_subnet()}{n}" for n in (11, 12, 13)])
        self.add("binary, stripped", mib(cluster.binary.stat().st_size), "10 MiB")
        with contextlib.ExitStack() as stack:
            stack.callback(cluster.destroy)
            stack.callback(cluster.stop)
            cluster.prepare()
            cluster.start()
            cluster.wait_ready(60)
            harness = Harness(cluster, folder)
            stack.enter_context(harness.cleanups)
            self.idle(cluster)
            self.loaded(cluster, harness)
            self.starts(cluster)
            self.failovers(cluster, harness)

    def idle(self, cluster):
        time.sleep(20)  # elections and first lists are over
        cpu, written = over(cluster, self.seconds)
        self.add("flash written, idle, no nodes", f"{written / 1000:.1f} kB/s", "4 kB/s")
        self.add("CPU, idle, no nodes", f"{cpu * 100:.2f} % of a core", "")
        cluster.start_nodes(3)
        wait_for("three nodes", lambda: cluster.boards[0].get("/api/v1/nodes")[1].count('"kubeletVersion"') == 3, 30)
        time.sleep(10)
        cpu, written = over(cluster, self.seconds)
        self.add("resident memory of a board, 3 nodes", mib(resident(cluster)), "32 MiB")
        self.add("CPU, idle, 3 nodes", f"{cpu * 100:.2f} % of a core", "1 % of a Pi 4 core")
        self.add("flash written, idle, 3 nodes", f"{written / 1000:.1f} kB/s", "")

    def loaded(self, cluster, harness):
        cluster.nodes.stop()
        cluster.start_nodes(10)
        begin = time.monotonic()
        harness.kubectl("create", "deployment", "many", "--image=nginx", "--replicas=1000")
        harness.kubectl("rollout", "status", "deployment/many", "--timeout=180s", timeout=200)
        self.add("1,000 pods created, bound and Ready", f"{time.monotonic() - begin:.1f} s")
        self.add("resident memory of a board, 1,000 pods", mib(resident(cluster)), "64 MiB")
        harness.kubectl("delete", "deployment", "many")
        wait_for("no pods", lambda: '"items":[]' in cluster.boards[0].get(
            "/api/v1/namespaces/default/pods")[1].replace(" ", "").replace("\n", ""), 120)

    def starts(self, cluster):
        board = cluster.boards[2]
        board.stop()
        begin = time.monotonic()
        board.start()
        wait_for("readyz", board.ready, 30, poll=0.005)
        self.add("start to `/readyz`, data present", f"{time.monotonic() - begin:.2f} s", "1 s")
        cluster.stop()
        begin = time.monotonic()
        cluster.start()
        cluster.wait_ready(60)
        self.add("cold start of all three boards to `/readyz`", f"{time.monotonic() - begin:.2f} s")

    def failovers(self, cluster, harness):
        import ha_failover
        cluster.wait_balancer()
        leader = ha_failover.leader_beyond_the_balancer(harness)
        writer = Writer(cluster, cluster.addresses[0], tripod_cluster.BALANCER_PORT, "default", "figure")
        writer.start()
        wait_for("writes flow", lambda: len(writer.acknowledged) > 100, 30)
        moment = time.monotonic()
        cluster.board(leader).kill()
        wait_for("writes go on", lambda: writer.acknowledged_at[-1] > moment + 1, 30)
        self.add("write stall, etcd leader killed", f"{writer.stall_after(moment):.2f} s", "2 s")
        writer.finish()
        cluster.board(leader).start()
        cluster.wait_ready(60)
        for kind, end in (("killed", signal.SIGKILL), ("stopped", signal.SIGTERM)):
            holder = ha_failover.holder_beyond_the_balancer(harness)
            survivor = next(n for n in (2, 3) if n != holder)
            before = ha_failover.lease_holder(harness)[1]
            moment = time.monotonic()
            cluster.board(holder).send(end)
            wait_for("the lease moves", lambda s=survivor, b=before: ha_failover.lease_holder(
                harness, board=s)[1] not in ("", b), 40, poll=0.02)
            self.add(f"controller manager moves, holder {kind}", f"{time.monotonic() - moment:.2f} s",
                     "17 s" if end == signal.SIGKILL else "2 s")
            cluster.board(holder).stop()
            cluster.board(holder).start()
            cluster.wait_ready(60)


def main():
    parser = argparse.ArgumentParser(prog="tools/figures", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of each idle measurement")
    options = parser.parse_args()
    figures = Figures(options.seconds)
    with tempfile.TemporaryDirectory(prefix="tripod-figures-") as folder:
        figures.measure(Path(folder))
    figures.table()


if __name__ == "__main__":
    main()
