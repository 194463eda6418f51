"""The v3lock and v3election services."""


def keyed(s, *leases):
    """Keys of locks and offices end with the lease in hexadecimal; the suite chose it."""
    for lease in leases:
        s.ask("Lease/LeaseGrant", {"TTL": 500, "ID": lease})


def test_lock(s):
    keyed(s, 5001, 5002)
    first = s.call("first", "Lock/Lock", {"name": "lock", "lease": 5001})
    s.call("again", "Lock/Lock", {"name": "lock", "lease": 5001})
    s.call("its key", "KV/Range", {"key": first["key"]})
    second = s.stream("second", "Lock/Lock")
    second.send({"name": "lock", "lease": 5002}).end()
    second.quiet("waits")
    s.call("unlock", "Lock/Unlock", {"key": first["key"]})
    second.receive("its turn", 2)
    s.call("unlock again", "Lock/Unlock", {"key": first["key"]})
    s.call("unlock nothing", "Lock/Unlock", {})
    s.call("no such lease", "Lock/Lock", {"name": "lock", "lease": 4})
    s.call("revoked", "Lease/LeaseRevoke", {"ID": 5002})
    s.call("no name", "Lock/Lock", {"lease": 5001})
    s.call("free", "KV/Range", {"key": "lock/", "range_end": "lock0"})
    s.call("lease of the server", "Lock/Lock", {"name": "own"}, clean=lambda a: {**a, "key": a.get("key", "")[:4]})
    s.ask("KV/DeleteRange", {"key": "own/", "range_end": "own0"})
    s.ask("KV/DeleteRange", {"key": "/", "range_end": "0"})


def test_election(s):
    keyed(s, 5011, 5012)
    s.call("no leader", "Election/Leader", {"name": "office"})
    won = s.call("won", "Election/Campaign", {"name": "office", "lease": 5011, "value": "a"})
    s.call("won again", "Election/Campaign", {"name": "office", "lease": 5011, "value": "a2"})
    s.call("leader", "Election/Leader", {"name": "office"}, at=len(s.endpoints))
    o = s.stream("observer", "Election/Observe")
    o.send({"name": "office"}).end().receive("who leads")
    s.call("proclaim", "Election/Proclaim", {"leader": won["leader"], "value": "b"})
    o.receive("proclaimed")
    second = s.stream("second", "Election/Campaign")
    second.send({"name": "office", "lease": 5012, "value": "c"}).end()
    second.quiet("waits")
    s.call("proclaim without leader", "Election/Proclaim", {"value": "x"})
    s.call("proclaim of another term", "Election/Proclaim", {"leader": {**won["leader"], "rev": 1}, "value": "x"})
    s.call("resign without leader", "Election/Resign", {})
    s.call("resign", "Election/Resign", {"leader": won["leader"]})
    second.receive("its turn", 2)
    o.receive("the next")
    o.cancel()
    s.call("resign again", "Election/Resign", {"leader": won["leader"]})
    s.call("proclaim after that", "Election/Proclaim", {"leader": won["leader"], "value": "x"})
    s.call("no such lease", "Election/Campaign", {"name": "office", "lease": 4, "value": "x"})
    s.call("revoked", "Lease/LeaseRevoke", {"ID": 5012})
    s.call("nobody", "Election/Leader", {"name": "office"})
    s.call("no name", "Election/Leader", {})
