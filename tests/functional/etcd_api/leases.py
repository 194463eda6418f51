"""Lease: grant, keep alive, time to live, expiry, revocation, and the keys that go with one."""

import time

from kv import put


def of_time(*fields):
    """What is left of a lease depends on the moment: it is written down as being within what was granted."""
    def clean(answer):
        return {k: "within the grant" if k in fields and 0 < v <= 600 else v for k, v in answer.items()}
    return clean


def test_grant(s):
    s.call("chosen id", "Lease/LeaseGrant", {"TTL": 100, "ID": 2001})
    s.call("taken id", "Lease/LeaseGrant", {"TTL": 100, "ID": 2001})
    s.call("id of the server", "Lease/LeaseGrant", {"TTL": 100})
    s.call("another of the server", "Lease/LeaseGrant", {"TTL": 100})
    s.call("a negative id", "Lease/LeaseGrant", {"TTL": 100, "ID": -5})
    s.call("TTL 0", "Lease/LeaseGrant", {"ID": 2002})
    s.call("TTL -1", "Lease/LeaseGrant", {"TTL": -1, "ID": 2003})
    s.call("TTL 1", "Lease/LeaseGrant", {"TTL": 1, "ID": 2004})
    s.call("largest TTL", "Lease/LeaseGrant", {"TTL": 9_000_000_000, "ID": 2005})
    s.call("too large a TTL", "Lease/LeaseGrant", {"TTL": 9_000_000_001, "ID": 2006})
    s.call("nothing", "Lease/LeaseGrant", {}, clean=lambda a: {k: "1 to 10 s" if k == "TTL" and 1 <= v <= 10 else v
                                                               for k, v in a.items()})
    s.call("at another member", "Lease/LeaseGrant", {"TTL": 100, "ID": 2007}, at=len(s.endpoints))
    chosen = sorted(l["ID"] for l in s.ask("Lease/LeaseLeases").get("leases", []) if abs(l["ID"]) < 1 << 32)
    s.record("those that are there", "Lease/LeaseLeases", {}, [i for i in chosen if i not in (2002, 2003, 2004)])


def test_keys(s):
    s.ask("Lease/LeaseGrant", {"TTL": 500, "ID": 2010})
    s.ask("Lease/LeaseGrant", {"TTL": 500, "ID": 2011})
    for key in ("l/c", "l/a", "l/b"):
        put(s, key, "v", lease=2010)
    s.call("with keys", "Lease/LeaseTimeToLive", {"ID": 2010, "keys": True}, clean=keys_sorted)
    s.call("without keys", "Lease/LeaseTimeToLive", {"ID": 2010}, clean=of_time("TTL"))
    s.call("of a member that does not lead", "Lease/LeaseTimeToLive", {"ID": 2010, "keys": True}, at=len(s.endpoints),
           clean=keys_sorted)
    s.call("no keys", "Lease/LeaseTimeToLive", {"ID": 2011, "keys": True}, clean=of_time("TTL"))
    s.call("no such lease", "Lease/LeaseTimeToLive", {"ID": 4, "keys": True})
    s.call("lease 0", "Lease/LeaseTimeToLive", {})
    put(s, "l/a", "v", lease=2011)
    put(s, "l/b", "v")
    s.call("keys moved", "Lease/LeaseTimeToLive", {"ID": 2010, "keys": True}, clean=keys_sorted)
    s.call("keys came", "Lease/LeaseTimeToLive", {"ID": 2011, "keys": True}, clean=keys_sorted)
    s.ask("KV/DeleteRange", {"key": "l/a"})
    s.call("key deleted", "Lease/LeaseTimeToLive", {"ID": 2011, "keys": True}, clean=keys_sorted)
    w = s.stream("watch").send({"create_request": {"key": "l/", "range_end": "l0", "prev_kv": True}})
    w.receive("created")
    put(s, "l/x", "v", lease=2010)
    w.receive("put")
    s.call("revoked", "Lease/LeaseRevoke", {"ID": 2010})
    w.receive("its keys go in one revision")
    w.cancel()
    s.call("revoked again", "Lease/LeaseRevoke", {"ID": 2010})
    s.call("revoke lease 0", "Lease/LeaseRevoke", {})
    s.call("what is left", "KV/Range", {"key": "l/", "range_end": "l0"})
    s.call("revoked without keys", "Lease/LeaseRevoke", {"ID": 2011})
    s.call("id free again", "Lease/LeaseGrant", {"TTL": 100, "ID": 2010})


def keys_sorted(answer):
    return of_time("TTL")({**answer, **({"keys": sorted(answer["keys"])} if "keys" in answer else {})})


def test_keep_alive(s):
    s.ask("Lease/LeaseGrant", {"TTL": 300, "ID": 2020})
    k = s.stream("stream", "Lease/LeaseKeepAlive")
    k.send({"ID": 2020}).receive("kept")
    k.send({"ID": 4}).receive("no such lease")
    k.send({}).receive("lease 0")
    k.send({"ID": 2020}).send({"ID": 2020}).receive("twice", 2)
    k.end().receive("ended")
    k = s.stream("at another member", "Lease/LeaseKeepAlive", at=len(s.endpoints))
    k.send({"ID": 2020}).receive("kept")
    k.send({"ID": 4}).receive("no such lease")
    k.end().receive("ended")
    k = s.stream("garbage", "Lease/LeaseKeepAlive")
    k.send(b"\xff\xff").receive("what is no message")


def test_expiry(s):
    w = s.stream("watch").send({"create_request": {"key": "x/", "range_end": "x0"}})
    w.receive("created")
    granted = s.call("grant", "Lease/LeaseGrant", {"TTL": 2, "ID": 2030})
    put(s, "x/a", "v", lease=2030)
    put(s, "x/b", "v", lease=2030)
    w.receive("put", 2)
    begin = time.monotonic()
    w.receive("expired")
    lasted = time.monotonic() - begin
    s.record("not before its time", "", {}, lasted > granted.get("TTL", 0) - 1.2)
    s.call("gone", "Lease/LeaseTimeToLive", {"ID": 2030, "keys": True})
    s.call("its keys are gone", "KV/Range", {"key": "x/", "range_end": "x0"})
    s.call("a put with it", "KV/Put", {"key": "x/a", "lease": 2030})
    k = s.stream("keep alive", "Lease/LeaseKeepAlive")
    k.send({"ID": 2030}).receive("too late")
    k.end().receive("ended")
    w.cancel()
