"""KV: every option of Range, Put, DeleteRange, Txn and Compact, and what each refuses."""

import wire

EVERYTHING = {"key": "\0", "range_end": "\0"}


def put(s, key, value="", **more):
    return s.ask("KV/Put", {"key": key, "value": value, **more})


def revision(s):
    return s.ask("KV/Range", {"key": "none"})["header"]["revision"]


def fill(s):
    """Keys whose orders by key, version, creation, change and value all differ. Returns the revisions of all writes."""
    revisions = []
    for key, value in [("r/b", "3"), ("r/a", "5"), ("r/d", "1"), ("r/c", "4"), ("r/e", "2"), ("r/c", "0"), ("r/a", "9"),
                       ("r/a", "7"), ("r/b", "6")]:
        revisions.append(put(s, key, value)["header"]["revision"])
    s.ask("KV/DeleteRange", {"key": "r/e"})
    revisions.append(put(s, "r/e", "8")["header"]["revision"])
    return revisions


def test_range(s):
    revisions = fill(s)
    under = {"key": "r/", "range_end": "r0"}
    s.call("one key", "KV/Range", {"key": "r/a"})
    s.call("no such key", "KV/Range", {"key": "r/none"})
    s.call("no key", "KV/Range", {})
    s.call("no key, a range", "KV/Range", {"range_end": "z"})
    s.call("prefix", "KV/Range", under)
    s.call("half open", "KV/Range", {"key": "r/b", "range_end": "r/d"})
    s.call("end before begin", "KV/Range", {"key": "r/d", "range_end": "r/b"})
    s.call("end is begin", "KV/Range", {"key": "r/b", "range_end": "r/b"})
    s.call("from key on", "KV/Range", {"key": "r/c", "range_end": "\0"})
    s.call("everything", "KV/Range", EVERYTHING)
    s.call("end of two zeros", "KV/Range", {"key": "\0", "range_end": "\0\0"})
    s.call("a member that does not lead", "KV/Range", under, at=len(s.endpoints))
    s.call("serializable", "KV/Range", {**under, "serializable": True})
    s.call("keys only", "KV/Range", {**under, "keys_only": True})
    s.call("count only", "KV/Range", {**under, "count_only": True})
    s.call("count only with limit and sort", "KV/Range", {**under, "count_only": True, "limit": 2, "sort_order": "DESCEND"})
    s.call("keys and count only", "KV/Range", {**under, "count_only": True, "keys_only": True})
    for limit in (1, 2, 5, 6, -1, -7):
        s.call(f"limit {limit}", "KV/Range", {**under, "limit": limit})
    for at in [1, *revisions, -1, -5]:
        s.call(f"revision {at - revisions[0]}", "KV/Range", {**under, "revision": at})
        s.call(f"count at {at - revisions[0]}", "KV/Range", {**under, "revision": at, "count_only": True, "limit": 1})
    s.call("future", "KV/Range", {**under, "revision": revisions[-1] + 1})
    s.call("future, serializable", "KV/Range", {**under, "revision": revisions[-1] + 9, "serializable": True})
    s.call("future of one key that is not there", "KV/Range", {"key": "r/none", "revision": revisions[-1] + 1})
    return under, revisions


def test_range_orders(s):
    revisions = fill(s)
    under = {"key": "r/", "range_end": "r0"}
    for order in ("NONE", "ASCEND", "DESCEND"):
        for target in wire.ENUMS["SortTarget"]:
            how = {**under, "sort_order": order, "sort_target": target}
            s.call(f"{order} {target}", "KV/Range", how)
            s.call(f"{order} {target} limit 2", "KV/Range", {**how, "limit": 2})
        s.call(f"{order} past", "KV/Range", {**under, "sort_order": order, "sort_target": "MOD", "revision": revisions[6]})
        s.call(f"{order} keys only by value", "KV/Range", {**under, "sort_order": order, "sort_target": "VALUE",
                                                           "keys_only": True})
    s.call("order 3", "KV/Range", {**under, "sort_order": 3})
    s.call("order -1", "KV/Range", {**under, "sort_order": -1})
    # Not a target that is none: etcd 3.5 dies of it.


def test_range_filters(s):
    revisions = fill(s)
    under = {"key": "r/", "range_end": "r0"}
    low, high = revisions[2], revisions[7]
    for name in ("mod", "create"):
        least, most = f"min_{name}_revision", f"max_{name}_revision"
        s.call(f"min {name}", "KV/Range", {**under, least: low})
        s.call(f"max {name}", "KV/Range", {**under, most: high})
        s.call(f"{name} between", "KV/Range", {**under, least: low, most: high})
        s.call(f"{name} between, limit", "KV/Range", {**under, least: low, most: high, "limit": 1})
        s.call(f"{name} between, count", "KV/Range", {**under, least: low, most: high, "count_only": True})
        s.call(f"{name} crossed", "KV/Range", {**under, least: high, most: low})
        s.call(f"{name} negative", "KV/Range", {**under, least: -1, most: -1})
        s.call(f"min {name} of the future", "KV/Range", {**under, least: revisions[-1] + 100})
        s.call(f"{name} sorted", "KV/Range", {**under, least: low, "sort_order": "DESCEND", "sort_target": "MOD", "limit": 2})
        s.call(f"{name} in the past", "KV/Range", {**under, least: low, "revision": revisions[7], "keys_only": True})
    s.call("both", "KV/Range", {**under, "min_mod_revision": low, "max_create_revision": high})


def test_put(s):
    s.ask("Lease/LeaseGrant", {"TTL": 600, "ID": 1001})
    s.ask("Lease/LeaseGrant", {"TTL": 600, "ID": 1002})
    s.call("new", "KV/Put", {"key": "p/a", "value": "1"})
    s.call("no key", "KV/Put", {"value": "1"})
    s.call("no value", "KV/Put", {"key": "p/empty"})
    s.call("prev_kv of a new key", "KV/Put", {"key": "p/b", "value": "1", "prev_kv": True})
    s.call("prev_kv", "KV/Put", {"key": "p/b", "value": "2", "prev_kv": True, "lease": 1001})
    s.call("prev_kv with a lease", "KV/Put", {"key": "p/b", "value": "3", "prev_kv": True, "ignore_lease": True})
    s.call("lease kept", "KV/Range", {"key": "p/b"})
    s.call("ignore_value", "KV/Put", {"key": "p/b", "ignore_value": True, "lease": 1002, "prev_kv": True})
    s.call("value kept", "KV/Range", {"key": "p/b"})
    s.call("ignore both", "KV/Put", {"key": "p/b", "ignore_value": True, "ignore_lease": True, "prev_kv": True})
    s.call("ignore_value drops the lease", "KV/Put", {"key": "p/b", "ignore_value": True, "prev_kv": True})
    s.call("lease dropped", "KV/Range", {"key": "p/b"})
    s.call("ignore_value of no key", "KV/Put", {"key": "p/none", "ignore_value": True})
    s.call("ignore_lease of no key", "KV/Put", {"key": "p/none", "ignore_lease": True, "value": "x"})
    s.call("ignore_value with a value", "KV/Put", {"key": "p/b", "ignore_value": True, "value": "x"})
    s.call("ignore_lease with a lease", "KV/Put", {"key": "p/b", "ignore_lease": True, "lease": 1001})
    s.call("ignore_lease with no such lease", "KV/Put", {"key": "p/b", "ignore_lease": True, "lease": 4})
    s.call("no such lease", "KV/Put", {"key": "p/b", "value": "x", "lease": 4})
    s.call("a negative lease", "KV/Put", {"key": "p/b", "value": "x", "lease": -1})
    s.call("too large", "KV/Put", {"key": "p/large", "value": "x" * (1536 * 1024)})
    s.call("a little less", "KV/Put", {"key": "p/large", "value": "x" * (1536 * 1024 - 512)})
    s.call("far too large", "KV/Put", {"key": "p/large", "value": "x" * (2100 * 1024)})
    s.call("bytes", "KV/Put", {"key": b"p/\xff\x00\x80", "value": bytes(range(256))})
    s.call("bytes again", "KV/Range", {"key": b"p/\xff\x00\x80"})
    s.call("a long key", "KV/Put", {"key": "p/" + "k" * 5000, "value": "v"})
    s.call("all", "KV/Range", {"key": "p/", "range_end": "p0", "keys_only": True})
    for lease in (1001, 1002):
        s.ask("Lease/LeaseRevoke", {"ID": lease})


def test_delete(s):
    for n in range(6):
        put(s, f"d/{n}", f"v{n}")
    s.call("no key", "KV/DeleteRange", {})
    s.call("no key, a range", "KV/DeleteRange", {"range_end": "z"})
    s.call("no such key", "KV/DeleteRange", {"key": "d/none", "prev_kv": True})
    s.call("one", "KV/DeleteRange", {"key": "d/0"})
    s.call("again", "KV/DeleteRange", {"key": "d/0", "prev_kv": True})
    s.call("prev_kv", "KV/DeleteRange", {"key": "d/1", "prev_kv": True})
    s.call("range", "KV/DeleteRange", {"key": "d/2", "range_end": "d/4", "prev_kv": True})
    s.call("end before begin", "KV/DeleteRange", {"key": "d/9", "range_end": "d/0"})
    s.call("end is begin", "KV/DeleteRange", {"key": "d/5", "range_end": "d/5"})
    s.call("prefix", "KV/DeleteRange", {"key": "d/", "range_end": "d0"})
    s.call("nothing left", "KV/Range", {"key": "d/", "range_end": "d0"})
    s.call("made again", "KV/Put", {"key": "d/0", "value": "again"})
    s.call("version anew", "KV/Range", {"key": "d/0"})
    for n in range(3):
        put(s, f"~d/{n}", "v")
    s.call("from key on", "KV/DeleteRange", {"key": "~d/1", "range_end": "\0", "prev_kv": True})
    s.call("what is left", "KV/Range", {"key": "~d/", "range_end": "\0"})


def test_compact(s):
    revisions = fill(s)
    under = {"key": "r/", "range_end": "r0"}
    s.call("0", "KV/Compact", {})
    s.call("future", "KV/Compact", {"revision": revisions[-1] + 1})
    s.call("-1", "KV/Compact", {"revision": -1})
    s.call("a middle", "KV/Compact", {"revision": revisions[4]})
    s.call("the same", "KV/Compact", {"revision": revisions[4]})
    s.call("before", "KV/Compact", {"revision": revisions[2], "physical": True})
    for at in (3, 4, 5):
        s.call(f"range at {at}", "KV/Range", {**under, "revision": revisions[at]})
        s.call(f"count at {at}", "KV/Range", {**under, "revision": revisions[at], "count_only": True})
    s.call("one compacted key", "KV/Range", {"key": "r/none", "revision": revisions[3]})
    s.call("in a txn", "KV/Txn", {"success": [{"request_range": {**under, "revision": revisions[3]}}]})
    s.call("physical", "KV/Compact", {"revision": revisions[-1], "physical": True})
    s.call("afterwards", "KV/Range", under)
    s.call("at the compacted revision", "KV/Range", {**under, "revision": revisions[-1]})
    s.call("serializable, compacted", "KV/Range", {**under, "revision": revisions[-1] - 1, "serializable": True}, at=2)
    s.ask("KV/DeleteRange", {"key": "r/a"})
    gone = revision(s)
    put(s, "r/later", "x")
    s.call("where a key was deleted", "KV/Compact", {"revision": gone, "physical": True})
    s.call("after that", "KV/Range", under)
