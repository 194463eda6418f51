"""Snapshots and members of etcd, at runtime, with etcdctl: boards join, learn, are promoted, moved, removed and replaced."""

import base64
import hashlib
import http.client
import json
import os
import re
import threading
import time

from harness import Failure, wait_for
from tripod_cluster import joined_cluster

BOARDS = 4
CLUSTER = False  # three boards found it; the fourth joins
FOLLOWER_PATIENCE_SECONDS = 5
OVERRIDES = {("etcd", "snapshot-catchup-entries"): "300"}


class Puts(threading.Thread):
    """Puts numbers under keys of its own, one after the other, and remembers the last that was acknowledged."""

    def __init__(self, t, prefix, boards):
        super().__init__(daemon=True)
        self.t, self.prefix, self.boards = t, prefix, boards
        self.acknowledged, self.errors, self.ending = 0, [], threading.Event()

    def run(self):
        while not self.ending.is_set():
            done = self.t.etcdctl("put", f"{self.prefix}/{self.acknowledged}", "x", "--command-timeout=8s",
                                  boards=self.boards, check=False)
            if done.code == 0:
                self.acknowledged += 1
            else:
                self.errors.append(done.err)

    def finish(self):
        self.ending.set()
        self.join(30)
        found = self.t.etcdctl("get", self.prefix + "/", "--prefix", "--count-only", "-w", "fields",
                               boards=self.boards).out
        count = int(re.search(r'"Count" : (\d+)', found).group(1))
        assert count >= self.acknowledged, f"{self.acknowledged} acknowledged, {count} there"
        return self.acknowledged


def members(t, ask=1, name="etcdctl"):
    """By name, or by peer URL while a member has none."""
    listed = t.etcdctl("member", "list", "-w", "json", boards=[ask], name=name).json()["members"]
    return {m.get("name") or m["peerURLs"][0]: m for m in listed}


def expect_equal(t, boards):
    """At one revision that all have: leases are renewed meanwhile."""
    def equal():
        revision = min(e["Status"]["header"]["revision"] for e in t.etcdctl(
            "endpoint", "status", "-w", "json", boards=boards).json())
        answer = t.etcdctl("endpoint", "hashkv", f"--rev={revision}", "-w", "json", boards=boards).json()
        return len(answer) == len(boards) and len({e["HashKV"]["hash"] for e in answer}) == 1
    t.eventually("hashes agree", equal, 30)


def retried(t, *arguments, boards, timeout=30):
    """What etcdctl printed. Changes need members that have been connected for five seconds."""
    return wait_for(" ".join(map(str, arguments)),
                    lambda: t.cluster.etcdctl(*arguments, boards=[t.cluster.board(b) for b in boards]), timeout, 0.5)


def live_leader(t, among):
    """A leader that was killed is named by the others for a moment."""
    return t.cluster.board(wait_for("one of them leads", lambda: (n := t.leader(among)) in among and n, 20))


def write_until_the_log_is_cut(t, among, least):
    """At least so many entries, so that the leader's log begins behind what a new member would need first."""
    leader = live_leader(t, among)
    seen = len(leader.log_file.read_text())
    connection = http.client.HTTPSConnection(leader.address, 2379, timeout=15, context=t.cluster.etcd_tls())
    t.cleanups.callback(connection.close)
    value = base64.b64encode(os.urandom(12 * 1024)).decode()
    for i in range(6000):
        key = base64.b64encode(f"log/{i % 100}".encode()).decode()
        connection.request("POST", "/v3/kv/put", json.dumps({"key": key, "value": value}))
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        if i % 100 == 99 and i > least and "cutting the log" in leader.log_file.read_text()[seen:]:
            return
    raise Failure(f"{leader.name} has not cut its log")


def test_three_boards_found_the_cluster(t):
    t.cluster.found(t.cluster.boards[:3])
    for board in t.cluster.boards[:3]:
        board.start()
    t.cluster.wait_ready(30, t.cluster.boards[:3])
    assert sorted(members(t)) == ["board-1", "board-2", "board-3"]


def test_snapshot_save(t):
    """The file ends with the digest of what is before it, as etcdctl and the restore expect."""
    for i in range(20):
        t.etcdctl("put", f"snapshot/{i}", "x" * 1000, boards=[1, 2, 3])
    path = t.folder / "saved.db"
    t.etcdctl("snapshot", "save", path, boards=[2])
    content = path.read_bytes()
    assert len(content) % 512 == 32 and hashlib.sha256(content[:-32]).digest() == content[-32:]
    assert content.startswith(b"SQLite format 3\0")


def test_move_leader(t):
    for name in ("etcdctl", "etcdctl-3.4"):
        old = t.leader(among=[1, 2, 3])
        new = old % 3 + 1
        target = members(t, name=name)[f"board-{new}"]["ID"]
        follower = t.etcdctl("move-leader", f"{target:x}", boards=[new], name=name, check=False)
        assert follower.code != 0 and "no leader endpoint given" in follower.err, follower
        bad = t.etcdctl("move-leader", "abc", boards=[1, 2, 3], name=name, check=False)
        assert "bad leader transferee" in bad.err, bad
        moved = t.etcdctl("move-leader", f"{target:x}", boards=[1, 2, 3], name=name)
        assert "Leadership transferred" in moved.out, moved
        assert t.leader(among=[1, 2, 3]) == new


def test_refusals(t):
    board = t.cluster.board(4)
    here = members(t)
    taken = t.etcdctl("member", "add", "x", f"--peer-urls={t.cluster.board(2).peer_url}", boards=[1], check=False)
    wait_for("members are connected", lambda: "Peer URLs already exists" in t.etcdctl(
        "member", "add", "x", f"--peer-urls={t.cluster.board(2).peer_url}", boards=[1], check=False).err, 15, 0.5)
    assert taken.code != 0
    for arguments, text in (
            (("member", "remove", "77"), "member not found"),
            (("member", "promote", "77"), "member not found"),
            (("member", "promote", f"{here['board-2']['ID']:x}"), "can only promote a learner member"),
            (("member", "update", "77", f"--peer-urls={board.peer_url}"), "member not found"),
            (("member", "update", f"{here['board-2']['ID']:x}", f"--peer-urls={t.cluster.board(1).peer_url}"),
             "Peer URLs already exists")):
        refused = t.etcdctl(*arguments, boards=[1], check=False)
        assert refused.code != 0 and text in refused.err, refused
    status, answer = t.gateway("cluster/member/add", {"peerURLs": ["nonsense"]})
    assert (status, answer["message"]) == (400, "etcdserver: given member URLs are invalid"), answer
    status, answer = t.gateway("cluster/member/list", {})
    assert status == 200 and len(answer["members"]) == 3, answer
    status, answer = t.gateway("cluster/member/remove", {"ID": "77"})
    assert (status, answer["message"]) == (404, "etcdserver: member not found"), answer


def test_a_learner_joins_by_snapshot_and_is_promoted(t):
    board = t.cluster.board(4)
    write_until_the_log_is_cut(t, [1, 2, 3], 500)
    added = retried(t, "member", "add", board.name, "--learner", f"--peer-urls={board.peer_url}", boards=[1, 2, 3])
    found = members(t)[board.peer_url]
    assert found["isLearner"] and not found.get("clientURLs"), found
    early = t.etcdctl("member", "promote", f"{found['ID']:x}", boards=[2], check=False)
    assert "can only promote a learner member which is in sync with leader" in early.err, early
    more = t.etcdctl("member", "add", "another", "--learner", "--peer-urls=https://127.0.0.99:2380", boards=[1],
                     check=False)
    assert "too many learner members in cluster" in more.err, more

    t.cluster.configure_joining(board, joined_cluster(added))
    puts = Puts(t, "joining", [1, 2, 3])
    puts.start()
    board.start()
    wait_for("the learner answers", lambda: t.endpoint_status(4).get("isLearner"), 30)
    learner_refuses(t, board)
    promote = wait_for("the learner is in sync", lambda: t.cluster.etcdctl(
        "member", "promote", f"{found['ID']:x}", boards=[t.cluster.board(2)]), 30, 0.3)
    assert "promoted in cluster" in promote, promote
    t.cluster.wait_ready(30, [board])
    assert puts.finish() > 5
    assert "took in a snapshot" in board.log_file.read_text()
    assert not members(t)["board-4"].get("isLearner")
    expect_equal(t, [1, 2, 3, 4])


def learner_refuses(t, board):
    unsupported = "rpc not supported for learner"
    for arguments in (("get", "x"), ("put", "x", "1"), ("member", "list"), ("lease", "grant", "10")):
        refused = t.etcdctl(*arguments, boards=[4], check=False)
        assert refused.code != 0 and unsupported in refused.err, refused
    assert t.etcdctl("get", "x", "--consistency=s", boards=[4], check=False).code == 0
    status, body = board.health("/readyz?exclude=linearizable_read")
    assert status == 503 and "[-]non_learner failed: the local member is a learner" in body, body


def test_member_update_moves_a_member(t):
    board = t.cluster.board(4)
    found = members(t)["board-4"]
    spare = f"https://{board.address}:2390"
    board.stop()
    t.etcdctl("member", "update", f"{found['ID']:x}", f"--peer-urls={spare}", boards=[1, 2, 3])
    t.cluster.configure(board, {("etcd", "listen-peer-urls"): spare, ("etcd", "initial-advertise-peer-urls"): spare,
                                ("etcd", "initial-cluster"): f"board-4={spare}"})
    board.start()
    t.cluster.wait_ready(30, [board])
    assert members(t)["board-4"]["peerURLs"] == [spare]
    expect_equal(t, [1, 2, 3, 4])


def test_a_removed_member_ends_and_says_why(t):
    board = t.cluster.board(4)
    found = members(t)["board-4"]
    removed = retried(t, "member", "remove", f"{found['ID']:x}", boards=[1, 2, 3])
    assert "removed from cluster" in removed, removed
    wait_for("board-4 ends", lambda: board.pid() is None, 20)
    log = board.log_file.read_text()
    assert "permanently removed from the cluster" in log, log[-2000:]
    assert board.child.returncode != 0
    board.start()
    wait_for("board-4 refuses to start", lambda: board.pid() is None, 20)
    assert "removed from the cluster" in board.log_file.read_text()[len(log):]
    assert sorted(members(t)) == ["board-1", "board-2", "board-3"]


def test_wrong_initial_cluster_is_told(t):
    board = t.cluster.board(4)
    board.lose_etcd_data()
    board.changes.clear()
    own = f"board-4={board.peer_url}"
    for initial_cluster, text in (
            (f"board-1={t.cluster.board(1).peer_url},{own}", "member count is unequal: it has 2, the cluster has 3"),
            (f"a={t.cluster.board(1).peer_url},b={t.cluster.board(2).peer_url},{own}",
             "PeerURLs: no match found for existing member")):
        before = len(board.log_file.read_text())
        t.cluster.configure_joining(board, initial_cluster)
        board.start()
        wait_for("board-4 gives up", lambda: board.pid() is None, 30)
        assert text in board.log_file.read_text()[before:], board.log_tail()


def test_a_member_that_lost_its_disk_is_replaced_under_load(t):
    board = t.cluster.board(3)
    puts = Puts(t, "replacing", [1, 2])
    puts.start()
    board.kill()
    board.lose_etcd_data()
    t.eventually("writes go on", lambda: puts.acknowledged > 5, 20)
    t.cluster.replace_member(board, t.cluster.board(1))
    t.cluster.wait_ready(40, [board])
    before = puts.acknowledged
    t.eventually("writes go on with it", lambda: puts.acknowledged > before + 5, 20)
    assert puts.finish() > 10
    expect_equal(t, [1, 2, 3])


def test_a_laggard_catches_up_by_snapshot_while_writes_go_on(t):
    board = t.cluster.board(2)
    t.etcdctl("put", "watched", "before", boards=[2])
    board.kill()
    time.sleep(FOLLOWER_PATIENCE_SECONDS + 1)  # so long the log is kept for who may only be slow
    write_until_the_log_is_cut(t, [1, 3], 1500)
    leader = live_leader(t, [1, 3])
    memory = leader.resident_bytes()
    seen = len(board.log_file.read_text())
    puts = Puts(t, "lagging", [1, 3])
    puts.start()
    board.start()
    wait_for("the snapshot is taken in", lambda: "took in a snapshot" in board.log_file.read_text()[seen:], 40)
    t.cluster.wait_ready(30, [board])
    assert puts.finish() > 2
    expect_equal(t, [1, 2, 3])
    assert leader.resident_bytes() < memory + 16 * 1024 * 1024
    assert board.resident_bytes() < leader.resident_bytes() + 16 * 1024 * 1024


def test_force_new_cluster(t):
    """A majority is lost for ever: board 1 goes on alone with everything that was acknowledged."""
    t.etcdctl("put", "kept", "yes", boards=[1, 2, 3])
    expect_equal(t, [1, 2, 3])
    for board in t.cluster.boards[:3]:
        board.kill()
    board = t.cluster.board(1)
    t.cluster.configure(board, {("etcd", "force-new-cluster"): "true"})
    board.start()
    t.cluster.wait_ready(30, [board])
    assert t.etcdctl("get", "kept", "--print-value-only", boards=[1]).out == "yes\n"
    assert sorted(members(t)) == ["board-1"]
    board.stop()
    t.cluster.configure(board, {("etcd", "force-new-cluster"): "false"})
    board.start()
    t.cluster.wait_ready(30, [board])
    old = t.cluster.board(2)
    old.start()
    wait_for("board-2 learns that it is out", lambda: old.pid() is None, 20)
    assert "permanently removed" in old.log_file.read_text()
    old.lose_etcd_data()
    t.cluster.replace_member(old, board)
    t.cluster.wait_ready(30, [board, old])
    expect_equal(t, [1, 2])
