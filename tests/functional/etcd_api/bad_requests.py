"""Calls that are none: unknown services and methods, broken messages, streams that are called as if they were not."""

import wire


def test_unknown(s):
    s.call("service", "/none.Service/Method", b"")
    s.call("method", "/etcdserverpb.KV/None", b"")
    s.call("package", "/KV/Range", b"")
    s.call("path", "/etcdserverpb.KV", b"")


def test_broken(s):
    for method in wire.METHODS:
        if method.split("/")[0] in ("KV", "Lease", "Maintenance", "Cluster", "Auth", "Lock", "Election") and method not in (
                "Lease/LeaseKeepAlive", "Election/Observe", "Maintenance/Snapshot", "Maintenance/Defragment"):
            s.call(f"{method} of garbage", method, b"\xff\xff\xff")
    s.call("a group", "KV/Range", b"\x0b\x0c")
    s.call("wire type 6", "KV/Range", b"\x0a\x01k\x0e\x01")
    s.call("wire type 7", "KV/Range", b"\x0a\x01k\x0f\x01")
    s.call("field 0", "KV/Range", b"\x02\x01k")
    s.call("key as a number", "KV/Range", b"\x08\x01")
    s.call("limit as bytes", "KV/Range", b"\x0a\x01k\x1a\x01k")
    s.call("key cut short", "KV/Range", b"\x0a\x05k")
    s.call("a number of eleven bytes", "KV/Range", b"\x0a\x01k\x18" + b"\xff" * 10 + b"\x01")
    s.call("unknown fields", "KV/Range", b"\x0a\x01k\xfa\x3e\x03abc\xf8\x3e\x07")
    s.call("field twice", "KV/Range", b"\x0a\x01k\x0a\x01q")
    s.call("key that is no UTF-8", "KV/Range", b"\x0a\x02\xff\xfe")
    s.call("name that is no UTF-8", "Auth/UserGet", b"\x0a\x02\xff\xfe")


def test_metadata(s):
    s.call("leader required", "KV/Range", {"key": "k"}, metadata=(("hasleader", "true"),))
    s.call("leader not required", "KV/Range", {"key": "k"}, metadata=(("hasleader", "false"),))
    s.call("client's version", "KV/Range", {"key": "k"}, metadata=(("client-api-version", "3.5.0"),))
