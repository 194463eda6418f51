"""Two client libraries that know nothing of tripod, Debian's python3-etcd3 and npm's etcd3, with TLS client certificates against one
and three members: all that each offers, and a member killed under it. `--topology external` runs the same against real etcd."""

import json
import os
import subprocess
import threading

from harness import DEBIAN_PYTHON, ROOT, Failure, run, tripod_cluster

CLUSTER = False
BOARDS = 1
TOPOLOGIES = ("external-tripod", "external")
CLIENTS = ROOT / "tests/functional/etcd_clients"
CASES = {"python": 7, "node": 9}


def started(t, stores):
    for store in stores:
        store.start()
        t.cleanups.callback(store.stop)
    t.cluster.wait_ready(30, stores)


def command(t, language, endpoints, *more):
    program = [DEBIAN_PYTHON, CLIENTS / "python_etcd3.py"] if language == "python" else ["node", CLIENTS / "node_etcd3.js"]
    pki = t.cluster.pki
    return [str(c) for c in [*program, endpoints, pki / "etcd-ca.crt", pki / "etcd-client.crt", pki / "etcd-client.key", *more]]


def environment(t):
    return {"NODE_PATH": str(t.client("node_modules")), "GRPC_VERBOSITY": "ERROR"}


def address(store):
    return f"{store.address}:{tripod_cluster.CLIENT_PORT}"


def passes(t, language, endpoints):
    done = run(command(t, language, endpoints), env=environment(t), timeout=90)
    assert done.out.count("ok ") == CASES[language], done


def test_python_with_three_members(t):
    started(t, t.cluster.stores)
    # This library knows one address; the second member's is as good as any.
    passes(t, "python", address(t.cluster.stores[1]))


def test_node_with_three_members(t):
    started(t, t.cluster.stores)
    passes(t, "node", ",".join(address(s) for s in t.cluster.stores))


def test_node_while_members_are_killed(t):
    started(t, t.cluster.stores)
    child = subprocess.Popen(command(t, "node", ",".join(address(s) for s in t.cluster.stores), "failover"),
                             env={**os.environ, **environment(t)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    t.cleanups.callback(child.kill)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(iter(child.stdout.readline, "")), daemon=True)
    reader.start()

    def acknowledged():
        counts = [int(line.split()[1]) for line in list(lines) if line.startswith("acknowledged ")]
        if child.poll() is not None:
            raise Failure("".join(lines))
        return max(counts, default=0)
    for store in t.cluster.stores:
        before = acknowledged()
        t.eventually("it puts", lambda n=before: acknowledged() >= n + 20, 30)
        store.kill()
        before = acknowledged()
        t.eventually(f"it goes on without {store.name}", lambda n=before: acknowledged() >= n + 20, 30)
        store.start()
        t.cluster.wait_ready(30, [store])
    child.stdin.close()
    child.wait(30)
    reader.join(5)
    result = json.loads(lines[-1])
    assert result["acknowledged"] >= 120 and result["lost"] == [] and result["disordered"] == [], (result, lines[-20:])


def test_one_member(t):
    """Its own cluster of one, on the first address."""
    alone = t.cluster.stores[0]
    lone = tripod_cluster.Cluster(t.folder / "lone", t.cluster.addresses, t.cluster.preset, topology=t.cluster.topology,
                                  overrides={("etcd", "initial-cluster"): f"{alone.name}={alone.peer_url}"})
    lone.prepare()
    t.cleanups.callback(lone.destroy)
    store = lone.stores[0]
    store.start()
    t.cleanups.callback(store.stop)
    lone.wait_ready(30, [store])
    t.cluster, whole = lone, t.cluster
    try:
        passes(t, "python", address(store))
        passes(t, "node", address(store))
    finally:
        t.cluster = whole
