"""Maintenance of the etcd members with etcdctl: the quota and its alarm, space given back, hashes, compaction, downgrade."""

import re

BOARDS = 3
MIB = 1024 * 1024
OVERRIDES = {
    ("etcd", "quota-backend-bytes"): str(8 * MIB),
    ("etcd", "corrupt-check-time"): "2s",
    ("etcd", "experimental-initial-corrupt-check"): "true",
    ("etcd", "snapshot-interval"): "2s",
    ("etcd", "snapshot-retention"): "2",
}
NO_SPACE = "etcdserver: mvcc: database space exceeded"


def status_of(t, number):
    return t.endpoint_status(number)


def fill_until_refused(t):
    """Puts values of a mebibyte under one key, until the quota refuses one."""
    for _ in range(20):
        done = t.etcdctl("put", "fill", "--command-timeout=30s", stdin="x" * MIB, check=False)
        if done.code != 0:
            return done
    raise AssertionError("20 MiB went into a quota of 8 MiB")


def revision_of(t, number=1):
    return status_of(t, number)["header"]["revision"]


def hashes(t, revision):
    """Of the three members at one revision, as (hash, compact revision)."""
    answer = t.etcdctl("endpoint", "hashkv", f"--rev={revision}", "-w", "json").json()
    assert len(answer) == 3, answer
    return {(e["HashKV"]["hash"], e["HashKV"]["compact_revision"]) for e in answer}


def test_quota_alarm_and_recovery(t):
    """The way back that etcd's manual gives: compact, defragment, disarm."""
    refused = fill_until_refused(t)
    assert NO_SPACE in refused.err, refused
    t.eventually("the alarm is raised", lambda: "alarm:NOSPACE" in t.etcdctl("alarm", "list").out, 10)
    for number in (1, 2, 3):
        t.eventually(f"board {number} knows of it",
                     lambda n=number: any("NOSPACE" in e for e in status_of(t, n).get("errors", [])), 10)
        status = status_of(t, number)
        assert status["dbSize"] >= 7 * MIB, status
        small = t.etcdctl("put", "small", "1", boards=[number], check=False)
        assert small.code != 0 and NO_SPACE in small.err, small
    assert t.etcdctl("get", "fill", "--keys-only").out.split() == ["fill"]
    t.etcdctl("del", "fill")
    t.etcdctl("compact", revision_of(t), "--physical")
    defragmented = t.etcdctl("defrag").out
    assert defragmented.count("Finished defragmenting etcd member") == 3, defragmented
    for number in (1, 2, 3):
        status = status_of(t, number)
        assert status["dbSize"] < 2 * MIB and status["dbSizeInUse"] <= status["dbSize"], status
        size = (t.cluster.board(number).data / "etcd/state.db").stat().st_size
        assert abs(size - status["dbSize"]) < MIB // 4, (size, status)
    assert t.etcdctl("alarm", "disarm").out.count("alarm:NOSPACE") >= 1
    assert t.etcdctl("alarm", "list").out == ""
    t.etcdctl("put", "small", "1")


def test_defrag_with_both_clients(t):
    for name in ("etcdctl", "etcdctl-3.4"):
        done = t.etcdctl("defrag", name=name).out
        assert done.count("Finished defragmenting etcd member") == 3, done


def test_hashes_agree_and_follow_compaction(t):
    for i in range(8):
        t.etcdctl("put", f"hash/{i % 3}", str(i))
    t.etcdctl("del", "hash/1")
    revision = revision_of(t)
    t.eventually("the members' hashes agree", lambda: len(hashes(t, revision)) == 1)
    before = hashes(t, revision)
    t.etcdctl("put", "hash/2", "later")
    assert hashes(t, revision) == before, "the hash is of that revision"
    t.etcdctl("compact", revision - 5)
    t.eventually("they agree after a compaction", lambda: len(hashes(t, revision)) == 1)
    (_, compact_revision), = hashes(t, revision)
    assert compact_revision == revision - 5
    compacted = t.etcdctl("endpoint", "hashkv", f"--rev={revision - 6}", check=False)
    assert "required revision has been compacted" in compacted.err, compacted
    future = t.etcdctl("endpoint", "hashkv", f"--rev={revision + 1000}", check=False)
    assert "required revision is a future revision" in future.err, future
    found = [t.gateway("maintenance/hash", {}, board=n)[1]["hash"] for n in (1, 2, 3)]
    assert all(found), found


def test_compaction_refuses_as_etcd_does(t):
    revision = revision_of(t)
    t.etcdctl("compact", revision)
    again = t.etcdctl("compact", revision, check=False)
    assert "required revision has been compacted" in again.err, again
    future = t.etcdctl("compact", revision + 1000, check=False)
    assert "required revision is a future revision" in future.err, future


def test_downgrade_answers(t):
    def ask(action, version=""):
        status, answer = t.gateway("maintenance/downgrade", {"action": action, "version": version})
        return answer.get("version") if status == 200 else answer["message"]
    assert ask("VALIDATE", "3.5") == "3.6"
    assert ask("VALIDATE", "3.4") == "etcdserver: invalid downgrade target version"
    assert ask("VALIDATE", "x") == "etcdserver: wrong downgrade target version format"
    assert ask("CANCEL") == "etcdserver: no inflight downgrade job"
    assert ask("ENABLE", "3.5.0") == "3.6"
    t.eventually("every member knows", lambda: all(
        t.gateway("maintenance/status", {}, board=n)[1].get("downgradeInfo", {}).get("targetVersion") == "3.5.0"
        for n in (1, 2, 3)))
    assert ask("ENABLE", "3.5.0") == "etcdserver: cluster has a downgrade job in progress"
    assert ask("CANCEL") == "3.6"


def test_members_compare_their_data(t):
    """Healthy ones stay without an alarm, whatever is written, and restart under the check of a member that starts."""
    board = t.cluster.board(3)
    assert board.stop()
    board.start()
    t.cluster.wait_ready(30)
    log = re.compile(r"compared the data of the members.*compared=2 corrupt=0")
    t.eventually("the leader has compared", lambda: any(
        log.search(b.log_file.read_text(errors="replace")) for b in t.cluster.boards), 20)
    assert "compared this member's data" in board.log_file.read_text(errors="replace")
    assert t.etcdctl("alarm", "list").out == ""


def test_corrupt_alarm_refuses_changes(t):
    member = t.etcdctl("member", "list", "-w", "json").json()["members"][0]["ID"]
    t.gateway("maintenance/alarm", {"action": "ACTIVATE", "memberID": str(member), "alarm": "CORRUPT"})
    refused = t.etcdctl("put", "a", "b", check=False)
    assert "etcdserver: corrupt cluster" in refused.err, refused
    assert "alarm:CORRUPT" in t.etcdctl("alarm", "list").out
    health = t.etcd_http("GET", "/health")
    assert health.status == 503 and b"CORRUPT" in health.read()
    assert "alarm:CORRUPT" in t.etcdctl("alarm", "disarm").out
    t.etcdctl("put", "a", "b")


def test_a_member_with_other_data_does_not_serve(t):
    """One value is changed in the file of a member that is not running: it says so and leaves."""
    t.etcdctl("put", "planted/key", "value-to-be-changed")
    board = t.cluster.board(2)
    assert board.stop()
    path = board.data / "etcd/state.db"
    content = path.read_bytes()
    assert content.count(b"value-to-be-changed") == 1
    path.write_bytes(content.replace(b"value-to-be-changed", b"value-that-is-other"))
    board.start()
    t.eventually("it leaves", lambda: board.pid() is None, 30)
    assert "differ from those of" in board.log_tail(5), board.log_tail(5)
    path.write_bytes(content)
    board.start()
    t.cluster.wait_ready(30)
    assert t.etcdctl("get", "planted/key", "--print-value-only").out.strip() == "value-to-be-changed"
    t.etcdctl("alarm", "disarm")  # the leader may have asked it meanwhile


def test_a_damaged_file_is_refused(t):
    t.etcdctl("put", "planted/page", "value-in-a-page-to-be-damaged")
    board = t.cluster.board(2)
    assert board.stop()
    path = board.data / "etcd/state.db"
    content = path.read_bytes()
    page = content.index(b"value-in-a-page-to-be-damaged") // 4096 * 4096
    path.write_bytes(content[:page] + b"\x5a" * 4096 + content[page + 4096:])
    board.start()
    t.eventually("it leaves", lambda: board.pid() is None, 30)
    assert "is damaged" in board.log_tail(5), board.log_tail(5)
    path.write_bytes(content)
    board.start()
    t.cluster.wait_ready(30)


def test_scheduled_snapshots(t):
    folder = t.cluster.board(1).data / "snapshots"
    t.eventually("there are two", lambda: len(list(folder.glob("*.db"))) == 2, 20)
    seen = sorted(folder.glob("*.db"))[0]
    t.eventually("the older goes", lambda: not seen.exists() and len(list(folder.glob("*.db"))) == 2, 20)
    newest = sorted(folder.glob("*.db"))[-1]
    kept = t.folder / "kept.db"
    kept.write_bytes(newest.read_bytes())
    named = re.fullmatch(r"etcd-snapshot-board-1-\d{8}T\d{6}Z-r(\d+)\.db", newest.name)
    assert named, newest
    held = int(t.cluster.run_tool("snapshot", "status", kept).split(", ")[1])
    assert int(named.group(1)) <= held <= revision_of(t), (newest, held)
