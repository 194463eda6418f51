#!/usr/bin/python3
"""python_etcd3.py HOST:PORT CA CERT KEY: what Debian's python3-etcd3 offers, against one member. Prints `ok NAME` for each
case and ends with 1 at the first that fails."""

import io
import sys
import threading

import etcd3
import etcd3.exceptions
import etcd3.locks
import grpc

TIMEOUT = 15


def basics(c):
    assert c.put("py/a", "1") is not None
    value, meta = c.get("py/a")
    assert value == b"1" and meta.key == b"py/a" and meta.version == 1 and meta.lease_id == 0, (value, meta)
    assert c.get("py/none") == (None, None)
    assert c.put("py/a", "2", prev_kv=True).prev_kv.value == b"1"
    c.put("py/b", "0")
    assert [v for v, _ in c.get_prefix("py/")] == [b"2", b"0"]
    assert [m.key for _, m in c.get_prefix("py/", sort_order="descend")] == [b"py/b", b"py/a"]
    assert [v for v, _ in c.get_prefix("py/", sort_order="ascend", sort_target="value")] == [b"0", b"2"]
    assert [m.key for _, m in c.get_range("py/a", "py/b")] == [b"py/a"]
    assert [v for v, _ in c.get_prefix("py/", keys_only=True)] == [b"", b""]
    assert c.get("py/a", serializable=True)[0] == b"2"
    assert sum(1 for _ in c.get_all()) >= 2
    assert c.replace("py/a", "2", "3") and not c.replace("py/a", "2", "4")
    assert c.put_if_not_exists("py/new", "x") and not c.put_if_not_exists("py/new", "y")
    assert c.delete("py/new") and not c.delete("py/new")
    assert c.delete("py/a", prev_kv=True, return_response=True).prev_kvs[0].value == b"3"
    assert c.delete_prefix("py/").deleted == 1


def transactions(c):
    t = c.transactions
    c.put("py/t", "old")
    done, answers = c.transaction(compare=[t.value("py/t") == "old", t.version("py/t") > 0, t.create("py/none") == 0],
                                  success=[t.put("py/t", "new"), t.get("py/t")], failure=[t.delete("py/t")])
    assert done and answers[1][0][0] == b"new", (done, answers)
    done, answers = c.transaction(compare=[t.mod("py/t") < 1], success=[], failure=[t.get("py/t"), t.delete("py/t")])
    assert not done and answers[0][0][0] == b"new", (done, answers)
    done, _ = c.transaction(compare=[t.version("py/t") == 0],
                            success=[t.txn(compare=[], success=[t.put("py/t", "inner")], failure=[])], failure=[])
    assert done and c.get("py/t")[0] == b"inner"
    c.delete("py/t")


def watches(c):
    events, cancel = c.watch_prefix("py/w/")
    c.put("py/w/1", "a")
    c.delete("py/w/1")
    first, second = next(events), next(events)
    assert isinstance(first, etcd3.events.PutEvent) and (first.key, first.value) == (b"py/w/1", b"a"), first
    assert isinstance(second, etcd3.events.DeleteEvent), second
    cancel()
    seen, told = [], threading.Event()

    def heard(response):
        seen.extend(response.events)
        if len(seen) >= 3:
            told.set()
    watch = c.add_watch_callback("py/w/cb", heard)
    for n in range(3):
        c.put("py/w/cb", str(n))
    assert told.wait(TIMEOUT), seen
    assert [e.value for e in seen] == [b"0", b"1", b"2"]
    c.cancel_watch(watch)
    start = c.get("py/w/cb")[1].mod_revision
    events, cancel = c.watch("py/w/cb", start_revision=start - 2, prev_kv=True)
    assert [next(events).value for _ in range(3)] == [b"0", b"1", b"2"]
    cancel()
    threading.Timer(0.3, lambda: c.put("py/w/once", "now")).start()
    assert c.watch_once("py/w/once", timeout=TIMEOUT).value == b"now"
    try:
        c.watch_once("py/w/never", timeout=0.5)
        raise AssertionError("an event for nothing")
    except etcd3.exceptions.WatchTimedOut:
        pass
    c.compact(c.get("py/w/cb")[1].mod_revision, physical=True)
    events, cancel = c.watch("py/w/cb", start_revision=1)
    try:
        next(events)
        raise AssertionError("an event of a compacted revision")
    except etcd3.exceptions.RevisionCompactedError as error:
        assert error.compacted_revision > 1, error
    c.delete_prefix("py/")


def leases(c):
    lease = c.lease(60)
    c.put("py/leased", "x", lease=lease)
    assert lease.granted_ttl == 60 and 0 < lease.remaining_ttl <= 60 and lease.keys == [b"py/leased"], lease.keys
    assert c.get("py/leased")[1].lease_id == lease.id
    assert [r.TTL for r in lease.refresh()] == [60]
    lease.revoke()
    assert c.get("py/leased")[0] is None
    assert c.lease(30, lease_id=123456).id == 123456
    c.revoke_lease(123456)
    short = c.lease(1)
    events, cancel = c.watch("py/short")
    c.put("py/short", "x", lease=short)
    assert isinstance(next(events), etcd3.events.PutEvent)
    assert isinstance(next(events), etcd3.events.DeleteEvent)  # it ran out
    cancel()


def locks(c):
    lock = c.lock("py-lock", ttl=20)
    assert lock.acquire(timeout=TIMEOUT) and lock.is_acquired()
    other = c.lock("py-lock", ttl=20)
    assert not other.is_acquired()
    assert lock.refresh() is not None
    # Waiting for a lock that is held fails in the library itself (it calls Debian's tenacity as older ones were called).
    try:
        other.acquire(timeout=1)
        raise AssertionError("two have the lock")
    except TypeError:
        pass
    assert lock.release()
    assert other.acquire(timeout=TIMEOUT) and not lock.is_acquired()
    other.release()
    with c.lock("py-lock"):
        pass


def cluster(c):
    status = c.status()
    assert status.version.startswith("3.") and status.db_size > 0 and status.leader is not None, status
    members = list(c.members)
    assert all(m.name and list(m.client_urls) and list(m.peer_urls) for m in members), members
    assert status.leader.id in [m.id for m in members]
    assert list(c.list_alarms()) == []
    file = io.BytesIO()
    c.snapshot(file)
    assert len(file.getvalue()) > 4096
    alarms = c.create_alarm()
    assert len(alarms) == 1, alarms
    try:
        c.put("py/refused", "x")
        raise AssertionError("a put under the alarm")
    except Exception as error:  # noqa: BLE001 - the library has no name for it
        assert "database space exceeded" in str(error), error
    c.disarm_alarm()
    assert list(c.list_alarms()) == []


def refused(call):
    """What a call is refused with: the library hides some texts behind errors of its own."""
    try:
        call()
    except etcd3.exceptions.Etcd3Exception as error:
        return type(error).__name__
    except grpc.RpcError as error:
        return error.details()
    return "nothing"


def errors(c):
    assert refused(lambda: c.put("", "x")) == "etcdserver: key is not provided"
    assert refused(lambda: c.compact(10**12)) == "etcdserver: mvcc: required revision is a future revision"
    assert refused(lambda: c.revoke_lease(7)) == "etcdserver: requested lease not found"
    c.lease(60, lease_id=77)
    assert refused(lambda: c.lease(60, lease_id=77)) == "PreconditionFailedError"
    c.revoke_lease(77)


def main(endpoint, ca, cert, key):
    host, _, port = endpoint.rpartition(":")
    c = etcd3.client(host=host, port=int(port), ca_cert=ca, cert_cert=cert, cert_key=key, timeout=TIMEOUT)
    for case in (basics, transactions, watches, leases, locks, cluster, errors):
        case(c)
        print(f"ok {case.__name__}", flush=True)
    c.close()


if __name__ == "__main__":
    main(*sys.argv[1:5])
