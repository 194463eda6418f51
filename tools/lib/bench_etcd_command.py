"""tools/bench etcd: tripod's member beside the real etcd. Three members each, in turn on this machine, with the same
certificates, load generator and file system; alternating runs, medians, ratios."""

import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import tripod_cluster  # noqa: E402
from measure import cpu_seconds, written_bytes  # noqa: E402

SIDES = {"tripod": "external-tripod", "etcd": "external"}
MANY = ["--clients=1000", "--connections=100"]
SLOW_CARD = str(Path(__file__).with_name("slow_card.py"))
RUN_SECONDS_MAX = 300


class Load:
    def __init__(self, what, *arguments, everywhere=False):
        self.what, self.arguments, self.everywhere = what, arguments, everywhere

    def counted(self):
        return any(a.startswith("--operations") for a in self.arguments)


# In this order on one cluster: the last one leaves 100,000 keys behind.
LOADS = {
    "put-1": Load("put 256 B, 1 client", "put"),
    "put-1000": Load("put, 1,000 clients, to the leader", "put", *MANY),
    "put-1000-all": Load("put, 1,000 clients, to all members", "put", *MANY, everywhere=True),
    "get-1": Load("linearizable get, 1 client", "get"),
    "get-1000": Load("linearizable get, 1,000 clients", "get", *MANY),
    "get-1000-serializable": Load("serializable get, 1,000 clients", "get", *MANY, "--serializable"),
    "mix": Load("80 % lists of 100 keys, 20 % puts, 50 clients, 10 watches", "mix", "--clients=50", "--connections=10"),
    "list": Load("range of 10,000 keys, 2 clients", "list", "--clients=2", "--connections=2"),
    "watch": Load("1,000 watches of one prefix, 1,000 events", "watch", "--clients=1000", "--connections=10",
                  "--operations=1000"),
    "lease": Load("lease renewals, 5,000 leases on 10 streams", "lease", "--clients=5000", "--connections=10"),
    "fill": Load("100,000 keys written, 1,000 clients", "put", *MANY, "--keys=100000", "--operations=100000"),
}


def note(text):
    print(text, file=sys.stderr, flush=True)


class Members:
    """Three members of one side, alive inside `with`."""

    def __init__(self, side, folder, syncs):
        addresses = [f"{tripod_cluster.free_subnet()}{n}" for n in (11, 12, 13)]
        self.cluster = tripod_cluster.Cluster(folder, addresses, topology=SIDES[side])
        self.syncs = syncs

    def __enter__(self):
        self.cluster.prepare()
        for store in self.cluster.stores:
            if self.syncs:
                store.launcher = [sys.executable, SLOW_CARD, str(self.syncs)]
            store.start()
        self.cluster.wait_ready(60, self.cluster.stores)
        return self

    def __exit__(self, *_):
        self.cluster.stop()
        self.cluster.destroy()

    def leader(self):
        def find():
            shown = subprocess.run([tripod_cluster.peer("etcdctl"), "endpoint", "status", "-w", "json"], check=True,
                                   capture_output=True, env=os.environ | self.cluster.etcdctl_environment())
            for each in json.loads(shown.stdout):
                if each["Status"]["leader"] == each["Status"]["header"]["member_id"]:
                    return each["Endpoint"].removeprefix("https://")
            return None
        return tripod_cluster.wait_for("a leader", find, 30)

    def endpoints(self, everywhere):
        if everywhere:
            return ",".join(s.client_url.removeprefix("https://") for s in self.cluster.stores)
        return self.leader()

    def used(self):
        pids = [s.pid() for s in self.cluster.stores]
        if not all(pids):
            raise tripod_cluster.ClusterError("a member ended")
        return sum(map(cpu_seconds, pids)), sum(map(written_bytes, pids))

    def run(self, load, seconds):
        """The generator's figures, and what all members used while it measured."""
        pki = self.cluster.pki
        command = [tripod_cluster.program("etcd-load"), *load.arguments, f"--seconds={seconds}",
                   f"--endpoints={self.endpoints(load.everywhere)}", f"--cacert={pki}/etcd-ca.crt",
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
            raise tripod_cluster.ClusterError(f"{load.what}: exit code {code}: {result}")
        thousands = result["operations"] / 1000
        return result | {
            "cpu": (after[0] - before[0]) / thousands,
            "written": (after[1] - before[1]) / result["operations"],
            "resident": max(s.resident_bytes() for s in self.cluster.stores) / 2**20,
        }


# Title of a column, figure of a run, how it is printed.
COLUMNS = [("operations/s", "throughput", "{:,.0f}"), ("p50 ms", "p50_ms", "{:.2f}"), ("p99 ms", "p99_ms", "{:.2f}"),
           ("CPU s / 1,000", "cpu", "{:.4f}"), ("bytes written / op", "written", "{:,.0f}"),
           ("resident MiB", "resident", "{:.0f}")]


def cell(runs, figure, form):
    ours, theirs = (statistics.median(r[figure] for r in runs[side]) for side in SIDES)
    ratio = f"**{ours / theirs:.2f}**" if theirs > 0 else "-"
    return f"{form.format(ours)} / {form.format(theirs)} = {ratio}"


def table(results):
    lines = ["| load (tripod / etcd = ratio) | " + " | ".join(c[0] for c in COLUMNS) + " |",
             "|---" * (len(COLUMNS) + 1) + "|"]
    for name, runs in results.items():
        if all(runs[side] for side in SIDES):
            cells = [cell(runs, figure, form) for _, figure, form in COLUMNS]
            lines.append(f"| {LOADS[name].what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def version_of_etcd():
    shown = subprocess.run([tripod_cluster.peer("etcd"), "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.splitlines()[0].removeprefix("etcd Version: ")


def heading(options):
    speed = f", {options.syncs} syncs a second a member" if options.syncs else ""
    return (f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, {os.cpu_count()} cores, "
            f"load average {os.getloadavg()[0]:.1f}; etcd {version_of_etcd()}; three members a side, TLS with client "
            f"certificates; medians of {options.rounds} rounds, {options.seconds} s a load{speed}.")


def one_round(number, side, names, options, results):
    folder = Path(options.dir) / side
    shutil.rmtree(folder, ignore_errors=True)
    with Members(side, folder, options.syncs) as members:
        for name in names:
            run = members.run(LOADS[name], options.seconds)
            results[name][side].append(run)
            note(f"  round {number} {side:6} {name:22} {run['throughput']:10,.0f}/s  p99 {run['p99_ms']:8.2f} ms")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench etcd", description=__doc__,
                                     epilog="loads: " + ", ".join(LOADS))
    parser.add_argument("--only", action="append", choices=LOADS, metavar="LOAD", help="may be given more than once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each load that is not counted in operations")
    parser.add_argument("--syncs", type=int, default=0, help="fdatasyncs a second each member's storage does; 0: any")
    parser.add_argument("--dir", default=tripod_cluster.ROOT / "build/bench", help="where both sides keep their data")
    parser.add_argument("--json", type=Path, help="write all runs there")
    options = parser.parse_args()
    names = [n for n in LOADS if n in options.only] if options.only else list(LOADS)
    results = {name: {side: [] for side in SIDES} for name in names}
    with contextlib.suppress(KeyboardInterrupt):
        for number in range(1, options.rounds + 1):
            # Whoever goes first goes second next time.
            for side in list(SIDES)[:: 1 if number % 2 else -1]:
                one_round(number, side, names, options, results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    print(heading(options), table(results), sep="\n\n")


if __name__ == "__main__":
    try:
        main()
    except tripod_cluster.ClusterError as error:
        sys.exit(f"tools/bench: {error}")
