#!/usr/bin/env python3
"""tests/qemu/run.py [STORY...] [--only TEST] [--all] [--keep] [--list]: runs the stories of this folder: images, cards, and
emulated boards that start from them. Without names those that take minutes together; `--all` adds those on request. Needs
build/release and build/aarch64 (boards_mixed: build/armhf, too). The last line is `N passed, N failed`.

Beside the names of tests/functional a story may have OPTIONS (of the emulated boards), WAIT = False (a test waits for the boards
itself), ON_REQUEST = True and TEST_SECONDS_MAX.
"""

import argparse
import importlib
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent / "functional")
sys.path.append(str(HERE))

import run as functional  # noqa: E402 - the runner of tests/functional, whose harness these stories use
import emulated_boards  # noqa: E402

NOT_STORIES = {"run", "segment", "cluster_checks", "update_steps"}
TEST_SECONDS_MAX = 420  # software emulation on a busy machine
BOOT_SECONDS = 240


class Run(functional.Run):
    def story(self, name):
        module = importlib.import_module(name)
        tests = [t for t in functional.tests_of(module) if not self.options.only or self.options.only in t[0]]
        if not tests:
            return
        functional.TEST_SECONDS_MAX = getattr(module, "TEST_SECONDS_MAX", TEST_SECONDS_MAX)
        folder = Path(tempfile.mkdtemp(prefix=f"tripod-{name}-"))
        cluster = emulated_boards.EmulatedCluster(folder / "cluster", options=getattr(module, "OPTIONS", None))
        print(name, flush=True)
        try:
            if self.attempt(name, "boards start", lambda: self.bring_up(module, cluster), cluster):
                for test, function, variant in tests:
                    self.one(name, test, function, variant, cluster, folder)
            else:
                self.failed += [f"{name}.{t[0]} (no boards)" for t in tests]
        finally:
            self.leave(cluster, folder)

    def bring_up(self, module, cluster):
        if not getattr(module, "CLUSTER", True):
            return
        cluster.prepare()
        cluster.start()
        if not getattr(module, "WAIT", True):
            return
        cluster.wait_ready(BOOT_SECONDS)
        cluster.wait_balancer()

    def leave(self, cluster, folder):
        if self.options.keep:
            print(f"  kept: {folder}")
            return
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stories", nargs="*", metavar="STORY")
    parser.add_argument("--only", help="tests whose name contains this")
    parser.add_argument("--all", action="store_true", help="also the stories on request, which take long")
    parser.add_argument("--keep", action="store_true", help="leave the boards running, say where")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--summary", type=Path, help="write the counts there as JSON")
    options = parser.parse_args()
    known = sorted(p.stem for p in HERE.glob("*.py") if p.stem not in NOT_STORIES)
    by_default = [n for n in known if options.all or not getattr(importlib.import_module(n), "ON_REQUEST", False)]
    names = [Path(s).stem for s in options.stories] or (known if options.list else by_default)
    if unknown := set(names) - set(known):
        sys.exit(f"no such story: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if options.list:
        for name in names:
            tests = functional.tests_of(importlib.import_module(name))
            print(name if name in by_default else f"{name} (on request)", *[f"  {t[0]}" for t in tests], sep="\n")
        return 0
    signal.signal(signal.SIGALRM, functional.on_alarm)
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
