"""Maintenance of the etcd members with etcdctl: the quota and its alarm."""

BOARDS = 3
MIB = 1024 * 1024
OVERRIDES = {("etcd", "quota-backend-bytes"): str(8 * MIB)}
NO_SPACE = "etcdserver: mvcc: database space exceeded"


def status_of(t, number):
    return t.endpoint_status(number)


def fill_until_refused(t):
    """Puts values of a mebibyte under one key, until the quota refuses one."""
    for _ in range(20):
        done = t.etcdctl("put", "fill", stdin="x" * MIB, check=False)
        if done.code != 0:
            return done
    raise AssertionError("20 MiB went into a quota of 8 MiB")


def test_quota_alarm_and_recovery(t):
    refused = fill_until_refused(t)
    assert NO_SPACE in refused.err, refused
    listed = t.etcdctl("alarm", "list").out
    assert "alarm:NOSPACE" in listed, listed
    for number in (1, 2, 3):
        status = status_of(t, number)
        assert any("NOSPACE" in e for e in status["errors"]), status
        small = t.etcdctl("put", "small", "1", boards=[number], check=False)
        assert small.code != 0 and NO_SPACE in small.err, small
    assert t.etcdctl("get", "fill", "--keys-only").out.split() == ["fill"]
    assert t.etcdctl("alarm", "disarm").out.count("alarm:NOSPACE") >= 1
    assert t.etcdctl("alarm", "list").out == ""
