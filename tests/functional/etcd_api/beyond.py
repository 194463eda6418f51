"""What cannot be asked of etcd 3.5.30, and how tripod answers. Each step carries what is expected."""

from kv import fill, put

COMPACTED = {"code": "OUT_OF_RANGE", "text": "etcdserver: mvcc: required revision has been compacted"}
FUTURE = {"code": "OUT_OF_RANGE", "text": "etcdserver: mvcc: required revision is a future revision"}
SORT = {"code": "INVALID_ARGUMENT", "text": "etcdserver: invalid sort option"}


def expect(s, label, expected, method, request):
    s.call(label, method, request, clean=lambda answer: {**answer, "expected": expected})


def everywhere(s, label, revision):
    """All members have the same, and nothing of what was refused."""
    for at in range(1, len(s.endpoints) + 1):
        answer = s.ask("KV/Range", {"key": "z/", "range_end": "z0"}, at=at)
        found = {"revision": answer["header"]["revision"] - revision, "kvs": answer.get("kvs", [])}
        s.record(f"{label}, member {at}", "KV/Range", {}, {**found, "expected": {"revision": 0, "kvs": []}})


def test_sort_target_that_is_none(s):
    """etcd panics."""
    fill(s)
    for order in ("NONE", "ASCEND"):
        expect(s, order, SORT, "KV/Range", {"key": "r/", "range_end": "r0", "sort_order": order, "sort_target": 5})
    s.ask("KV/DeleteRange", {"key": "r/", "range_end": "r0"})


def test_alarm_action_that_is_none(s):
    """etcd panics."""
    expect(s, "action 9", {"header": {"cluster_id": "cluster", "member_id": "member 1", "revision": "+0", "raft_term": "term"}},
           "Maintenance/Alarm", {"action": 9})


def test_transaction_with_a_range_it_cannot_serve(s):
    """etcd's member that is asked refuses, the others apply what else is in it: their key spaces differ from then on."""
    first = put(s, "a", "1")["header"]["revision"]
    put(s, "a", "2")
    s.ask("KV/Compact", {"revision": first + 1, "physical": True})
    revision = put(s, "a", "3")["header"]["revision"]
    write = {"request_put": {"key": "z/x", "value": "x"}}
    expect(s, "compacted", COMPACTED, "KV/Txn", {"success": [{"request_range": {"key": "a", "revision": first}}, write]})
    expect(s, "future", FUTURE, "KV/Txn", {"success": [write, {"request_range": {"key": "a", "revision": revision + 9}}]})
    everywhere(s, "afterwards", revision)
