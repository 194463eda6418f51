"""The etcd member seen through unmodified etcdctl over TLS, against each member."""

import re
import time

from harness import Failure, run


def test_put_and_get_on_each_member(t):
    for number in (1, 2, 3):
        assert t.etcdctl("put", "name", f"john {number}", boards=[number]).out == "OK\n"
        for other in (1, 2, 3):
            got = t.etcdctl("get", "name", boards=[other])
            assert got.out == f"name\njohn {number}\n", got
        assert t.etcdctl("get", "name", "--consistency=s", "--print-value-only", boards=[number]).out.startswith("john ")
    assert t.etcdctl("del", "name").out == "1\n"
    assert t.etcdctl("get", "name").out == ""


def test_old_client(t):
    assert t.etcdctl("put", "old/client", "yes", name="etcdctl-3.4").out == "OK\n"
    assert t.etcdctl("get", "old/client", "--print-value-only", name="etcdctl-3.4").out == "yes\n"


def test_range_options(t):
    for key, value in (("r/a", "3"), ("r/b", "1"), ("r/c", "2")):
        t.etcdctl("put", key, value)
    assert t.etcdctl("get", "r/", "--prefix", "--keys-only", "--order=DESCEND").out.split() == ["r/c", "r/b", "r/a"]
    by_value = t.etcdctl("get", "r/", "--prefix", "--sort-by=VALUE", "--print-value-only").out.split()
    assert by_value == ["1", "2", "3"], by_value
    assert t.etcdctl("get", "r/", "--prefix", "--limit=2", "--keys-only").out.split() == ["r/a", "r/b"]
    assert t.etcdctl("get", "r/b", "--from-key", "--limit=1", "--keys-only").out.split() == ["r/b"]
    assert t.etcdctl("get", "r/a", "r/c", "--keys-only").out.split() == ["r/a", "r/b"]
    assert '"Count" : 3' in t.etcdctl("get", "r/", "--prefix", "--count-only", "-w", "fields").out
    old = t.etcdctl("get", "r/a", "-w", "json").json()["header"]["revision"]
    t.etcdctl("put", "r/a", "changed")
    assert t.etcdctl("get", "r/a", f"--rev={old}", "--print-value-only").out == "3\n"
    assert t.etcdctl("put", "r/a", "again", "--prev-kv").out.split() == ["OK", "r/a", "changed"]
    assert t.etcdctl("del", "r/", "--prefix", "--prev-kv").out.startswith("3\n")


def test_registry_is_visible(t):
    def missing():
        keys = t.etcdctl("get", "/", "--prefix", "--keys-only").out.split()
        return {"/registry/namespaces/default", "/registry/leases/kube-system/kube-controller-manager"} - set(keys)
    # The lease appears once somebody is elected, a moment after the cluster answers.
    t.eventually("the registry shows the namespace and the lease", lambda: not missing(), 30)


def test_txn(t):
    t.etcdctl("put", "flag", "on")
    text = 'value("flag") = "on"\nversion("absent") = "0"\n\nput flag off\nget flag\n\nput flag broken\n\n'
    done = t.etcdctl("txn", stdin=text)
    assert done.out.split("\n\n")[0] == "SUCCESS" and "flag\noff" in done.out, done
    done = t.etcdctl("txn", stdin='value("flag") = "on"\n\nput flag broken\n\nget flag\n\n')
    assert done.out.startswith("FAILURE") and "flag\noff" in done.out, done
    twice = t.etcdctl("txn", stdin='version("flag") > "0"\n\nput flag a\nput flag b\n\n\n', check=False)
    assert twice.code != 0 and "duplicate key given in txn request" in twice.err, twice


def test_watch(t):
    watch = t.etcdctl_background("watch", "w/", "--prefix", "--prev-kv", boards=[2])
    # A watch shows no sign of having begun: write until it reports something.
    def seen():
        t.etcdctl("put", "w/begin", "1", boards=[1])
        return watch.lines
    t.eventually("the watch begins", seen, 15)
    t.etcdctl("put", "w/key", "first", boards=[3])
    t.etcdctl("put", "w/key", "second", boards=[1])
    t.etcdctl("del", "w/key", boards=[2])
    watch.wait_for_line("DELETE", lambda line: line == "DELETE")
    begin = watch.lines.index("first") - 2
    t.eventually("all lines", lambda: len(watch.lines) == begin + 13, 5)
    tail = [line for line in watch.lines[begin:] if line]
    assert tail == ["PUT", "w/key", "first", "PUT", "w/key", "first", "w/key", "second", "DELETE", "w/key", "second",
                    "w/key"], tail


def test_watch_from_a_past_revision_and_compaction(t):
    first = t.etcdctl("put", "c/key", "1", "-w", "json").json()["header"]["revision"]
    t.etcdctl("put", "c/key", "2")
    last = t.etcdctl("put", "c/key", "3", "-w", "json").json()["header"]["revision"]
    watch = t.etcdctl_background("watch", "c/key", f"--rev={first}")
    watch.wait_for_line("the last value", lambda line: line == "3")
    assert [n for n in watch.stop() if n in "123" and n] == ["1", "2", "3"], watch.lines
    done = t.etcdctl("compaction", last)
    assert f"compacted revision {last}" in done.out, done
    late = t.etcdctl("get", "c/key", f"--rev={first}", check=False)
    assert late.code != 0 and "etcdserver: mvcc: required revision has been compacted" in late.err, late
    future = t.etcdctl("get", "c/key", f"--rev={last + 100000}", check=False)
    assert future.code != 0 and "etcdserver: mvcc: required revision is a future revision" in future.err, future
    watch = t.etcdctl_background("watch", "c/key", f"--rev={first}")
    watch.wait_for_line("the refusal", lambda line: "required revision has been compacted" in line)


def test_leases(t):
    granted = t.etcdctl("lease", "grant", "60").out
    lease = re.fullmatch(r"lease ([0-9a-f]{16}) granted with TTL\(60s\)\n", granted).group(1)
    t.etcdctl("put", "l/key", "held", f"--lease={lease}")
    kept = t.etcdctl("lease", "keep-alive", "--once", lease, boards=[2]).out
    assert kept == f"lease {lease} keepalived with TTL(60)\n", kept
    info = t.etcdctl("lease", "timetolive", lease, "--keys", boards=[3]).out
    assert re.search(r"granted with TTL\(60s\), remaining\(\d+s\), attached keys\(\[l/key\]\)", info), info
    assert lease in t.etcdctl("lease", "list").out
    assert t.etcdctl("lease", "revoke", lease).out == f"lease {lease} revoked\n"
    assert t.etcdctl("get", "l/key").out == ""
    missing = t.etcdctl("lease", "revoke", lease, check=False)
    assert missing.code != 0 and "etcdserver: requested lease not found" in missing.err, missing
    assert t.etcdctl("put", "l/x", "1", "--lease=1234", check=False).code != 0


def test_lease_expires(t):
    lease = t.etcdctl("lease", "grant", "2").out.split()[1]
    begin = time.monotonic()
    t.etcdctl("put", "e/key", "brief", f"--lease={lease}")
    t.eventually("the key expires", lambda: t.etcdctl("get", "e/key").out == "", 15)
    if time.monotonic() - begin < 1.5:
        raise Failure("the lease expired before its time")


def test_endpoint_status_and_health(t):
    table = t.etcdctl("endpoint", "status", "-w", "table").out
    rows = [[c.strip() for c in re.split("[|\u2502]", line)[1:]] for line in table.splitlines() if "https:" in line]
    assert sorted(r[0] for r in rows) == sorted(b.client_url for b in t.cluster.boards), table
    assert sorted(r[4] for r in rows) == ["false", "false", "true"], table
    assert all(re.fullmatch(r"3\.6\.\d+", r[2]) for r in rows), table
    health = t.etcdctl("endpoint", "health")
    assert (health.out + health.err).count("is healthy") == 3, health


def test_member_list(t):
    members = t.etcdctl("member", "list", "-w", "json").json()["members"]
    assert sorted(m["name"] for m in members) == ["board-1", "board-2", "board-3"], members
    for member in members:
        board = t.cluster.board(int(member["name"][-1]))
        assert member["clientURLs"] == [board.client_url], members
        assert member["peerURLs"] == [f"https://{board.address}:2380"], members


def test_no_certificate_no_entry(t):
    environment = {k: v for k, v in t.etcd_environment([1]).items() if k not in ("ETCDCTL_CERT", "ETCDCTL_KEY")}
    done = run([t.client("etcdctl"), "get", "name", "--command-timeout=3s"], env=environment, check=False, timeout=20)
    assert done.code != 0 and done.out == "", done
    admin = {**t.etcd_environment([1]), "ETCDCTL_CERT": str(t.cluster.pki / "admin.crt"),
             "ETCDCTL_KEY": str(t.cluster.pki / "admin.key")}
    done = run([t.client("etcdctl"), "get", "name", "--command-timeout=3s"], env=admin, check=False, timeout=20)
    assert done.code != 0 and done.out == "", done


def test_watch_survives_a_leader_change(t):
    leader = t.leader()
    others = [n for n in (1, 2, 3) if n != leader]
    # One watch sits on the board that dies and has to move, one on a survivor.
    moving = t.etcdctl_background("watch", "s/", "--prefix", boards=[leader, *others])
    staying = t.etcdctl_background("watch", "s/", "--prefix", boards=others)
    def begun():
        t.etcdctl("put", "s/begin", "x")
        return moving.lines and staying.lines
    t.eventually("the watches begin", begun, 15)

    acknowledged = []
    for index in range(60):
        if index == 20:
            t.cluster.board(leader).kill()
        done = t.etcdctl("put", f"s/{index:03}", "v", "--command-timeout=8s", boards=others, check=False)
        if done.code == 0:
            acknowledged.append(f"s/{index:03}")
    assert len(acknowledged) >= 55, acknowledged
    for watch in (moving, staying):
        watch.wait_for_line("the last write", lambda line: line == acknowledged[-1])
        seen = [line for line in watch.lines if re.fullmatch(r"s/\d+", line)]
        lost = [key for key in acknowledged if key not in seen]
        assert not lost, f"lost: {lost}"
        assert seen == sorted(set(seen)), f"out of order or twice: {seen}"
    t.cluster.board(leader).start()
    t.cluster.wait_ready(30)
    t.eventually("the dead member catches up", lambda: t.etcdctl(
        "get", acknowledged[-1], "--consistency=s", "--keys-only", boards=[leader]).out.split() == acknowledged[-1:], 20)


def test_check_perf(t):
    done = t.etcdctl("check", "perf", "--load=s", timeout=120, check=False)
    text = done.out + done.err
    assert done.code == 0 and text.count("PASS") >= 4 and "FAIL" not in text, text
