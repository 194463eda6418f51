"""`tripod reset`: a board leaves its cluster and forgets everything, but only when it is asked clearly; then it joins anew."""

import shutil

from harness import run, wait_for
from tripod_cluster import METRICS_PORT, render_ini


def tripod(t, *arguments, check=True, stdin=""):
    return run([t.cluster.binary, *arguments], check=check, stdin=stdin)


def reset(t, board, *arguments, **how):
    return tripod(t, "reset", "--config", board.config, *arguments, **how)


def members(t, ask=1):
    listed = t.etcdctl("member", "list", "-w", "json", boards=[ask]).json()["members"]
    return sorted(m.get("name", "") for m in listed)


def test_a_board_that_runs_is_not_reset(t):
    board = t.cluster.board(3)
    done = reset(t, board, "--yes", check=False)
    assert done.code != 0 and "board-3 runs" in done.err and "stop it first" in done.err, done
    assert board.ready()


def test_it_asks_and_takes_no_for_an_answer(t):
    board = t.cluster.board(3)
    board.stop()
    for answer in ("", "no\n", "y\n"):
        done = reset(t, board, stdin=answer, check=False)
        assert done.code != 0 and "nothing was removed" in done.err, done
        assert str(board.data / "etcd") in done.out and "Type yes" in done.out, done
    assert (board.data / "etcd/raft.db").exists()
    assert members(t) == ["board-1", "board-2", "board-3"]


def test_it_leaves_the_cluster_and_removes_its_data(t):
    board = t.cluster.board(3)
    (board.data / "mine.txt").write_text("not tripod's")
    done = wait_for("it is reset", lambda: (d := reset(t, board, stdin="yes\n", check=False)).code == 0 and d, 30, 0.5)
    assert "left the cluster: etcd member" in done.out and f"removed: {board.data}/etcd" in done.out, done
    assert members(t) == ["board-1", "board-2"]
    assert not list((board.data / "etcd").iterdir())
    assert (board.data / "mine.txt").exists()
    again = reset(t, board, "--yes")
    assert "removed" in again.out or "nothing to do" in again.out, again


def test_what_was_reset_joins_as_new(t):
    board = t.cluster.board(3)
    shutil.rmtree(board.data)
    board.data.mkdir()
    t.cluster.configure(t.cluster.board(1), {("node", "ca-key-file"): f"{t.cluster.pki}/ca.key",
                                             ("node", "etcd-ca-key-file"): f"{t.cluster.pki}/etcd-ca.key"})
    t.cluster.board(1).stop()
    t.cluster.board(1).start()
    t.cluster.wait_ready(20, [t.cluster.board(1)])
    t.cluster.wait_balancer()
    text = tripod(t, "token", "create", "--kubeconfig", t.cluster.admin_conf, "--board", f"board-3={board.address}/24").out
    board.config.write_text(render_ini(text.replace("/var/lib/tripod", str(board.data)),
                                       {("metrics", "listen"): f"{board.address}:{METRICS_PORT}"}))
    board.start()
    wait_for("it serves", board.ready, 60, 0.2)
    assert members(t) == ["board-1", "board-2", "board-3"]


def test_without_the_others_it_wants_force(t):
    board = t.cluster.board(3)
    for each in t.cluster.boards:
        each.stop()
    done = reset(t, board, "--yes", check=False)
    assert done.code != 0 and "could not leave the cluster" in done.err and "--force" in done.err, done
    assert (board.data / "etcd/raft.db").exists()
    done = reset(t, board, "--yes", "--force")
    assert "still in the cluster" in done.out and f"removed: {board.data}/pki" in done.out, done
    assert not list((board.data / "etcd").iterdir())
