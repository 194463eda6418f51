"""Disaster recovery: a snapshot becomes a new cluster of three, and a real etcd moves in."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import Failure, peer, run, tripod_cluster

BOARDS = 3
SAVED = {}
BUMP = 1_000_000


def tool(t, *arguments):
    return t.cluster.run_tool("snapshot", *arguments)


def refusal(t, *arguments):
    done = run([t.cluster.binary, "snapshot", *arguments], check=False)
    assert done.code == 1, done
    return done.err


def tls_flags(t):
    pki = t.cluster.pki
    return ["--cacert", pki / "etcd-ca.crt", "--cert", pki / "etcd-client.crt", "--key", pki / "etcd-client.key"]


def status(t, path):
    return run([t.cluster.binary, "snapshot", "status", path, "-w", "json"]).json()


def revision_of(t):
    return t.endpoint_status(1)["header"]["revision"]


def everything(t, prefix):
    """Keys below a prefix with all that goes with them."""
    found = t.etcdctl("get", prefix, "--prefix", "-w", "json").json().get("kvs", [])
    return {kv["key"]: {k: v for k, v in kv.items() if k != "key"} for kv in found}


def start_again(t, path, *flags):
    """Every board loses its data and gets the file's."""
    t.cluster.stop()
    members = ",".join(f"{b.name}=https://{b.address}:{tripod_cluster.PEER_PORT}" for b in t.cluster.boards)
    for board in t.cluster.boards:
        shutil.rmtree(board.data / "etcd")
        told = tool(t, "restore", path, "--data-dir", board.data / "etcd", "--name", board.name, "--initial-cluster", members,
                    "--initial-advertise-peer-urls", f"https://{board.address}:{tripod_cluster.PEER_PORT}", *flags)
        assert "3 members" in told, told
    t.cluster.start()
    t.cluster.wait_ready(30)
    t.cluster.wait_balancer()


def test_save_is_whole_and_told(t):
    for i in range(50):
        t.etcdctl("put", f"saved/{i % 20}", f"value-{i}")
    t.etcdctl("del", "saved/3")
    lease = t.etcdctl("lease", "grant", "600").out.split()[1]
    t.etcdctl("put", "saved/leased", "x", f"--lease={lease}")
    t.kubectl("create", "configmap", "before", "--from-literal=a=1")
    path = t.folder / "saved.db"
    told = tool(t, "save", path, "--endpoints", t.cluster.board(2).client_url, *tls_flags(t))
    assert "Snapshot saved at" in told, told
    SAVED.update(path=path, lease=lease, keys=everything(t, "saved/"), revision=revision_of(t))
    found = status(t, path)
    assert SAVED["revision"] - 5 <= found["revision"] <= SAVED["revision"], (found, SAVED["revision"])
    assert found["totalSize"] == path.stat().st_size and found["totalKey"] > 50 and found["version"] == "3.6.0", found
    table = tool(t, "status", path, "--write-out=table")
    assert "| TOTAL KEYS |" in table and f"{found['hash']:x}" in table, table
    by_etcdctl = t.folder / "etcdctl.db"
    t.etcdctl("snapshot", "save", by_etcdctl, boards=[1])
    assert status(t, by_etcdctl)["revision"] >= found["revision"]


def test_what_is_wrong_is_said(t):
    path = SAVED["path"]
    assert "expected save, status, restore or import" in refusal(t, "take")
    assert "expected one FILE" in refusal(t, "status")
    assert "--endpoints" in refusal(t, "save", t.folder / "x.db")
    assert "--cacert" in refusal(t, "save", t.folder / "x.db", "--endpoints", t.cluster.board(1).client_url)
    plain = t.cluster.board(1).client_url.replace("https://", "http://")
    assert "answers https:// only" in refusal(t, "save", t.folder / "x.db", "--endpoints", plain)
    nobody = refusal(t, "save", t.folder / "x.db", "--endpoints", plain.replace(":2379", ":1"))
    assert "connection refused" in nobody and "https://" not in nobody, nobody
    assert "expected simple, json or table" in refusal(t, "status", path, "-w", "yaml")
    changed = t.folder / "changed.db"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    assert "expected sha256" in refusal(t, "status", changed)
    place = t.folder / "place"
    cluster = ["--data-dir", place, "--name", "a", "--initial-cluster", "a=https://10.0.0.1:2380"]
    assert "expected sha256" in refusal(t, "restore", changed, *cluster)
    changed.write_bytes(content[:-32])
    shutil.rmtree(place, ignore_errors=True)
    assert "snapshot missing hash" in refusal(t, "restore", changed, *cluster)
    assert "--mark-compacted" in refusal(t, "restore", path, *cluster, "--bump-revision", "5")
    shutil.rmtree(place, ignore_errors=True)
    assert "does not name this member" in refusal(t, "restore", path, *cluster[:2], "--name", "b", *cluster[4:])
    assert "not empty" in refusal(t, "restore", path, "--data-dir", t.cluster.board(1).data / "etcd", *cluster[2:])
    changed.write_bytes(b"bbolt" * 5000)
    assert "missing hash" in refusal(t, "status", changed)


def test_a_snapshot_becomes_a_new_cluster(t):
    t.etcdctl("put", "saved/after", "lost with the old cluster")
    t.kubectl("create", "configmap", "after", "--from-literal=a=1")
    watched = revision_of(t)
    before = {m["ID"] for m in t.etcdctl("member", "list", "-w", "json").json()["members"]}
    start_again(t, SAVED["path"], "--initial-cluster-token", "tripod", "--bump-revision", str(BUMP), "--mark-compacted")
    assert everything(t, "saved/") == SAVED["keys"]
    assert revision_of(t) > BUMP
    watch = t.etcdctl("watch", "saved/", "--prefix", f"--rev={watched}", check=False)
    assert "required revision has been compacted" in watch.err + watch.out, watch
    left = t.etcdctl("lease", "timetolive", SAVED["lease"], "--keys").out
    assert "saved/leased" in left and "granted with TTL(600s)" in left, left
    members = t.etcdctl("member", "list", "-w", "json").json()["members"]
    assert {m["ID"] for m in members} == before and sorted(m["name"] for m in members) == ["board-1", "board-2", "board-3"]
    for number in (1, 2, 3):
        t.etcdctl("put", f"saved/new-{number}", "1", boards=[number])
    hashes = {e["HashKV"]["hash"] for e in t.etcdctl("endpoint", "hashkv", f"--rev={revision_of(t)}", "-w", "json").json()}
    assert len(hashes) == 1, hashes
    assert "before" in t.kubectl("get", "configmap", "-o", "name").out
    assert "configmap/after" not in t.kubectl("get", "configmap", "-o", "name").out
    t.kubectl("create", "configmap", "again", "--from-literal=a=1")


class RealEtcd:
    """One real etcd on an address of the cluster's own, without TLS."""

    def __init__(self, t):
        address = f"{t.cluster.addresses[0].rpartition('.')[0]}.31"
        self.url = f"http://{address}:{tripod_cluster.CLIENT_PORT}"
        peers = f"http://{address}:{tripod_cluster.PEER_PORT}"
        self.data = tempfile.mkdtemp(prefix="etcd-", dir=t.folder)
        self.child = subprocess.Popen(
            [peer("etcd"), "--name=real", f"--data-dir={self.data}", f"--listen-client-urls={self.url}",
             f"--advertise-client-urls={self.url}", f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
             f"--initial-cluster=real={peers}", "--log-level=error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.cleanups.callback(self.stop)
        t.eventually("the real etcd answers", lambda: self.etcdctl(t, "get", "x", check=False).code == 0, 20)

    def etcdctl(self, t, *arguments, **how):
        return run([t.client("etcdctl"), *arguments], env={"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": self.url}, **how)

    def stop(self):
        self.child.kill()
        self.child.wait()


def test_a_real_etcd_moves_in(t):
    real = RealEtcd(t)
    lease = real.etcdctl(t, "lease", "grant", "500").out.split()[1]
    operations = "\n" + "".join(f'put moved/{i:04d} "value {i}"\n' for i in range(100)) + "\n\n"
    real.etcdctl(t, "txn", stdin=operations)
    for i in range(20):
        real.etcdctl(t, "put", f"moved/{i:04d}", f"again {i}")
    real.etcdctl(t, "del", "moved/0005")
    real.etcdctl(t, "put", "moved/leased", "x", f"--lease={lease}")
    wanted = {kv["key"]: {k: v for k, v in kv.items() if k != "key"}
              for kv in real.etcdctl(t, "get", "", "--prefix", "-w", "json").json()["kvs"]}
    revision = real.etcdctl(t, "endpoint", "status", "-w", "json").json()[0]["Status"]["header"]["revision"]
    path = Path(t.folder) / "imported.db"
    told = tool(t, "import", path, "--from", real.url)
    assert f"{len(wanted)} keys and 1 leases at revision {revision}" in told, told
    assert "is there already" in refusal(t, "import", path, "--from", real.url)
    assert status(t, path)["revision"] == revision
    real.stop()
    start_again(t, path)
    assert everything(t, "moved/") == wanted
    left = t.etcdctl("lease", "timetolive", lease, "--keys").out
    assert "moved/leased" in left and "granted with TTL(500s)" in left, left
    old = t.etcdctl("get", "moved/0001", f"--rev={revision - 1}", check=False)
    assert "required revision has been compacted" in old.err, old
    put = t.etcdctl("put", "moved/new", "1", "-w", "json").json()
    if put["header"]["revision"] <= revision:
        raise Failure(f"the revision went back: {put} after {revision}")
