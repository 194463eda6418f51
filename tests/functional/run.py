#!/usr/bin/env python3
"""tests/functional/run.py [STORY...] [--only TEST] [--preset release] [--topology T] [--keep] [--list]: runs the stories of
this folder against build/PRESET. A story's tests share one cluster; a failed test shows the ends of the boards' logs.
The last line is `N passed, N failed`."""

import argparse
import contextlib
import importlib
import inspect
import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import Failure, Harness, diagnostics, tripod_cluster  # noqa: E402

NOT_STORIES = {"harness", "netlab", "pair", "run", "workload"}
TEST_SECONDS_MAX = 240


def story_names():
    return sorted(p.stem for p in HERE.glob("*.py") if p.stem not in NOT_STORIES)


def tests_of(module):
    found = [(n, f) for n, f in vars(module).items() if n.startswith("test_") and inspect.isfunction(f)]
    found.sort(key=lambda item: item[1].__code__.co_firstlineno)
    for variant in getattr(module, "VARIANTS", [None]):
        for name, function in found:
            yield (f"{name}[{variant}]" if variant else name), function, variant


def topologies_of(module):
    return getattr(module, "TOPOLOGIES", ("stacked",))


class Run:
    def __init__(self, options):
        self.options, self.passed, self.failed = options, 0, []

    def story(self, name):
        module = importlib.import_module(name)
        tests = [t for t in tests_of(module) if not self.options.only or self.options.only in t[0]]
        if not tests:
            return
        folder = Path(tempfile.mkdtemp(prefix=f"tripod-{name}-"))
        cluster = tripod_cluster.Cluster(folder / "cluster", self.addresses(getattr(module, "BOARDS", 3)),
                                         self.options.preset, getattr(module, "OVERRIDES", None),
                                         self.options.topology or topologies_of(module)[0])
        print(f"{name}", flush=True)
        try:
            if self.attempt(name, "cluster starts", lambda: self.bring_up(module, cluster), cluster):
                for test, function, variant in tests:
                    self.one(name, test, function, variant, cluster, folder)
            else:
                self.failed += [f"{name}.{t[0]} (no cluster)" for t in tests]
        finally:
            self.leave(cluster, folder)

    def addresses(self, count):
        prefix = tripod_cluster.free_subnet()
        return [f"{prefix}{10 + n}" for n in range(1, count + 1)]

    def bring_up(self, module, cluster):
        cluster.prepare()
        if not getattr(module, "CLUSTER", True):
            return
        cluster.start()
        cluster.wait_ready(30)
        cluster.wait_balancer()
        if nodes := getattr(module, "NODES", 0):
            cluster.start_nodes(nodes)

    def one(self, story, test, function, variant, cluster, folder):
        harness = Harness(cluster, folder)
        if variant:
            harness.kubectl_name = variant

        def body():
            with harness.cleanups:
                function(harness)
        if self.attempt(story, test, body, cluster):
            self.passed += 1

    def attempt(self, story, test, body, cluster):
        begin = time.monotonic()
        signal.alarm(TEST_SECONDS_MAX)
        try:
            body()
        except Exception as error:  # noqa: BLE001 - every failure of a test is reported alike
            signal.alarm(0)
            self.failed.append(f"{story}.{test}")
            print(f"  FAILED {test} ({time.monotonic() - begin:.1f} s)")
            detail = str(error) if isinstance(error, Failure) else ""
            frames = traceback.format_exc() if not detail else "".join(
                traceback.format_list(traceback.extract_tb(error.__traceback__)[-4:]))
            print(frames + detail, diagnostics(cluster), sep="\n", flush=True)
            return False
        finally:
            signal.alarm(0)
        print(f"  ok     {test} ({time.monotonic() - begin:.1f} s)", flush=True)
        return True

    def leave(self, cluster, folder):
        if self.options.keep:
            print(f"  kept: {folder}")
            return
        with contextlib.suppress(Exception):
            cluster.stop()
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def on_alarm(_signal, _frame):
    raise TimeoutError(f"the test took longer than {TEST_SECONDS_MAX} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stories", nargs="*", metavar="STORY")
    parser.add_argument("--only", help="tests whose name contains this")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--topology", choices=tripod_cluster.TOPOLOGIES, help="only stories that can live on it")
    parser.add_argument("--keep", action="store_true", help="leave the cluster running, say where")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--summary", type=Path, help="write the counts there as JSON")
    options = parser.parse_args()
    names = [Path(s).stem for s in options.stories] or story_names()
    unknown = set(names) - set(story_names())
    if unknown:
        sys.exit(f"no such story: {', '.join(sorted(unknown))}")
    if options.list:
        for name in names:
            print(name, *[f"  {t[0]}" for t in tests_of(importlib.import_module(name))], sep="\n")
        return 0
    if options.topology:
        fit = [n for n in names if options.topology in topologies_of(importlib.import_module(n))]
        if options.stories and fit != names:
            sys.exit(f"not on topology {options.topology}: {', '.join(sorted(set(names) - set(fit)))}")
        names = fit
    signal.signal(signal.SIGALRM, on_alarm)
    run = Run(options)
    for name in names:
        run.story(name)
    for failure in run.failed:
        print(f"failed: {failure}")
    if options.summary:
        options.summary.write_text(json.dumps({"passed": run.passed, "failed": len(run.failed)}))
    print(f"{run.passed} passed, {len(run.failed)} failed")
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main())
