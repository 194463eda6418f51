"""What a member says over plain HTTP: health, version, metrics and the JSON gateway, with TLS client certificates."""

import base64
import http.client
import json
import re
import subprocess

from harness import run, tripod_cluster


def text(value):
    return base64.b64encode(value.encode()).decode()


def get(t, path, board=1, method="GET"):
    answer = t.etcd_http(method, path, board=board)
    return answer.status, answer.read().decode()


def test_health(t):
    for board in (1, 2, 3):
        for path in ("/health", "/health?serializable=true", "/health?exclude=NOSPACE"):
            assert get(t, path, board) == (200, '{"health":"true","reason":""}'), path
    assert get(t, "/health", method="POST") == (405, "Method Not Allowed\n")


def test_live_and_ready(t):
    checks = ["data_corruption", "linearizable_read", "non_learner", "serializable_read"]
    assert get(t, "/livez") == (200, "ok\n") and get(t, "/readyz") == (200, "ok\n")
    status, said = get(t, "/readyz?verbose")
    assert status == 200 and sorted(said.splitlines()) == [*(f"[+]{c} ok" for c in checks), "ok"], said
    assert get(t, "/livez?verbose") == (200, "[+]serializable_read ok\nok\n")
    status, said = get(t, "/readyz?verbose&exclude=non_learner")
    assert status == 200 and "non_learner" not in said, said
    for check in checks:
        assert get(t, f"/readyz/{check}") == (200, "ok\n"), check
    assert get(t, "/livez/serializable_read") == (200, "ok\n")
    assert get(t, "/readyz/nothing") == (404, "404 page not found\n")


def test_without_a_majority(t):
    for number in (2, 3):
        t.cluster.board(number).kill()
        t.cleanups.callback(t.cluster.board(number).start)
    t.eventually("it is not healthy", lambda: get(t, "/health") ==
                 (503, '{"health":"false","reason":"RAFT NO LEADER"}\n'), 30)
    assert get(t, "/health?serializable=true")[0] == 200
    assert get(t, "/livez") == (200, "ok\n")
    status, said = get(t, "/readyz")
    assert status == 503 and "[-]linearizable_read failed: " in said and "[+]serializable_read ok" in said, said
    status, answer = t.gateway("kv/range", {"key": text("a"), "serializable": True})
    assert status == 200, answer
    t.cleanups.close()
    t.cluster.wait_ready(30)


def test_version(t):
    status, said = get(t, "/version")
    version = json.loads(said)
    assert status == 200 and list(version) == ["etcdserver", "etcdcluster", "storage"], said
    assert re.fullmatch(r"3\.6\.\d+", version["etcdserver"]), version


# What etcd's own exposition is told by promtool, too: names that are not as Prometheus would have them.
REMARKS = r"(etcd_debugging_\w+|etcd_server_proposals_(applied|committed)_total|etcd_server_health_\w+) .*"
# etcd-mixin's alerts and dashboard: series, and labels that they select or group by.
MIXIN = [
    ("etcd_server_has_leader", ()), ("etcd_server_leader_changes_seen_total", ()),
    ("etcd_server_proposals_failed_total", ()), ("etcd_server_proposals_committed_total", ()),
    ("etcd_server_proposals_applied_total", ()), ("etcd_server_proposals_pending", ()),
    ("etcd_server_quota_backend_bytes", ()), ("etcd_network_peer_sent_failures_total", ("To",)),
    ("etcd_network_peer_round_trip_time_seconds_bucket", ("To", "le")),
    ("etcd_network_peer_sent_bytes_total", ("To",)), ("etcd_network_peer_received_bytes_total", ("From",)),
    ("etcd_network_client_grpc_received_bytes_total", ()), ("etcd_network_client_grpc_sent_bytes_total", ()),
    ("etcd_disk_wal_fsync_duration_seconds_bucket", ("le",)),
    ("etcd_disk_backend_commit_duration_seconds_bucket", ("le",)),
    ("etcd_mvcc_db_total_size_in_bytes", ()), ("etcd_mvcc_db_total_size_in_use_in_bytes", ()),
    ("grpc_server_started_total", ("grpc_service", "grpc_method", "grpc_type")),
    ("grpc_server_handled_total", ("grpc_service", "grpc_method", "grpc_type", "grpc_code")),
    ("grpc_server_handling_seconds_bucket", ("grpc_service", "grpc_method", "grpc_type", "le")),
    ("process_resident_memory_bytes", ()),
    # Kubernetes' dashboards, besides
    ("etcd_debugging_mvcc_keys_total", ()), ("etcd_debugging_mvcc_watcher_total", ()),
    ("etcd_debugging_mvcc_watch_stream_total", ()), ("etcd_debugging_mvcc_slow_watcher_total", ()),
    ("etcd_debugging_mvcc_events_total", ()), ("etcd_mvcc_put_total", ()), ("etcd_mvcc_range_total", ()),
    ("etcd_server_is_leader", ()), ("etcd_server_is_learner", ()), ("etcd_server_version", ("server_version",)),
]


def samples(exposition):
    """{name: [(labels, value)]}"""
    found = {}
    for line in exposition.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            found.setdefault(name, []).append((dict(re.findall(r'(\w+)="([^"]*)"', labels or "")), float(value)))
    return found


def value(found, name, **labels):
    return sum(v for have, v in found[name] if labels.items() <= have.items())


def test_metrics(t):
    t.etcdctl("put", "metrics/a", "1", boards=[1])
    before = samples(get(t, "/metrics")[1])
    for _ in range(3):
        t.etcdctl("put", "metrics/a", "x" * 1000, boards=[1])
    answer = t.etcd_http("GET", "/metrics")
    assert answer.getheader("Content-Type").startswith("text/plain; version=0.0.4"), answer.headers
    exposition = answer.read().decode()
    after = samples(exposition)

    def grown(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)
    put = {"grpc_service": "etcdserverpb.KV", "grpc_method": "Put", "grpc_type": "unary"}
    assert grown("grpc_server_started_total", **put) == 3
    assert grown("grpc_server_handled_total", grpc_code="OK", **put) == 3
    assert grown("grpc_server_handling_seconds_count", **put) == 3
    assert grown("etcd_mvcc_put_total") >= 3
    assert grown("etcd_network_client_grpc_received_bytes_total") >= 3000
    assert value(after, "etcd_server_has_leader") == 1
    for name, labels in MIXIN:
        assert name in after, f"{name} is missing"
        assert all(set(labels) <= have.keys() for have, _ in after[name]), (name, after[name])

    checked = subprocess.run([t.client("promtool"), "check", "metrics"], input=exposition, capture_output=True, text=True,
                             timeout=60)
    remarks = [r for r in (checked.stdout + checked.stderr).splitlines() if not re.fullmatch(REMARKS, r)]
    assert remarks == [] and checked.returncode in (0, 3), (checked.returncode, remarks)


def test_gateway_and_etcdctl_see_the_same(t):
    put = {"key": text("gateway/a"), "value": text("one")}
    status, answer = t.gateway("kv/put", put)
    assert status == 200 and set(answer) == {"header"}, answer
    assert t.etcdctl("get", "gateway/a", "--print-value-only", boards=[2]).out == "one\n"
    t.etcdctl("put", "gateway/b", "two", boards=[3])
    for names in (("range_end", "sort_order", "keys_only"), ("rangeEnd", "sortOrder", "keysOnly")):
        asked = dict(zip(names, (text("gateway0"), "DESCEND", True)))
        status, answer = t.gateway("kv/range", {"key": text("gateway/"), **asked}, board=2)
        assert [k["key"] for k in answer["kvs"]] == [text("gateway/b"), text("gateway/a")], answer
        assert answer["count"] == "2" and isinstance(answer["header"]["revision"], str), answer
    status, answer = t.gateway("kv/txn", {
        "compare": [{"key": text("gateway/a"), "target": "VERSION", "result": "GREATER", "version": "0"}],
        "success": [{"request_put": {**put, "prev_kv": True}}, {"requestRange": {"key": text("gateway/b")}}]})
    assert answer["succeeded"] is True, answer
    assert answer["responses"][0]["response_put"]["prev_kv"]["value"] == text("one"), answer
    assert answer["responses"][1]["response_range"]["kvs"][0]["value"] == text("two"), answer
    status, answer = t.gateway("kv/deleterange", {"key": text("gateway/"), "range_end": text("gateway0")})
    assert answer["deleted"] == "2", answer
    status, answer = t.gateway("kv/compaction", {"revision": answer["header"]["revision"], "physical": True})
    assert status == 200, answer


def test_gateway_leases_members_and_maintenance(t):
    status, granted = t.gateway("lease/grant", {"TTL": 60})
    assert status == 200 and granted["TTL"] == "60", granted
    status, left = t.gateway("lease/timetolive", {"ID": granted["ID"], "keys": True}, board=2)
    assert left["grantedTTL"] == "60", left
    status, kept = t.gateway("lease/keepalive", {"ID": granted["ID"]}, board=3)
    assert kept["result"]["TTL"] == "60", kept
    assert granted["ID"] in [n["ID"] for n in t.gateway("lease/leases", {})[1]["leases"]]
    assert t.gateway("lease/revoke", {"ID": granted["ID"]})[0] == 200
    members = t.gateway("cluster/member/list", {})[1]["members"]
    assert sorted(m["name"] for m in members) == ["board-1", "board-2", "board-3"], members
    assert all(m["clientURLs"] and m["peerURLs"] for m in members), members
    status, answer = t.gateway("maintenance/status", {})
    assert int(answer["dbSize"]) > 0 and answer["version"].startswith("3.6."), answer
    assert t.gateway("maintenance/alarm", {"action": "GET"})[0] == 200
    assert isinstance(t.gateway("maintenance/hashkv", {})[1]["hash"], int)


# Every path of etcd's proto files.
PATHS = """kv/range kv/put kv/deleterange kv/txn kv/compaction watch lease/grant lease/revoke kv/lease/revoke
lease/keepalive lease/timetolive kv/lease/timetolive lease/leases kv/lease/leases cluster/member/add
cluster/member/remove cluster/member/update cluster/member/list cluster/member/promote maintenance/alarm
maintenance/status maintenance/defragment maintenance/hash maintenance/hashkv maintenance/snapshot
maintenance/transfer-leadership maintenance/downgrade auth/enable auth/disable auth/status auth/authenticate auth/user/add
auth/user/get auth/user/list auth/user/delete auth/user/changepw auth/user/grant auth/user/revoke auth/role/add
auth/role/get auth/role/list auth/role/delete auth/role/grant auth/role/revoke lock/lock lock/unlock election/campaign
election/proclaim election/leader election/observe election/resign""".split()


def test_gateway_has_every_path(t):
    for path in PATHS:
        # A body that no message takes: nothing is called. 501 is the word for a method that is missing.
        answer = t.etcd_http("POST", f"/v3/{path}", "[1]")
        said = json.loads(answer.read())
        assert answer.status in (400, 501), (path, answer.status, said)
        assert answer.status == 501 or "unexpected token [" in json.dumps(said), (path, said)


def test_gateway_streams_a_snapshot(t):
    answer = t.etcd_http("POST", "/v3/maintenance/snapshot", {})
    blobs = [base64.b64decode(json.loads(line)["result"].get("blob", "")) for line in answer]
    assert sum(map(len, blobs)) > 4096, [len(b) for b in blobs]


def test_gateway_errors(t):
    cases = [
        ("kv/range", {}, 400, 3, "etcdserver: key is not provided"),
        ("kv/range", {"key": text("a"), "revision": "1000000"}, 400, 11,
         "etcdserver: mvcc: required revision is a future revision"),
        ("lease/revoke", {"ID": "77"}, 404, 5, "etcdserver: requested lease not found"),
        ("kv/range", {"key": "*"}, 400, 3, 'proto: invalid value for bytes field key: "*"'),
        ("nothing", {}, 404, 5, "Not Found"),
    ]
    for path, body, http_status, code, message in cases:
        status, answer = t.gateway(path, body)
        assert (status, answer) == (http_status, {"code": code, "message": message}), (path, answer)
    assert t.gateway("kv/range", "{")[0] == 400
    assert t.etcd_http("GET", "/v3/kv/range").status == 501
    status, answer = t.gateway("kv/put", {"key": text("big"), "value": text("x" * 1_600_000)})
    assert (status, answer["message"]) == (400, "etcdserver: request is too large"), answer


def test_gateway_watch(t):
    first = t.etcdctl("put", "stream/a", "1", "-w", "json").json()["header"]["revision"]
    wanted = {"create_request": {"key": text("stream/"), "range_end": text("stream0"), "start_revision": str(first)}}
    stream = t.etcd_http("POST", "/v3/watch", json.dumps(wanted) + '{"progress_request": {}}', board=2)
    assert stream.status == 200
    created = json.loads(stream.readline())["result"]
    assert created["created"] is True and "watch_id" not in created, created
    event = json.loads(stream.readline())["result"]["events"][0]
    assert "type" not in event and event["kv"]["value"] == text("1"), event
    t.etcdctl("del", "stream/a", boards=[3])
    for line in iter(stream.readline, b""):
        answer = json.loads(line)["result"]
        if "events" in answer:
            break
        assert answer["watch_id"] == "-1", answer  # progress of the whole stream
    assert answer["events"][0]["type"] == "DELETE", answer


def test_the_same_over_http2(t):
    done = run(["curl", "-s", "--http2", "--cacert", t.cluster.pki / "etcd-ca.crt", "--cert",
                t.cluster.pki / "etcd-client.crt", "--key", t.cluster.pki / "etcd-client.key", "-w", " %{http_version}",
                f"{t.cluster.board(2).client_url}/v3/kv/range", "-d", json.dumps({"key": text("stream/a")})])
    assert done.out.endswith(" 2") and '"revision"' in done.out, done


PLAIN = """[node]
name = plain
roles = etcd
data-dir = {folder}
[etcd]
name = plain
listen-client-urls = http://{address}:2379
listen-metrics-urls = http://{address}:2381
advertise-client-urls = http://{address}:2379
listen-peer-urls = http://{address}:2380
initial-advertise-peer-urls = http://{address}:2380
initial-cluster = plain=http://{address}:2380
[metrics]
listen = 127.0.0.1:0
"""


def test_listen_metrics_urls(t):
    address = t.cluster.addresses[0].rpartition(".")[0] + ".31"
    folder = t.folder / "plain"
    folder.mkdir()
    config = t.write("plain.ini", PLAIN.format(folder=folder, address=address))
    member = tripod_cluster.Process("plain", t.folder, [t.cluster.binary, "run", "--config", config], config)
    member.start()
    t.cleanups.callback(member.stop)

    def plain(path):
        connection = http.client.HTTPConnection(address, 2381, timeout=5)
        t.cleanups.callback(connection.close)
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    t.eventually("it is healthy", lambda: plain("/health") == '{"health":"true","reason":""}')
    assert "etcd_server_has_leader 1" in plain("/metrics")
    assert plain("/v3/kv/range") == "404 page not found\n"
