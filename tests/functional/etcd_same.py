"""One suite of API calls (etcd_api/) against three real etcd and against three of tripod's members: the same answers, field by
field. What differs on purpose stands in etcd_api/differences.py with its reason; anything else fails."""

import json
import subprocess
import sys

from harness import DEBIAN_PYTHON, ROOT, Failure, tripod_cluster
from pair import start, start_both

sys.path.insert(0, str(ROOT / "tests/functional/etcd_api"))
from compare import differences  # noqa: E402
from differences import sort_out  # noqa: E402

CLUSTER = False
BOARDS = 1
TOPOLOGIES = ("external-tripod",)
OVERRIDES = {("etcd", "watch-progress-notify-interval"): "1s"}
SUITE = ROOT / "tests/functional/etcd_api/main.py"
STEPS_MIN = 950
SUITE_SECONDS_MAX = 200


def begin(t, cluster, name, *more):
    """The suite against one cluster, which goes on in the background."""
    output = t.folder / f"{name}.json"
    endpoints = ",".join(f"{s.address}:{tripod_cluster.CLIENT_PORT}" for s in cluster.stores)
    command = [DEBIAN_PYTHON, SUITE, "--endpoints", endpoints, "--pki", cluster.pki, "-o", output, *more]
    child = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    t.cleanups.callback(child.kill)
    return child, output


def steps_of(child, output):
    said, _ = child.communicate(timeout=SUITE_SECONDS_MAX)
    if child.returncode != 0:
        raise Failure(f"the suite ended with {child.returncode}:\n{said}")
    steps = json.loads(output.read_text())
    broken = [s for s in steps if s["where"].endswith("/broke")]
    if broken:
        raise Failure("\n".join(f"{s['where']}: {s['answer']}" for s in broken))
    return steps


def test_answers_are_those_of_etcd(t):
    # The older of the two names of that flag.
    real, ours = start_both(t, {("etcd", "experimental-watch-progress-notify-interval"): "1s"})
    runs = [begin(t, real, "etcd"), begin(t, ours, "tripod")]
    etcd, tripod = [steps_of(*run) for run in runs]
    assert len(etcd) >= STEPS_MIN, len(etcd)
    found = differences(etcd, tripod)
    unexplained, idle = sort_out(found)
    steps = len({where for where, *_ in found})
    print(f"    {len(etcd)} answers compared; {len(found) - len(unexplained)} fields in {steps} of them differ with a reason")
    problems = [f"{where}: {place}: etcd {theirs!r}, tripod {ours!r}" for where, place, theirs, ours in unexplained]
    problems += [f"no difference any more, take it out: {row[0]}, {row[1]}: {row[3]}" for row in idle]
    assert not problems, "\n" + "\n".join(problems)


def test_what_etcd_does_not_survive(t):
    """Requests of which etcd 3.5 dies or after which its members differ: tripod refuses them, and all members agree."""
    start(t, t.cluster)
    for step in steps_of(*begin(t, t.cluster, "beyond", "--only", "beyond")):
        expected = step["answer"].pop("expected")
        assert step["answer"] == expected, (step["where"], step["answer"], expected)
