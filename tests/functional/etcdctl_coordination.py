"""Locks, elections and the longer commands of etcdctl against three members, over TLS with client certificates; and the
same locks and elections through the v3lock and v3election services."""

import base64
import http.client
import json

from harness import run, tripod_cluster


def text(value):
    return base64.b64encode(value.encode()).decode()


def succeed(t, path, body, board=1):
    status, answer = t.gateway(path, body, board)
    assert status == 200, (path, status, answer)
    return answer


def keys_under(t, prefix):
    return t.etcdctl("get", prefix, "--prefix", "--keys-only").out.split()


def test_lock_excludes_across_members(t):
    first = t.etcdctl_background("lock", "one", boards=[1])
    owner = first.wait_for_line("the lock", lambda line: line.startswith("one/"))
    second = t.etcdctl_background("lock", "one", boards=[2])
    t.eventually("the second waits", lambda: len(keys_under(t, "one/")) == 2)
    assert second.lines == [], second.lines
    first.child.terminate()
    got = second.wait_for_line("the lock", lambda line: line.startswith("one/"))
    assert got != owner
    second.child.terminate()
    t.eventually("both are gone", lambda: keys_under(t, "one/") == [])


def test_lock_runs_a_command(t):
    done = t.etcdctl("lock", "two", "--", "sh", "-c", "echo $ETCD_LOCK_KEY")
    assert done.out.startswith("two/"), done


def test_elect(t):
    first = t.etcdctl_background("elect", "chief", "p1", boards=[1])
    first.wait_for_line("the election", lambda line: line == "p1")
    observer = t.etcdctl_background("elect", "--listen", "chief", boards=[3])
    observer.wait_for_line("the leader", lambda line: line == "p1")
    second = t.etcdctl_background("elect", "chief", "p2", boards=[2])
    t.eventually("the second waits", lambda: len(keys_under(t, "chief/")) == 2)
    assert second.lines == [], second.lines
    first.child.terminate()
    second.wait_for_line("the election", lambda line: line == "p2")
    observer.wait_for_line("the new leader", lambda line: line == "p2")
    second.child.terminate()
    t.eventually("both are gone", lambda: keys_under(t, "chief/") == [])


def test_lock_service_and_etcdctl_exclude_each_other(t):
    lease = succeed(t, "lease/grant", {"TTL": 120})["ID"]
    key = succeed(t, "lock/lock", {"name": text("mixed"), "lease": lease}, board=2)["key"]
    assert base64.b64decode(key).decode() == f"mixed/{int(lease):x}"
    again = succeed(t, "lock/lock", {"name": text("mixed"), "lease": lease}, board=3)
    assert again["key"] == key, again
    waiting = t.etcdctl_background("lock", "mixed", boards=[1])
    t.eventually("etcdctl waits", lambda: len(keys_under(t, "mixed/")) == 2)
    assert waiting.lines == [], waiting.lines
    succeed(t, "lock/unlock", {"key": key}, board=3)
    waiting.wait_for_line("the lock", lambda line: line.startswith("mixed/"))
    waiting.child.terminate()
    status, answer = t.gateway("lock/lock", {"name": text("mixed"), "lease": 12345})
    assert (status, answer["message"]) == (500, "etcdserver: requested lease not found"), answer


def test_who_gives_up_waiting_for_a_lock_leaves_the_queue(t):
    lease = succeed(t, "lease/grant", {"TTL": 120})["ID"]
    other = succeed(t, "lease/grant", {"TTL": 120})["ID"]
    succeed(t, "lock/lock", {"name": text("impatient"), "lease": lease})
    connection = http.client.HTTPSConnection(t.cluster.board(2).address, tripod_cluster.CLIENT_PORT, timeout=15,
                                             context=t.cluster.etcd_tls())
    connection.request("POST", "/v3/lock/lock", json.dumps({"name": text("impatient"), "lease": other}))
    t.eventually("the second waits", lambda: len(keys_under(t, "impatient/")) == 2)
    connection.close()
    t.eventually("it is gone", lambda: keys_under(t, "impatient/") == [f"impatient/{int(lease):x}"])


def test_election_service(t):
    name = text("office")
    status, answer = t.gateway("election/leader", {"name": name})
    assert (status, answer["message"]) == (500, "election: no leader"), answer
    lease = succeed(t, "lease/grant", {"TTL": 120})["ID"]
    leader = succeed(t, "election/campaign", {"name": name, "value": text("a"), "lease": lease})["leader"]
    assert leader["lease"] == lease and leader["name"] == name, leader
    observer = t.etcdctl_background("elect", "--listen", "office", boards=[2])
    observer.wait_for_line("the leader", lambda line: line == "a")
    succeed(t, "election/proclaim", {"leader": leader, "value": text("b")}, board=3)
    observer.wait_for_line("the proclamation", lambda line: line == "b")
    seen = succeed(t, "election/leader", {"name": name}, board=2)["kv"]
    assert seen["value"] == text("b") and seen["key"] == leader["key"], seen
    stale = {**leader, "rev": "1"}
    status, answer = t.gateway("election/proclaim", {"leader": stale, "value": text("c")})
    assert (status, answer["message"]) == (500, "election: not leader"), answer
    succeed(t, "election/resign", {"leader": leader}, board=2)
    assert t.gateway("election/leader", {"name": name})[0] == 500
    status, answer = t.gateway("election/resign", {})
    assert answer["message"] == '"leader" field must be provided', answer


def test_observe_streams_each_leader(t):
    name = text("throne")
    lease = succeed(t, "lease/grant", {"TTL": 120})["ID"]
    leader = succeed(t, "election/campaign", {"name": name, "value": text("a"), "lease": lease})["leader"]
    stream = t.etcd_http("POST", "/v3/election/observe", {"name": name}, board=3)
    assert json.loads(stream.readline())["result"]["kv"]["value"] == text("a")
    succeed(t, "election/proclaim", {"leader": leader, "value": text("b")})
    assert json.loads(stream.readline())["result"]["kv"]["value"] == text("b")
    succeed(t, "election/resign", {"leader": leader})
    succeed(t, "election/campaign", {"name": name, "value": text("c"), "lease": lease})
    assert json.loads(stream.readline())["result"]["kv"]["value"] == text("c")


def test_make_mirror(t):
    for number in range(5):
        t.etcdctl("put", f"from/{number}", f"v{number}")
    member = t.cluster.board(2)
    tls = ["--dest-cacert", t.cluster.pki / "etcd-ca.crt", "--dest-cert", t.cluster.pki / "etcd-client.crt",
           "--dest-key", t.cluster.pki / "etcd-client.key"]
    t.etcdctl_background("make-mirror", "--prefix=from/", "--dest-prefix=to/", *tls,
                         f"{member.address}:{tripod_cluster.CLIENT_PORT}", boards=[1])
    t.eventually("the copy", lambda: len(keys_under(t, "to/")) == 5)
    t.etcdctl("put", "from/new", "later", boards=[3])
    t.eventually("the change", lambda: t.etcdctl("get", "to/new", "--print-value-only").out == "later\n")
    t.etcdctl("del", "from/0")
    t.eventually("the deletion", lambda: "to/0" not in keys_under(t, "to/"))


def test_check_perf(t):
    # It puts for a minute, whatever the load, and says FAIL on a machine of two cores. That it ends and tidies up, what it
    # wrote and its history, depends on the server alone: no call of it may time out.
    done = t.etcdctl("check", "perf", "--load=l", "--prefix=/perf/", "--auto-compact", timeout=240, check=False)
    assert "hroughput" in done.out and "tddev" in done.out, done
    assert "Compacted with revision" in done.out, done
    assert "error" not in (done.out + done.err).lower(), done
    assert keys_under(t, "/perf/") == []


PLAIN = """[node]
name = plain
roles = etcd
data-dir = {folder}
[etcd]
name = plain
listen-client-urls = {client}
advertise-client-urls = {client}
listen-peer-urls = {peer}
initial-advertise-peer-urls = {peer}
initial-cluster = plain={peer}
[metrics]
listen = 127.0.0.1:0
"""


def test_check_datascale(t):
    # etcdctl reads /metrics without a certificate of its own, so this needs a member without TLS.
    address = t.cluster.addresses[0].rpartition(".")[0] + ".31"
    folder = t.folder / "plain"
    folder.mkdir()
    client = f"http://{address}:{tripod_cluster.CLIENT_PORT}"
    config = t.write("plain.ini", PLAIN.format(folder=folder, client=client,
                                               peer=f"http://{address}:{tripod_cluster.PEER_PORT}"))
    member = tripod_cluster.Process("plain", t.folder, [t.cluster.binary, "run", "--config", config], config)
    member.start()
    t.cleanups.callback(member.stop)
    etcdctl = [t.client("etcdctl"), f"--endpoints={client}", "--command-timeout=60s"]
    t.eventually("the member leads", lambda: run([*etcdctl, "endpoint", "health"], check=False).code == 0)
    done = run([*etcdctl, "check", "datascale", "--load=s", "--prefix=/scale/", "--auto-compact"], timeout=120)
    assert "PASS: Approximate system memory used" in done.out, done
    assert run([*etcdctl, "get", "/scale/", "--prefix", "--keys-only"]).out.strip() == ""
