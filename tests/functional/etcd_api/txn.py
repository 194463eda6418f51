"""Txn: every comparison, both branches, nesting, and what it refuses."""

import wire
from kv import put


def target(name, key, value, result="EQUAL", **more):
    field = {"VERSION": "version", "CREATE": "create_revision", "MOD": "mod_revision", "VALUE": "value", "LEASE": "lease"}[name]
    return {"result": result, "target": name, "key": key, field: value, **more}


def test_compares(s):
    s.ask("Lease/LeaseGrant", {"TTL": 600, "ID": 1003})
    first = put(s, "t/a", "m")["header"]["revision"]
    put(s, "t/b", "m", lease=1003)
    last = put(s, "t/a", "m")["header"]["revision"]
    answers = {"success": [{"request_range": {"key": "t/a", "keys_only": True}}], "failure": []}
    numbers = {"VERSION": (1, 2, 3), "CREATE": (first - 1, first, first + 1), "MOD": (last - 1, last, last + 1),
               "VALUE": ("a", "m", "z"), "LEASE": (0, 1, -1)}
    for name, values in numbers.items():
        for result in wire.ENUMS["CompareResult"]:
            for place, value in enumerate(values):
                s.call(f"{name} {result} {place}", "KV/Txn", {"compare": [target(name, "t/a", value, result)], **answers})
            s.call(f"{name} {result} of no key", "KV/Txn", {"compare": [target(name, "t/none", values[0], result)], **answers})
            s.call(f"{name} {result} of a range", "KV/Txn",
                   {"compare": [target(name, "t/", values[1], result, range_end="t0")], **answers})
            s.call(f"{name} {result} of an empty range", "KV/Txn",
                   {"compare": [target(name, "u/", values[1], result, range_end="u0")], **answers})
    for version in (0, 1):
        s.call(f"absent as version {version}", "KV/Txn", {"compare": [target("VERSION", "t/none", version)], **answers})
        s.call(f"absent as create {version}", "KV/Txn", {"compare": [target("CREATE", "t/none", version)], **answers})
        s.call(f"absent as lease {version}", "KV/Txn", {"compare": [target("LEASE", "t/none", version)], **answers})
    s.call("absent has no value", "KV/Txn", {"compare": [target("VALUE", "t/none", "")], **answers})
    s.call("absent has no value, not equal", "KV/Txn", {"compare": [target("VALUE", "t/none", "", "NOT_EQUAL")], **answers})
    s.call("lease of a range", "KV/Txn", {"compare": [target("LEASE", "t/b", 1003, range_end="t/c")], **answers})
    s.call("all must hold", "KV/Txn", {"compare": [target("VERSION", "t/a", 2), target("VERSION", "t/b", 2)], **answers})
    s.call("no key", "KV/Txn", {"compare": [target("VERSION", "", 2)], **answers})
    s.call("no union member", "KV/Txn", {"compare": [{"target": "MOD", "key": "t/none"}], **answers})
    s.call("no value at all", "KV/Txn", {"compare": [{"target": "VALUE", "key": "t/a"}], **answers})
    s.call("member of another target", "KV/Txn", {"compare": [{"target": "MOD", "key": "t/a", "version": 2}], **answers})
    s.call("result 9", "KV/Txn", {"compare": [target("VERSION", "t/a", 2, 9)], **answers})
    s.call("target 9", "KV/Txn", {"compare": [{"target": 9, "key": "t/a", "version": 2}], **answers})
    s.call("end before begin", "KV/Txn", {"compare": [target("VERSION", "t/b", 9, range_end="t/a")], **answers})
    s.call("from key on", "KV/Txn", {"compare": [target("CREATE", "t/", 0, "GREATER", range_end="\0")], **answers})
    s.ask("Lease/LeaseRevoke", {"ID": 1003})


def test_branches(s):
    s.call("empty", "KV/Txn", {})
    s.call("put, get, delete, get", "KV/Txn", {"success": [
        {"request_put": {"key": "t/1", "value": "a", "prev_kv": True}}, {"request_range": {"key": "t/1"}},
        {"request_delete_range": {"key": "t/2", "prev_kv": True}}, {"request_range": {"key": "t/", "range_end": "t0"}}]})
    s.call("delete then range", "KV/Txn", {"success": [
        {"request_delete_range": {"key": "t/1", "prev_kv": True}}, {"request_range": {"key": "t/1"}}]})
    s.call("failure", "KV/Txn", {"compare": [target("VERSION", "t/1", 7)], "success": [{"request_put": {"key": "t/1"}}],
                                 "failure": [{"request_put": {"key": "t/3", "value": "else"}}, {"request_range": {"key": "t/3"}}]})
    s.call("reads alone", "KV/Txn", {"success": [{"request_range": {"key": "t/3", "serializable": True}},
                                                 {"request_range": {"key": "t/", "range_end": "t0", "count_only": True}}]})
    s.call("deletes nothing", "KV/Txn", {"success": [{"request_delete_range": {"key": "t/none"}}]})
    s.call("several keys", "KV/Txn", {"success": [{"request_put": {"key": f"t/m{n}", "value": str(n)}} for n in range(3)]})
    s.call("share a revision", "KV/Range", {"key": "t/m", "range_end": "t/n"})
    s.call("range of the past", "KV/Txn", {"success": [{"request_range": {"key": "t/m0", "revision": 1}}]})
    s.call("range of the future", "KV/Txn", {"success": [{"request_range": {"key": "t/m0", "revision": 10**9}}]})
    s.call("range of the future, else", "KV/Txn", {"compare": [target("VERSION", "t/none", 7)],
                                                   "success": [{"request_range": {"key": "t/m0", "revision": 10**9}}]})
    s.call("serializable of the future", "KV/Txn", {
        "success": [{"request_range": {"key": "t/m0", "revision": 10**9, "serializable": True}}]})


def test_nested(s):
    inner = {"compare": [target("VALUE", "n/a", "1")], "success": [{"request_put": {"key": "n/b", "value": "yes"}}],
             "failure": [{"request_put": {"key": "n/b", "value": "no"}}]}
    s.call("inner fails", "KV/Txn", {"success": [{"request_txn": inner}]})
    s.call("compares come first", "KV/Txn", {"success": [{"request_put": {"key": "n/a", "value": "1"}}, {"request_txn": inner}]})
    s.call("inner succeeds", "KV/Txn", {"success": [{"request_txn": inner}, {"request_range": {"key": "n/b"}}]})
    s.call("empty inner", "KV/Txn", {"success": [{"request_txn": {}}]})
    s.call("reads inside", "KV/Txn", {"success": [{"request_txn": {"success": [{"request_range": {"key": "n/a"}}]}}]})
    deep = {"request_txn": {"success": [{"request_txn": {"compare": [target("VERSION", "n/none", 0)],
                                                         "success": [{"request_delete_range": {"key": "n/a", "prev_kv": True}}]}}]}}
    s.call("three deep", "KV/Txn", {"success": [deep, {"request_put": {"key": "n/c", "value": "c"}}]})
    s.call("what is there", "KV/Range", {"key": "n/", "range_end": "n0"})
    s.call("both branches put one key", "KV/Txn", {"success": [{"request_txn": inner}]})
    s.call("inner and outer put one key", "KV/Txn", {"success": [{"request_txn": inner}, {"request_put": {"key": "n/b"}}]})
    s.call("two inners put one key", "KV/Txn", {"success": [{"request_txn": inner}, {"request_txn": inner}]})
    s.call("inner puts what the outer deletes", "KV/Txn", {"success": [
        {"request_delete_range": {"key": "n/", "range_end": "n0"}}, {"request_txn": inner}]})
    s.call("outer puts what the inner deletes", "KV/Txn", {"success": [
        {"request_txn": {"success": [{"request_delete_range": {"key": "n/", "range_end": "n0"}}]}},
        {"request_put": {"key": "n/b"}}]})
    s.call("inner without key", "KV/Txn", {"success": [{"request_txn": {"success": [{"request_put": {"value": "x"}}]}}]})
    s.call("inner compare without key", "KV/Txn", {"success": [{"request_txn": {"compare": [target("VERSION", "", 0)]}}]})


def test_refusals(s):
    def puts(count, first=0):
        return [{"request_put": {"key": f"o/{n:04}", "value": "v"}} for n in range(first, first + count)]
    ranges = [{"request_range": {"key": "o/x"}}]
    s.call("128 operations", "KV/Txn", {"success": puts(128)},
           clean=lambda a: {**a, "responses": [len(a.get("responses", [])), a.get("responses", [])[:2]]})
    s.call("129 operations", "KV/Txn", {"success": puts(129)})
    s.call("129 else", "KV/Txn", {"failure": puts(129)})
    s.call("129 compares", "KV/Txn", {"compare": [target("VERSION", f"o/{n}", 0) for n in range(129)]})
    s.call("128 here and there", "KV/Txn", {"success": ranges * 128, "failure": ranges * 128},
           clean=lambda a: {**a, "responses": len(a.get("responses", []))})
    s.call("nested over the limit", "KV/Txn", {"success": [{"request_txn": {"success": puts(128)}}]})
    s.call("nested at the limit", "KV/Txn", {"success": [{"request_txn": {"success": puts(127)}}]},
           clean=lambda a: {k: v for k, v in a.items() if k != "responses"})
    s.call("one key twice", "KV/Txn", {"success": puts(1) * 2})
    s.call("one key twice, else", "KV/Txn", {"failure": puts(1) * 2})
    s.call("one key here and there", "KV/Txn", {"success": puts(1), "failure": puts(1)})
    s.call("put in a deleted range", "KV/Txn", {"success": [{"request_delete_range": {"key": "o/", "range_end": "o0"}}, *puts(1)]})
    s.call("put beside it", "KV/Txn", {"success": [{"request_delete_range": {"key": "o/", "range_end": "o/0000"}}, *puts(1)]})
    s.call("deleted twice", "KV/Txn", {"success": [{"request_delete_range": {"key": "o/", "range_end": "o0"}},
                                                   {"request_delete_range": {"key": "o/0001", "prev_kv": True}}]})
    for name, request in {"put": {"request_put": {}}, "range": {"request_range": {}},
                          "delete": {"request_delete_range": {}}}.items():
        s.call(f"{name} without key", "KV/Txn", {"success": [request]})
    s.call("ignore_value with a value", "KV/Txn", {"success": [{"request_put": {"key": "o/1", "ignore_value": True, "value": "x"}}]})
    s.call("ignore_lease with a lease", "KV/Txn", {"success": [{"request_put": {"key": "o/1", "ignore_lease": True, "lease": 1}}]})
    s.call("ignore_value of no key", "KV/Txn", {"success": [{"request_put": {"key": "o/none", "ignore_value": True}}]})
    s.call("ignore_value of a key put before", "KV/Txn", {"success": [
        {"request_txn": {"success": [{"request_put": {"key": "o/first", "value": "x"}}]}},
        {"request_txn": {"failure": [], "success": [{"request_put": {"key": "o/none", "ignore_value": True}}]}}]})
    s.call("nothing of it was done", "KV/Range", {"key": "o/first"})
    s.call("no such lease", "KV/Txn", {"success": [{"request_put": {"key": "o/1", "lease": 4}}]})
    s.call("no such lease behind a put", "KV/Txn", {"success": [*puts(1), {"request_put": {"key": "o/y", "lease": 4}}]})
    s.call("bad order", "KV/Txn", {"success": [{"request_range": {"key": "o/1", "sort_order": 7}}]})
    s.call("an operation that is none", "KV/Txn", {"success": [{}]})
    s.call("none of two", "KV/Txn", {"success": [{}, *puts(1)]})
    s.call("too large", "KV/Txn", {"success": [{"request_put": {"key": "o/l", "value": "x" * (1536 * 1024)}}]})
    s.call("put in a range to the end", "KV/Txn", {"success": [
        {"request_delete_range": {"key": "~o/", "range_end": "\0"}}, {"request_put": {"key": "~o/x"}}]})
