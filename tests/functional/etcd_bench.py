"""The load generator of `tools/bench etcd`: plausible results, and an error is a failed run."""

import json
import subprocess

from harness import tripod_cluster

CLUSTER = False
BOARDS = 1
TOPOLOGIES = ("external-tripod",)


def load(t, *arguments, endpoint):
    """(exit code, result, whether it began to measure)."""
    pki = t.cluster.pki
    command = [tripod_cluster.program("etcd-load"), *arguments, "--endpoints", endpoint, "--cacert", pki / "etcd-ca.crt",
               "--cert", pki / "etcd-client.crt", "--key", pki / "etcd-client.key"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done
    return done.returncode, lines[-1], {"begin": True} in lines


def good(t, endpoint, *arguments):
    code, result, began = load(t, *arguments, endpoint=endpoint)
    assert code == 0 and began and result["errors"] == 0, result
    assert result["load"] == arguments[0] and result["throughput"] > 0, result
    assert 0 < result["p50_ms"] <= result["p99_ms"] <= result["max_ms"], result
    assert result["max_ms"] <= result["seconds"] * 1000 + 1, result
    return result


def lone_member(t):
    store = t.cluster.member(1)
    alone = {("etcd", "initial-cluster"): f"{store.name}={store.peer_url}"}
    store.config.write_text(tripod_cluster.render_ini(store.config.read_text(), alone))
    store.start()
    t.cluster.wait_ready(30, [store])
    return store


def test_loads_and_a_dead_endpoint(t):
    store = lone_member(t)
    endpoint = f"{store.address}:2379"
    written = good(t, endpoint, "put", "--clients=20", "--connections=4", "--operations=300", "--keys=150")
    assert written["operations"] == 300, written
    assert len(t.etcdctl("get", "bench/", "--prefix", "--keys-only", boards=[1]).out.split()) == 150
    read = good(t, endpoint, "get", "--clients=20", "--connections=4", "--operations=300", "--keys=150", "--keep")
    assert read["operations"] == 300, read
    listed = good(t, endpoint, "list", "--operations=10", "--keys=150", "--keep", "--serializable")
    assert listed["operations"] == 10, listed
    mixed = good(t, endpoint, "mix", "--clients=4", "--connections=2", "--operations=100", "--keys=150")
    assert mixed["operations"] == 100 and mixed["events"] > 0, mixed
    told = good(t, endpoint, "watch", "--clients=30", "--connections=3", "--operations=20")
    assert told["operations"] == 600, told
    renewed = good(t, endpoint, "lease", "--clients=30", "--connections=3", "--operations=90")
    assert renewed["operations"] >= 90, renewed

    # An answer that is not what it should be is an error: these keys were never written.
    code, result, _ = load(t, "get", "--operations=1000", "--keys=1000", "--keep", endpoint=endpoint)
    assert code == 1 and "0 keys in the answer, expected 1" in result["first_error"], result

    store.kill()
    code, result, began = load(t, "put", "--operations=10", endpoint=endpoint)
    assert code == 1 and result["errors"] == 1 and result["operations"] == 0 and not began, result
    assert "Unavailable" in result["first_error"], result
