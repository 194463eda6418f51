"""The parts of tools/bench etcd: each measures both sides in turn and makes a table of ratios."""

import os
import re
import statistics
import subprocess
import sys
import time

import tripod_cluster
from bench_members import SIDES, Members
from measure import written_bytes

MANY = ["--clients=1000", "--connections=100"]


def note(text):
    print(text, file=sys.stderr, flush=True)


class Load:
    def __init__(self, what, *arguments, everywhere=False):
        self.what, self.arguments, self.everywhere = what, arguments, everywhere


# In this order on one cluster: the last one leaves 100,000 keys behind.
LOADS = {
    "put-1": Load("put 256 B, 1 client", "put"),
    "put-1000": Load("put, 1,000 clients, to the leader", "put", *MANY),
    "put-1000-all": Load("put, 1,000 clients, to all members", "put", *MANY, everywhere=True),
    "get-1": Load("linearizable get, 1 client", "get", "--keys=1000"),
    "get-1000": Load("linearizable get, 1,000 clients", "get", *MANY),
    "get-1000-serializable": Load("serializable get, 1,000 clients", "get", *MANY, "--serializable"),
    "mix": Load("80 % lists of 100 keys, 20 % puts, 50 clients, 10 watches", "mix", "--clients=50", "--connections=10"),
    "list": Load("range of 10,000 keys, 2 clients", "list", "--clients=2", "--connections=2"),
    "watch": Load("1,000 watches of one prefix, 1,000 events", "watch", "--clients=1000", "--connections=10",
                  "--operations=1000"),
    "lease": Load("lease renewals, 5,000 leases on 10 streams", "lease", "--clients=5000", "--connections=10"),
    "fill": Load("100,000 keys written, 1,000 clients", "put", *MANY, "--keys=100000", "--operations=100000"),
}
SLOW_LOADS = {
    "put-1": Load("1 client", "put"),
    "put-100": Load("100 clients", "put", "--clients=100", "--connections=10"),
    "put-1000": Load("1,000 clients", "put", *MANY),
}
SLOW_SYNCS = (100, 500)

# Title of a column, figure of a run, how it is printed.
SPEED = [("operations/s", "throughput", "{:,.0f}"), ("p50 ms", "p50_ms", "{:.2f}"), ("p99 ms", "p99_ms", "{:.2f}")]
COLUMNS = [*SPEED, ("CPU s / 1,000", "cpu", "{:.4f}"), ("bytes written / op", "written", "{:,.0f}"),
           ("resident MiB", "resident", "{:.0f}")]


class Table:
    """Rows of runs of both sides; a cell is the medians and their ratio."""

    def __init__(self, title, first_column, columns):
        self.title, self.first_column, self.columns = title, first_column, columns
        self.rows = {}

    def add(self, row, side, figures):
        self.rows.setdefault(row, {name: [] for name in SIDES})[side].append(figures)

    def cell(self, runs, figure, form):
        found = [[run[figure] for run in runs[side] if figure in run] for side in SIDES]
        if not all(found):
            return ""
        ours, theirs = map(statistics.median, found)
        ratio = f"**{ours / theirs:.2f}**" if theirs > 0 else "-"
        return f"{form.format(ours)} / {form.format(theirs)} = {ratio}"

    def __str__(self):
        lines = [f"## {self.title}", "", f"| {self.first_column} (tripod / etcd = ratio) | " +
                 " | ".join(c[0] for c in self.columns) + " |", "|---" * (len(self.columns) + 1) + "|"]
        for row, runs in self.rows.items():
            if all(runs.values()):
                cells = [self.cell(runs, figure, form) for _, figure, form in self.columns]
                lines.append(f"| {row} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def in_turn(rounds):
    """(round, side): whoever goes first goes second next time."""
    for number in range(1, rounds + 1):
        for side in list(SIDES)[:: 1 if number % 2 else -1]:
            yield number, side


def run_load(members, load, options, where):
    run = members.run(load.what, [*load.arguments, f"--seconds={options.seconds}"], load.everywhere)
    note(f"  {where} {load.what:58} {run['throughput']:10,.0f}/s  p99 {run['p99_ms']:8.2f} ms")
    return run


def loads_part(options):
    table = Table("Loads", "load", COLUMNS)
    names = [n for n in LOADS if n in options.only] if options.only else list(LOADS)
    for number, side in in_turn(options.rounds):
        with Members(side, options.dir, options.syncs, options.first) as members:
            for name in names:
                table.add(LOADS[name].what, side, run_load(members, LOADS[name], options, f"round {number} {side:6}"))
    return [table]


def slow_part(options):
    """A put of one client is one sync of a majority, so it cannot be faster than the card; many share one."""
    tables = []
    for syncs in SLOW_SYNCS:
        title = f"Puts of 256 B to the leader on storage that does {syncs} syncs a second"
        table = Table(title, "clients", COLUMNS[:5])
        for number, side in in_turn(min(options.rounds, 2)):
            with Members(side, options.dir, syncs, options.first) as members:
                for load in SLOW_LOADS.values():
                    where = f"{syncs} syncs/s, round {number} {side:6}"
                    table.add(load.what, side, run_load(members, load, options, where))
        tables.append(table)
    return tables


def growth_part(options):
    """The same cluster with ever more keys in it."""
    sizes = [n for n in (1_000, 10_000, 100_000, 300_000, 1_000_000) if n <= options.keys_max]
    table = Table("Growth: keys of 256 B in the store", "keys", [
        ("put/s, 1,000 clients", "put", "{:,.0f}"), ("get/s, 1,000 clients", "get", "{:,.0f}"),
        ("get p50 ms, 1 client", "get_1", "{:.2f}"), ("resident MiB", "resident", "{:.0f}"),
        ("state file MiB", "file", "{:.0f}")])
    for side in SIDES:
        with Members(side, options.dir, 0, options.first) as members:
            for keys in sizes:
                fill = members.run("fill", ["put", *MANY, f"--keys={keys}", f"--operations={keys}"])
                get = members.run("get", ["get", *MANY, f"--keys={keys}", "--keep", f"--seconds={options.seconds}"])
                one = members.run("get", ["get", f"--keys={keys}", "--keep", "--seconds=1"])
                size = max(status["dbSize"] for status in members.statuses().values()) / 2**20
                table.add(f"{keys:,}", side, {"put": fill["throughput"], "get": get["throughput"],
                                              "get_1": one["p50_ms"], "resident": members.resident_mib(), "file": size})
                note(f"  {side:6} {keys:9,} keys: {fill['throughput']:,.0f} puts/s, {members.resident_mib():.0f} MiB")
    return [table]


def catch_up(members, entries, value_bytes):
    """A follower that was away while so much was written: seconds until it has it, and what that costs it."""
    behind = members.follower()
    behind.stop()
    others = ",".join(s.client_url.removeprefix("https://") for s in members.stores if s is not behind)
    pki = members.cluster.pki
    subprocess.run([str(tripod_cluster.program("etcd-load")), "put", f"--value-bytes={value_bytes}", "--clients=1000",
                    "--connections=100", "--keys=1000000", f"--operations={entries}", f"--endpoints={others}",
                    f"--cacert={pki}/etcd-ca.crt", f"--cert={pki}/etcd-client.crt", f"--key={pki}/etcd-client.key"],
                   check=True, stdout=subprocess.DEVNULL)
    wanted = max(int(s["header"]["revision"]) for s in members.statuses().values())
    resident_max = 0

    def has_all():
        nonlocal resident_max
        if not behind.pid():
            raise tripod_cluster.ClusterError(f"{behind.name} ended; its log ends with\n{behind.log_tail()}")
        status = members.statuses().get(behind.client_url)
        resident_max = max(resident_max, behind.resident_bytes())
        return status is not None and int(status["header"]["revision"]) >= wanted

    started = time.monotonic()
    members.start(behind)
    tripod_cluster.wait_for("the member catches up", has_all, 120, poll=0.05)
    return {"seconds": time.monotonic() - started, "resident": resident_max / 2**20,
            "written": written_bytes(behind.pid()) / 2**20}


def snapshot(members):
    """`etcdctl snapshot save` of what is there then."""
    leader = members.leader()
    started = time.monotonic()
    target = members.folder / "snapshot.db"
    members.etcdctl([leader], "snapshot", "save", target)
    return {"seconds": time.monotonic() - started, "resident": leader.resident_bytes() / 2**20,
            "written": target.stat().st_size / 2**20}


def catch_up_part(options):
    entries, value_bytes = options.behind_mib * 256, 4096
    what = f"{options.behind_mib} MiB of values of 4 KiB"
    if options.behind_revisions:
        entries, value_bytes = options.behind_revisions, 256
        what = f"{entries:,} revisions of 256 B"
    table = Table("Behind", "what", [("seconds", "seconds", "{:.2f}"), ("resident MiB at most", "resident", "{:.0f}"),
                                     ("MiB written", "written", "{:.0f}")])
    for number, side in in_turn(min(options.rounds, 2)):
        with Members(side, options.dir, 0, options.first) as members:
            figures = catch_up(members, entries, value_bytes)
            note(f"  round {number} {side:6} {what} behind: {figures['seconds']:.2f} s")
            table.add(f"a member that was away for {what}, from its start", side, figures)
            table.add("`etcdctl snapshot save` of them, size of the file", side, snapshot(members))
    return [table]


CHECK_SECONDS = 60  # whatever the load


def check_perf(members, load, seconds_max=180):
    """What `etcdctl check perf` says; that it says FAIL is no error here."""
    done = subprocess.run([tripod_cluster.peer("etcdctl"), "check", "perf", f"--load={load}", "--auto-compact"],
                          capture_output=True, text=True, timeout=seconds_max, check=False,
                          env=os.environ | members.cluster.etcdctl_environment(members.stores))
    said = done.stdout + done.stderr
    found = [re.search(form, said) for form in (r"hroughput (?:is|too low:) ([\d.]+) writes/s",
                                                r"request took (?:too long: )?([\d.]+)s",
                                                r"tddev (?:is|too high:) ([\d.]+)s")]
    if not all(found):
        raise tripod_cluster.ClusterError(f"etcdctl check perf: exit code {done.returncode}: {said[-500:]}")
    return dict(zip(("throughput", "slowest", "deviation"), (float(each[1]) for each in found), strict=True))


def check_part(options):
    """Of the loads, l is 500 clients with a connection each that want 8,000 writes a second: most of a small machine."""
    table = Table("`etcdctl check perf`, to all members", "load", [
        ("writes/s", "throughput", "{:,.0f}"), ("slowest s", "slowest", "{:.2f}"), ("stddev s", "deviation", "{:.3f}"),
        ("CPU s / 1,000", "cpu", "{:.4f}"), ("resident MiB", "resident", "{:.0f}")])
    for number, side in in_turn(min(options.rounds, 2)):
        with Members(side, options.dir, 0, options.first) as members:
            cpu, _ = members.used()
            run = check_perf(members, options.check_load)
            cpu = members.used()[0] - cpu
            note(f"  round {number} {side:6} {run['throughput']:,.0f}/s, slowest {run['slowest']:.2f} s")
            table.add(f"--load={options.check_load}", side, run | {
                "cpu": cpu / (run["throughput"] * CHECK_SECONDS / 1000), "resident": members.resident_mib()})
    return [table]


def idle_part(options):
    """Nobody asks anything."""
    table = Table("Idle, each of three members", "what", [
        ("kB written a minute", "written", "{:,.1f}"), ("CPU, % of a core", "cpu", "{:.2f}"),
        ("resident MiB", "resident", "{:.0f}")])
    for side in SIDES:
        with Members(side, options.dir, 0, options.first) as members:
            members.leader()
            cpu, written = members.used()
            started = time.monotonic()
            time.sleep(options.idle_seconds)
            cpu_after, written_after = members.used()
            seconds = time.monotonic() - started
            table.add(f"{options.idle_seconds} s", side, {
                "written": (written_after - written) / 1000 / 3 / seconds * 60,
                "cpu": (cpu_after - cpu) / 3 / seconds * 100, "resident": members.resident_mib()})
    return [table]


PARTS = {"loads": loads_part, "slow": slow_part, "growth": growth_part, "behind": catch_up_part,
         "check": check_part, "idle": idle_part}
