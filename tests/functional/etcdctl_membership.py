"""Snapshots and members of etcd, at runtime, with etcdctl."""

import hashlib


def test_snapshot_save(t):
    """The file ends with the digest of what is before it, as etcdctl and the restore expect."""
    for i in range(20):
        t.etcdctl("put", f"snapshot/{i}", "x" * 1000)
    path = t.folder / "saved.db"
    t.etcdctl("snapshot", "save", path, boards=[2])
    content = path.read_bytes()
    assert len(content) % 512 == 32 and hashlib.sha256(content[:-32]).digest() == content[-32:]
    assert content.startswith(b"SQLite format 3\0")
