"""Watch streams in all that etcd promises of them, message by message, through the JSON gateway over TLS."""

import base64
import http.client
import json

from harness import tripod_cluster

OVERRIDES = {("etcd", "watch-progress-notify-interval"): "300ms"}


def text(value):
    return base64.b64encode(value.encode()).decode()


class Stream:
    """One Watch stream: what it was asked, and its answers one by one."""

    def __init__(self, t, *requests, board=1, headers=None):
        self.connection = http.client.HTTPSConnection(t.cluster.board(board).address, tripod_cluster.CLIENT_PORT,
                                                      timeout=20, context=t.cluster.etcd_tls())
        t.cleanups.callback(self.connection.close)
        self.connection.request("POST", "/v3/watch", "\n".join(json.dumps(r) for r in requests), headers or {})
        self.answer = self.connection.getresponse()

    def next(self):
        return json.loads(self.answer.readline())

    def result(self):
        answer = self.next()
        assert "result" in answer, answer
        return answer["result"]

    def events(self):
        """The next answer that has some, of any watch."""
        while True:
            result = self.result()
            if "events" in result:
                return result


def create(key, **more):
    return {"create_request": {"key": text(key), **more}}


def put(t, key, value, board=1):
    status, answer = t.gateway("kv/put", {"key": text(key), "value": text(value)}, board=board)
    assert status == 200, answer
    return int(answer["header"]["revision"])


def test_many_watches_on_one_stream(t):
    begin = put(t, "many/0", "old")
    watches = [create(f"many/{n}", watch_id=str(n + 1), start_revision=str(begin)) for n in range(100)]
    stream = Stream(t, *watches, board=2)
    for n in range(100):
        put(t, f"many/{n}", str(n), board=1 + n % 3)
    created, seen = set(), {}
    while len(seen) < 100 or len(created) < 100:
        result = stream.result()
        watch = int(result["watch_id"])
        if result.get("created"):
            created.add(watch)
        for event in result.get("events", []):
            assert watch in created, "events before the watch was announced"
            seen.setdefault(watch, []).append(event["kv"]["value"])
    t.eventually("the first sees both", lambda: seen[1] == [text("old"), text("0")] or
                 seen[1].extend(e["kv"]["value"] for e in stream.events()["events"]))
    assert all(seen[n + 1] == [text(str(n))] for n in range(1, 100)), seen


def test_refusals(t):
    stream = Stream(t, create("r", watch_id="3"), create("r", watch_id="3"), create("r", range_end=text("a")),
                    create("r", start_revision="-1"), {}, {"cancel_request": {"watch_id": "3"}},
                    {"cancel_request": {"watch_id": "99"}}, create("r", watch_id="4"))
    assert stream.result()["watch_id"] == "3"
    for reason in ("mvcc: duplicate watch ID provided on the WatchStream", "mvcc: watcher range is empty",
                   "etcdserver: mvcc: required revision has been compacted"):
        refused = stream.result()
        assert refused["created"] and refused["canceled"] and refused["watch_id"] == "-1", refused
        assert refused["cancel_reason"] == reason, refused
    gone = stream.result()
    assert gone["canceled"] and gone["watch_id"] == "3" and "cancel_reason" not in gone, gone
    assert stream.result()["watch_id"] == "4"  # neither the empty request nor the unknown id had an answer


def test_compacted_start(t):
    first = put(t, "c", "1")
    last = [put(t, "c", str(n)) for n in (2, 3, 4)][-1]
    assert t.gateway("kv/compaction", {"revision": str(last)})[0] == 200
    stream = Stream(t, create("c", start_revision=str(first)))
    assert stream.result()["created"]
    ended = stream.result()
    assert ended["canceled"] and ended["compact_revision"] == str(last), ended


def test_filters_and_previous_values(t):
    begin = put(t, "f", "1")
    stream = Stream(t, create("f", watch_id="1", filters=["NOPUT"], prev_kv=True, start_revision=str(begin + 1)),
                    create("f", watch_id="2", filters=["NODELETE"], prev_kv=True, start_revision=str(begin + 1)))
    put(t, "f", "2")
    t.gateway("kv/deleterange", {"key": text("f")})
    put(t, "f", "3")
    seen = {"1": [], "2": []}
    while len(seen["1"]) + len(seen["2"]) < 3:
        result = stream.events()
        seen[result["watch_id"]] += result["events"]
    assert [(e["type"], e["prev_kv"]["value"]) for e in seen["1"]] == [("DELETE", text("2"))], seen
    assert [e["kv"]["value"] for e in seen["2"]] == [text("2"), text("3")], seen
    assert seen["2"][0]["prev_kv"]["value"] == text("1") and "prev_kv" not in seen["2"][1], seen


def test_start_in_the_future(t):
    now = put(t, "later", "now")
    stream = Stream(t, create("later", start_revision=str(now + 3), progress_notify=True))
    assert stream.result()["created"]
    for n in (1, 2):
        put(t, "later", f"too early {n}")
    # Nothing, not even progress, before it starts.
    put(t, "later", "in time")
    result = stream.result()
    assert [e["kv"]["value"] for e in result["events"]] == [text("in time")], result
    assert result["events"][0]["kv"]["mod_revision"] == str(now + 3), result


def test_progress_on_request_and_on_interval(t):
    asked = Stream(t, create("quiet/1"), create("quiet/2"), {"progress_request": {}}, board=2)
    for _ in range(2):
        assert asked.result()["created"]
    now = put(t, "other", "x")
    told = asked.result()
    assert told["watch_id"] == "-1" and int(told["header"]["revision"]) <= now and "events" not in told, told
    notified = Stream(t, create("quiet/3", progress_notify=True), board=3)
    assert notified.result()["created"]
    for _ in range(2):
        told = notified.result()
        assert "watch_id" not in told and "events" not in told, told
    at = put(t, "other", "y", board=1)
    t.eventually("progress follows the store", lambda: int(notified.result()["header"]["revision"]) >= at)


def test_large_answers_come_in_fragments(t):
    large = {n: str(n) * 700_000 for n in (1, 2)}

    def put_both():
        status, answer = t.gateway("kv/txn", {"success": [
            {"request_put": {"key": text(f"large/{n}"), "value": text(v[:500_000])}} for n, v in large.items()]})
        assert status == 200, answer
        return int(answer["header"]["revision"])
    put_both()
    begin = put_both()
    wanted = {"range_end": text("large0"), "prev_kv": True, "start_revision": str(begin)}
    whole = Stream(t, create("large/", **wanted)).events()
    assert len(whole["events"]) == 2 and "fragment" not in whole, whole.keys()
    small = Stream(t, create("large/", fragment=True, **wanted)).events()
    assert len(small["events"]) == 2 and "fragment" not in small, "within the limit it is one answer"
    begin = [t.gateway("kv/txn", {"success": [{"request_put": {"key": text(f"large/{n}"), "value": text(v)}}
                                              for n, v in large.items()]})[1] for _ in (1, 2)][-1]["header"]["revision"]
    stream = Stream(t, create("large/", fragment=True, **{**wanted, "start_revision": begin}))
    first, second = stream.events(), stream.events()
    assert first["fragment"] is True and "fragment" not in second, (first.keys(), second.keys())
    assert [len(part["events"]) for part in (first, second)] == [1, 1]
    assert first["header"]["revision"] == second["header"]["revision"]


def test_a_slow_watcher_misses_nothing(t):
    begin = put(t, "slow", "begin")
    stream = Stream(t, create("slow", start_revision=str(begin + 1)), board=1)
    assert stream.result()["created"]
    before = t.cluster.board(1).resident_bytes()
    count, size = 300, 100_000
    for n in range(count):
        put(t, "slow", f"{n:06}" + "x" * size, board=1 + n % 3)
    # It read nothing meanwhile; what it has to catch up with waits on disk.
    assert t.cluster.board(1).resident_bytes() - before < count * size / 2
    seen = []
    while len(seen) < count:
        seen += [base64.b64decode(e["kv"]["value"])[:6].decode() for e in stream.events()["events"]]
    assert seen == [f"{n:06}" for n in range(count)], seen


def test_require_leader(t):
    marked = {"Grpc-Metadata-Hasleader": "true"}
    strict = Stream(t, create("strict"), headers=marked)
    relaxed = Stream(t, create("relaxed"))
    assert strict.result()["created"] and relaxed.result()["created"]
    for number in (2, 3):
        t.cluster.board(number).kill()
        t.cleanups.callback(t.cluster.board(number).start)
    assert strict.next() == {"error": {"code": 14, "message": "etcdserver: no leader"}}
    refused = Stream(t, create("strict"), headers=marked)
    assert refused.answer.status == 503 and refused.next()["error"]["message"] == "etcdserver: no leader"
    for number in (2, 3):
        t.cluster.board(number).start()
    t.cluster.wait_ready(30)
    put(t, "relaxed", "after")
    assert relaxed.events()["events"][0]["kv"]["value"] == text("after")
