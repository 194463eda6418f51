"""The API servers on three real etcd: every one of these dies, hangs and comes back under load, and nobody notices much."""

import signal
import time

from harness import Failure, tripod_cluster
from workload import ConfigMapHistory, Writer, nothing_lost, present

NODES = 1
TOPOLOGIES = ("external", "external-tripod")
PREFIX = "/tripod.test"  # not the default one
OVERRIDES = {("apiserver", "etcd-compaction-interval"): "10s", ("apiserver", "etcd-prefix"): PREFIX}
LEASES = f"{PREFIX}/masterleases/"
SEEN = {}


def start_load(t, namespace):
    """A writer through the balancer, and an informer on each board."""
    histories = [ConfigMapHistory(t.cluster, board.number, namespace) for board in t.cluster.boards]
    for history in histories:
        history.start()
        t.cleanups.callback(setattr, history, "ending", True)
    for history in histories:
        if not history.began.wait(10):
            raise Failure("a watch does not begin")
    writer = Writer(t.cluster, t.cluster.addresses[0], tripod_cluster.BALANCER_PORT, namespace, "load", timeout=15)
    writer.start()
    t.cleanups.callback(writer.finish)
    progress(t, writer)
    return writer, histories


def progress(t, writer, count=30, timeout=30):
    before = len(writer.acknowledged)
    t.eventually("writes flow", lambda: len(writer.acknowledged) >= before + count, timeout)


def settle(t, namespace, writer, histories):
    """Every acknowledged write is there, and every informer was told of it once, without having to connect again."""
    acknowledged = writer.finish()
    for number in (1, 2, 3):
        nothing_lost(acknowledged, present(t, namespace, number))
    for history in histories:
        t.eventually(f"{history.board.name} tells everything", lambda h=history: set(acknowledged) <= set(h.added()))
        history.finish().check(acknowledged)
        assert history.connections == 1, f"the watch on {history.board.name} ended and was made again"


def come_back(t, number):
    store = t.cluster.member(number)
    store.start()
    t.cluster.wait_ready(30, [store])

    def caught_up():
        applied = {n: t.endpoint_status(n)["raftAppliedIndex"] for n in (1, 2, 3)}
        return max(applied.values()) - applied[number] < 200
    t.eventually(f"etcd {number} catches up", caught_up, 60)


def announced(t):
    found = t.etcdctl("get", LEASES, "--prefix", "-w", "json").json().get("kvs", [])
    return {kv["key"]: kv for kv in found}


def first_announcement(t):
    """When the keys were first seen in this cluster, and what they were."""
    if t.cluster not in SEEN:
        t.eventually("every API server announces itself", lambda: len(announced(t)) == 3)
        SEEN[t.cluster] = time.monotonic(), announced(t)
    return SEEN[t.cluster]


def test_deployment_lives_and_namespace_dies(t):
    first_announcement(t)
    namespace = t.namespace()
    watch = t.kubectl_background("get", "pods", "-w", "-n", namespace)
    t.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2", "-n", namespace)
    t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s", timeout=70)
    watch.wait_for_line("a running pod", lambda line: line.startswith("web-") and "Running" in line)
    t.kubectl("scale", "deployment/web", "--replicas=4", "-n", namespace)
    t.eventually("four pods", lambda: len(t.kubectl("get", "pods", "-n", namespace, "-o", "name").out.split()) == 4)
    t.kubectl("delete", "ns", namespace, "--timeout=60s", timeout=70)
    left = t.etcdctl("get", "/", "--prefix", "--keys-only").out.split()
    assert left and all(key.startswith(f"{PREFIX}/") for key in left), left
    assert not [key for key in left if f"/{namespace}/" in key], left


def test_every_etcd_killed_in_turn(t):
    namespace = t.namespace()
    writer, histories = start_load(t, namespace)
    for number in (1, 2, 3):
        t.cluster.member(number).kill()
        progress(t, writer)
        for board in (1, 2, 3):
            t.eventually(f"board {board} reads", lambda b=board: present(t, namespace, b), 20)
        come_back(t, number)
        progress(t, writer)
    settle(t, namespace, writer, histories)


def test_an_etcd_that_hangs_is_left(t):
    namespace = t.namespace()
    writer, histories = start_load(t, namespace)
    leader = t.leader()
    for number in (leader, leader % 3 + 1):
        store = t.cluster.member(number)
        t.cleanups.callback(store.send, signal.SIGCONT)
        store.send(signal.SIGSTOP)
        progress(t, writer)
        t.eventually("every board is ready", lambda: all(b.ready() for b in t.cluster.boards), 30)
        store.send(signal.SIGCONT)
        come_back(t, number)
    settle(t, namespace, writer, histories)


def test_history_is_compacted(t):
    """The interval of this cluster is 10 s; watches live on, as the tests before have shown."""
    first = t.kubectl("get", "ns", "kube-system", "-o", "jsonpath={.metadata.resourceVersion}").out

    def compacted():
        read = t.etcdctl("get", "any", f"--rev={first}", check=False)
        return "required revision has been compacted" in read.err
    t.eventually("old revisions are gone", compacted, 30, poll=0.5)


def test_the_announcement_costs_no_writes(t):
    """Each API server renews the lease of its key; the keys stay as they were first written."""
    begin, before = first_announcement(t)
    leases = {f"{kv['lease']:x}" for kv in before.values()}
    assert len(before) == len(leases) == 3, before

    def renewed():
        alive = [t.etcdctl("lease", "timetolive", i, "-w", "json").json() for i in leases]
        passed = time.monotonic() - begin
        return all(lease["ttl"] + passed > lease["granted-ttl"] + 2 for lease in alive)
    t.eventually("every lease is renewed", renewed, 60, poll=1)
    assert {k: v["mod_revision"] for k, v in announced(t).items()} == {
        k: v["mod_revision"] for k, v in before.items()}, "written again"
