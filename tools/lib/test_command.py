"""tools/test: builds what the chosen labels need, runs them, counts."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CTEST_LABELS = ["unit", "scenario", "sim", "fuzz-smoke", "lint"]
ON_REQUEST = ["qemu"]  # three emulated boards want a machine of their own
LABELS = [*CTEST_LABELS, "functional", "cross", *ON_REQUEST]
EMULATORS = {"aarch64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}


class Tally:
    def __init__(self):
        self.passed, self.failed = 0, []

    def add(self, name, good):
        if good:
            self.passed += 1
        else:
            self.failed.append(name)
        return good


def title(text):
    print(f"\n=== {text}", flush=True)


def build(tally, preset, *targets):
    title(f"build {preset}")
    done = subprocess.run([ROOT / "tools/build", preset, *targets])
    return tally.add(f"build {preset}", done.returncode == 0)


def run_ctest(tally, labels):
    if not build(tally, "dev"):
        return
    title(f"ctest {' '.join(labels)}")
    ctest = ["ctest", "--test-dir", ROOT / "build/dev", "-L", f"^({'|'.join(labels)})$"]
    listed = json.loads(subprocess.run([*ctest, "--show-only=json-v1"], capture_output=True, check=True).stdout)
    properties = [p for test in listed["tests"] for p in test["properties"] if p["name"] == "LABELS"]
    for label in set(labels) - {label for p in properties for label in p["value"]}:
        tally.add(f"no test with the label {label}", False)
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        subprocess.run([*ctest, "--output-on-failure", "-j", str(os.cpu_count()), "--output-junit", report.name])
        cases = ElementTree.parse(report.name).getroot().findall("testcase")
    for case in cases:
        tally.add(case.get("name"), case.get("status") == "run" and case.find("failure") is None)


def run_functional(tally):
    if not build(tally, "release", "tripod", "hollow-node", "etcd-load", "history_check"):
        return
    if bring_peers(tally):
        run_stories(tally, "functional")


def bring_peers(tally):
    title("clients and peers")
    return tally.add("tools/peers", subprocess.run([ROOT / "tools/peers"]).returncode == 0)


def run_stories(tally, folder):
    title(folder)
    with tempfile.NamedTemporaryFile(suffix=".json") as summary:
        subprocess.run([sys.executable, ROOT / f"tests/{folder}/run.py", "--summary", summary.name])
        text = Path(summary.name).read_text()
    counts = json.loads(text) if text else {"passed": 0, "failed": 1}
    tally.passed += counts["passed"]
    tally.failed += [folder] * counts["failed"]


def run_qemu(tally):
    if not build(tally, "release", "tripod", "hollow-node") or not build(tally, "aarch64", "tripod"):
        return
    title("image and emulator tools")
    ready = tally.add("tools/qemu", subprocess.run([ROOT / "tools/qemu", "install"]).returncode == 0)
    if ready and bring_peers(tally):
        run_stories(tally, "qemu")


def run_cross(tally):
    for preset, emulator in EMULATORS.items():
        if not build(tally, preset, "tripod", "hollow-node"):
            continue
        title(f"{emulator} tripod version")
        done = subprocess.run([emulator, ROOT / f"build/{preset}/firmware/tripod", "version"], capture_output=True,
                              text=True, timeout=60)
        print(done.stdout + done.stderr, end="")
        tally.add(f"tripod version on {preset}", done.returncode == 0 and re.search(r"\d+\.\d+\.\d+", done.stdout))


def main(labels):
    unknown = set(labels) - set(LABELS)
    if unknown:
        sys.exit(f"tools/test: no label {', '.join(sorted(unknown))}; there are {', '.join(LABELS)}")
    chosen = labels or [label for label in LABELS if label not in ON_REQUEST]
    begin, tally = time.monotonic(), Tally()
    if ctest := [label for label in CTEST_LABELS if label in chosen]:
        run_ctest(tally, ctest)
    if "functional" in chosen:
        run_functional(tally)
    if "cross" in chosen:
        run_cross(tally)
    if "qemu" in chosen:
        run_qemu(tally)
    title(f"{time.monotonic() - begin:.0f} s")
    for name in tally.failed:
        print(f"failed: {name}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed", flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
