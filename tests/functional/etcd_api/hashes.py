"""Maintenance/HashKV of the same history: the same hashes, bit for bit."""

from kv import fill


def test_hash(s):
    revisions = fill(s)
    s.ask("KV/DeleteRange", {"key": "r/b"})
    s.ask("Lease/LeaseGrant", {"TTL": 600, "ID": 900})
    last = s.ask("KV/Put", {"key": "r/leased", "value": "x", "lease": 900})["header"]["revision"]
    s.call("now", "Maintenance/HashKV", {})
    for at in (revisions[0], revisions[4], revisions[-1], last):
        s.call(f"at {at - revisions[0]}", "Maintenance/HashKV", {"revision": at})
    s.call("at another member", "Maintenance/HashKV", {"revision": last}, at=len(s.endpoints))
    s.call("future", "Maintenance/HashKV", {"revision": last + 1})
    s.call("-1", "Maintenance/HashKV", {"revision": -1})
    s.call("compact", "KV/Compact", {"revision": revisions[7], "physical": True})
    s.call("the compacted revision", "Maintenance/HashKV", {"revision": revisions[7]})
    s.call("one after it", "Maintenance/HashKV", {"revision": revisions[8]})
    s.call("before it", "Maintenance/HashKV", {"revision": revisions[6]})
    s.call("now, compacted", "Maintenance/HashKV", {"revision": last})
    s.call("now without saying so", "Maintenance/HashKV", {})
    s.ask("Lease/LeaseRevoke", {"ID": 900})
