"""tools/sim: hunts through seeds of tests/sim, one process for each few hundred of them."""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS_OF_A_PROCESS = 200  # what crashed in the simulation is never freed: megabytes a seed
SUMMARY = re.compile(r"^(\d+) seeds from (\d+): (.*): (good|VIOLATIONS)$", re.M)
COUNT = re.compile(r"(\d+) ([a-zA-Z][a-zA-Z -]*)")
ABORTED = re.compile(r"^aborted in seed (\d+)$", re.M)
FAILED = re.compile(r"^seed (\d+):.*\n(?:  VIOLATION .*\n?)+", re.M)
PLANTS = ("fsync", "vote", "stale", "watch")


class Hunt:
    """What was seen so far."""

    def __init__(self, program, first, extra):
        self.program, self.first, self.next, self.extra = program, first, first, extra
        self.begin = time.monotonic()
        self.done, self.counts, self.failures = 0, {}, []

    def hours(self):
        return (time.monotonic() - self.begin) / 3600

    def rate(self):
        return self.done / max(self.hours(), 1e-9)

    def batch(self, seeds):
        """Runs some seeds. When one ends the process, the next batch goes on behind it."""
        command = [self.program, "--seed", str(self.next), "--seeds", str(seeds), "--quiet", *self.extra]
        ran = subprocess.run(command, capture_output=True, text=True)
        self.failures += [(int(found.group(1)), found.group().rstrip()) for found in FAILED.finditer(ran.stdout)]
        summary = SUMMARY.search(ran.stdout)
        if summary:
            self.count(int(summary.group(1)), summary.group(3))
            return
        aborted = ABORTED.search(ran.stderr)
        if not aborted and "fatal: " not in ran.stderr:
            sys.exit(f"tools/sim: {' '.join(map(str, command))} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
        if aborted:
            seed = int(aborted.group(1))
            self.failures.append((seed, ran.stderr.strip()))
            self.done += seed - self.next + 1
            self.next = seed + 1
        elif seeds > 1:  # fatal() leaves without a word of the seed: look one by one
            for _ in range(seeds):
                self.batch(1)
                if self.failures:
                    return
        else:
            self.failures.append((self.next, ran.stderr.strip()))
            self.done += 1
            self.next += 1

    def count(self, seeds, text):
        self.done += seeds
        self.next += seeds
        for number, name in COUNT.findall(text):
            self.counts[name] = self.counts.get(name, 0) + int(number)

    def progress(self, end="\n"):
        hours = self.hours()
        print(f"{self.done} seeds from {self.first}, {len(self.failures)} failed, {hours * 60:.1f} minutes, "
              f"{self.rate():.0f} seeds an hour", end=end, file=sys.stderr, flush=True)

    def summary(self):
        for _, text in self.failures:
            print(text)
        seen = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        result = f"{len(self.failures)} FAILED" if self.failures else "all good"
        print(f"{self.done} seeds ({self.first} to {self.next - 1}) in {self.hours():.2f} hours, {self.rate():.0f} an "
              f"hour; {seen}: {result}")


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tools/sim", add_help=False)
    parser.add_argument("which", nargs="?", default="etcd", choices=["etcd", "raft"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--plant", choices=PLANTS)
    parser.add_argument("--quiet", action="store_true")
    return parser.parse_known_args(argv)


def hunt(options, program, extra):
    seen = Hunt(program, options.seed, extra)
    total = options.seeds or (500 if options.plant else None if options.minutes else 1)
    limit = seen.begin + options.minutes * 60 if options.minutes else None
    shown = seen.begin
    try:
        while (total is None or seen.done < total) and (limit is None or time.monotonic() < limit):
            seen.batch(min(20 if options.plant else SEEDS_OF_A_PROCESS, (total or 10**9) - seen.done))
            if options.plant and seen.failures:
                break
            if time.monotonic() - shown > (5 if sys.stderr.isatty() else 60):
                shown = time.monotonic()
                seen.progress(end="\r" if sys.stderr.isatty() else "\n")
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return seen


def hunt_among_cores(options):
    """A forgotten vote, which the Raft core's own simulation notices: (seed, what it said), or None."""
    program = ROOT / "build/release/tests/sim/raft/raft_sim"
    for seed in range(options.seed, options.seed + (options.seeds or 500)):
        ran = subprocess.run([program, "--seed", str(seed), "--fault", "vote", "--quiet"], capture_output=True, text=True)
        if ran.returncode != 0:
            return seed, (ran.stdout + ran.stderr).strip()
    return None


def main(argv):
    options, extra = arguments(argv)
    program = ROOT / f"build/release/tests/sim/{options.which}/{options.which}_sim"
    one = options.seeds is None and options.minutes is None and options.plant is None
    if one or options.which == "raft":
        return subprocess.run([program, *argv[argv[:1] == [options.which]:]]).returncode
    if options.plant:
        if options.plant == "vote":
            caught = hunt_among_cores(options)
        else:
            caught = next(iter(hunt(options, program, [*extra, "--plant", options.plant]).failures), None)
        if not caught:
            print(f"the planted bug ({options.plant}) was NOT caught in {options.seeds or 500} seeds")
            return 1
        seed, text = caught
        print(f"{text}\nthe planted bug ({options.plant}) was caught in seed {seed}, after {seed - options.seed + 1}")
        return 0
    seen = hunt(options, program, extra)
    seen.summary()
    return 1 if seen.failures else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
