"""tools/cluster on a cluster that is not the default one: it finds the boards by their own files, says what it did, and what
to do when a majority is missing."""

import re

from harness import run, tripod_cluster, wait_for


def tool(t, *arguments, data=None, check=True):
    folder = ["--data", data or t.cluster.folder]
    return run([tripod_cluster.ROOT / "tools/cluster", *folder, *arguments], check=check)


def refused(t, *arguments, data=None):
    done = tool(t, *arguments, data=data, check=False)
    assert done.code != 0 and "Traceback" not in done.err, done
    return done.err


def test_boards_are_found_by_their_files(t):
    lines = tool(t, "status").out.splitlines()
    for board in t.cluster.boards:
        assert any(re.match(rf"{board.name} +{re.escape(board.address)} +{board.pid()} +ready ", n) for n in lines), lines


def test_status_says_who_leads(t):
    def leading():
        lines = [re.split(r"[ ,]+", line) for line in tool(t, "status").out.splitlines()[1:]]
        found = {name: [words[0] for words in lines if name in words] for name in ("etcd", "controller-manager", "scheduler")}
        return found if all(len(boards) == 1 for boards in found.values()) else None
    assert wait_for("one board leads each", leading, 20)["etcd"] == [f"board-{t.leader()}"]


def test_wrong_prefix(t):
    for prefix in ("127.0.9", "127.0.9.11", "127.0.999.", "board."):
        assert f"`{prefix}`: expected three numbers and a dot, as 127.0.0." in refused(t, "--prefix", prefix, "status")
    other = refused(t, "status", "--prefix", "127.0.9.")
    assert t.cluster.addresses[0] in other and f"--data {t.cluster.folder.name}" not in other, other
    assert "down --wipe" in other and "--data" in other, other


def test_no_cluster(t):
    told = refused(t, "--prefix", "127.0.9.", "status", data=t.folder / "none")
    assert re.search(r"no cluster in \S*none; run: tools/cluster --data \S*none --prefix 127\.0\.9\. up", told), told


def test_each_command_says_what_it_did(t):
    assert "board-3 paused" in tool(t, "pause", "3").out
    assert "paused; run: tools/cluster --data " in refused(t, "start", "3")
    assert "board-3 resumed" in tool(t, "resume", "3").out
    assert re.search(r"board-3 is running already, pid \d+", tool(t, "start", "3").out)
    killed = tool(t, "kill", "1").out
    assert re.search(r"board-1 killed; it balances 6443: .*board-2\.conf or \S*board-3\.conf", killed), killed
    assert t.kubectl("get", "namespaces", board=2).code == 0  # as it says
    assert "board-1 is not running" in refused(t, "stop", "1")
    assert "board-1 is ready" in tool(t, "start", "1").out
    assert tool(t, "stop", "2").out == "board-2 stopped\n"
    assert "board-2 is ready" in tool(t, "start", "2").out
    t.cluster.wait_ready(30)


def test_start_without_a_majority(t):
    said = [tool(t, "kill", str(number)).out for number in (1, 2, 3)]
    assert ["1 of 3 boards run and 2 are needed" in words for words in said] == [False, True, False], said
    done = tool(t, "start", "2", check=False)
    assert "waiting: 1 of 3 boards run\n" in done.out, done
    assert done.code != 0 and re.search(r"board-2 runs, and will be ready when 2 of 3 do; .* start 1\n", done.err), done
    assert "board-1 is ready" in tool(t, "start", "1").out
    assert "board-3 is ready" in tool(t, "start", "3").out


def test_usage(t):
    for program, words in (("cluster", "127.0.0. by default"), ("test", "functional"), ("peers", "path NAME")):
        done = run([tripod_cluster.ROOT / "tools" / program, "--help"])
        assert words in done.out, done


def test_down(t):
    done = tool(t, "down").out
    assert re.search(r"stopped board-1, board-2, board-3; the data stays in \S*cluster\n", done), done
    assert "nothing was running" in tool(t, "down").out
    t.cluster.start()
    t.cluster.wait_ready(60)
