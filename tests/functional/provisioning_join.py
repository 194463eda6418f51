"""A fourth board joins three that run, by a token: with no certificate of its own to begin with, over power cuts at every
step, and only with the right token, the right authority and a name that is free. And it is taken out again."""

import json
import re
import shutil
import stat
import time

from harness import Failure, run, wait_for
from tripod_cluster import BALANCER_PORT, METRICS_PORT, render_ini

BOARDS = 4
CLUSTER = False  # three boards found it; the fourth joins
SIGNERS = (1, 2)  # board 3 holds no authority's key, and sends whoever asks it to the others


def tripod(t, *arguments, check=True):
    return run([t.cluster.binary, *arguments], check=check)


def token(t, *arguments):
    return tripod(t, "token", "create", "--kubeconfig", t.cluster.admin_conf, *arguments).out


def joining_ini(t, board, **changes):
    """As `token create --board` prints it, with the paths and the metrics of a board on this machine."""
    text = token(t, "--board", f"{board.name}={board.address}/24")
    text = text.replace("/var/lib/tripod", str(board.data))
    changed = {("metrics", "listen"): f"{board.address}:{METRICS_PORT}"}
    return render_ini(text, changed | {tuple(k.split("__", 1)): v for k, v in changes.items()})


def wipe(board):
    board.kill()
    shutil.rmtree(board.data, ignore_errors=True)
    board.data.mkdir()


def members(t):
    """By name: whether it votes. One that has not started goes by its peer URL."""
    listed = t.etcdctl("member", "list", "-w", "json", boards=[1]).json()["members"]
    return {m.get("name") or m["peerURLs"][0]: not m.get("isLearner", False) for m in listed}


def expect_member(t, board, timeout=60):
    def there():
        t.cluster.alive(board)
        return members(t).get(board.name) and board.ready()
    wait_for(f"{board.name} votes and serves", there, timeout, 0.2)


def remove(t, board):
    """Others have to have been connected for five seconds before members may change."""
    done = wait_for("the board is removed", lambda: (
        d := tripod(t, "board", "remove", board.name, "--kubeconfig", t.cluster.admin_conf, check=False)).code == 0 and d, 30, 0.5)
    assert board.name not in members(t)
    return done


def refused_to_join(t, board, text, expected, timeout=30):
    wipe(board)
    board.config.write_text(text)
    board.start()
    board.wait_gone(timeout)
    log = board.log_tail(15)
    assert re.search(expected, log), log
    assert sorted(members(t)) == ["board-1", "board-2", "board-3"], members(t)


def test_three_boards_found_the_cluster(t):
    t.cluster.found(t.cluster.boards[:3])
    for board in t.cluster.boards[:3]:
        if board.number in SIGNERS:
            t.cluster.configure(board, {("node", "ca-key-file"): f"{t.cluster.pki}/ca.key",
                                        ("node", "etcd-ca-key-file"): f"{t.cluster.pki}/etcd-ca.key"})
        board.start()
    t.cluster.wait_ready(30, t.cluster.boards[:3])
    t.cluster.wait_balancer()
    assert sorted(members(t)) == ["board-1", "board-2", "board-3"]


def test_tokens_are_made_listed_and_deleted(t):
    lines = token(t, "--ttl", "1h")
    made = re.search(r"join-token = (([a-z0-9]{6})\.[a-z0-9]{16})\n", lines)
    assert made and "\n[node]\njoin = https://" in lines and re.search(r"join-ca-hash = sha256:[0-9a-f]{64}\n", lines), lines
    identity = made.group(2)
    secret = t.kubectl("get", "secret", "-n", "kube-system", f"bootstrap-token-{identity}", "-o", "json").json()
    assert secret["type"] == "bootstrap.kubernetes.io/token", secret
    listed = tripod(t, "token", "list", "--kubeconfig", t.cluster.admin_conf).out
    assert re.search(rf"^{identity} .*authentication,signing +system:bootstrappers:tripod:boards$", listed, re.M), listed
    assert made.group(1).split(".")[1] not in listed
    info = t.kubectl("get", "configmap", "-n", "kube-public", "cluster-info", "-o", "json").json()
    assert f"jws-kubeconfig-{identity}" in info["data"], info
    tripod(t, "token", "delete", identity, "--kubeconfig", t.cluster.admin_conf)
    assert t.kubectl("get", "secret", "-n", "kube-system", f"bootstrap-token-{identity}", check=False).code != 0
    info = t.kubectl("get", "configmap", "-n", "kube-public", "cluster-info", "-o", "json").json()
    assert f"jws-kubeconfig-{identity}" not in info["data"], info


def test_a_token_is_an_identity_and_no_more_than_that(t):
    """What a token may: find the cluster. Not: read its objects. And a wrong secret is nobody."""
    made = re.search(r"join-token = (\S+)", token(t)).group(1)
    context = t.cluster.tls()
    url = f"https://{t.cluster.board(1).address}:{BALANCER_PORT}"

    def curl(path, *more):
        return run(["curl", "-s", "--cacert", t.cluster.pki / "ca.crt", *more, url + path]).json()

    assert context
    assert curl("/api/v1/namespaces/kube-public/configmaps/cluster-info")["kind"] == "ConfigMap"
    assert curl("/api/v1/namespaces/kube-public/configmaps/other")["code"] == 401
    assert curl("/api/v1/namespaces/kube-public/configmaps")["code"] == 401
    bearer = ("-H", f"Authorization: Bearer {made}")
    denied = curl("/api/v1/namespaces/kube-system/secrets", *bearer)
    assert denied["code"] == 403 and f"system:bootstrap:{made[:6]}" in denied["message"], denied
    assert curl("/api", *bearer)["kind"] == "APIVersions"
    wrong = curl("/api", "-H", f"Authorization: Bearer {made[:-1]}{'a' if made[-1] != 'a' else 'b'}")
    assert wrong["code"] == 401, wrong


def test_bad_lines_are_named(t):
    good = joining_ini(t, t.cluster.board(4))
    for key, value, expected in (("join", "http://192.168.1.11:6443", "as https://192.168.1.11:6443"),
                                 ("join-token", "abc", "as abcdef.0123456789abcdef"),
                                 ("join-ca-hash", "sha256:12", "64 hexadecimal digits"),
                                 ("client-cert-file", None, "expected a file")):
        path = t.write("bad.ini", render_ini(re.sub(rf"(?m)^{key} = .*\n", "", good), {("node", key): value}))
        done = tripod(t, "check-config", path, "--no-files", check=False)
        assert done.code != 0 and f"{key}" in done.err and expected in done.err, done
    assert tripod(t, "check-config", t.write("good.ini", good), "--no-files").out.endswith("ok\n")
    done = tripod(t, "token", "create", "--ttl", "soon", check=False)
    assert done.code != 0 and "--ttl" in done.err and "as 24h" in done.err, done
    done = tripod(t, "board", "remove", "board-9", "--kubeconfig", t.cluster.admin_conf, check=False)
    assert done.code != 0 and 'no board "board-9"; the members are board-' in done.err, done


def test_a_token_that_cannot_be_published_is_taken_back(t):
    """For nobody was told of it. Here a cluster-info that nothing may change stands in the way."""
    token(t)
    before = tripod(t, "token", "list", "--kubeconfig", t.cluster.admin_conf).out
    info = ["-n", "kube-public", "configmap", "cluster-info"]
    t.kubectl("patch", *info, "-p", '{"immutable": true}')
    done = tripod(t, "token", "create", "--kubeconfig", t.cluster.admin_conf, check=False)
    assert done.code != 0 and "cluster-info" in done.err and "immutable" in done.err, done
    assert tripod(t, "token", "list", "--kubeconfig", t.cluster.admin_conf).out == before
    t.kubectl("delete", *info)
    token(t)


def test_a_nodes_token_brings_in_no_board(t):
    board = t.cluster.board(4)
    made = token(t, "--nodes").splitlines()[1]
    refused_to_join(t, board, joining_ini(t, board, **{"node__join-token": made}), "may not ask for certificates.*tripod:boards")


def test_an_unknown_token_or_another_authority_is_refused(t):
    board = t.cluster.board(4)
    pin = "sha256:" + "0" * 64
    refused_to_join(t, board, joining_ini(t, board, **{"node__join-ca-hash": pin}), "another cluster, or somebody is in between")
    text = joining_ini(t, board)
    made = re.search(r"join-token = (\S+)", text).group(1)
    other = made[:7] + made[7:][::-1]
    refused_to_join(t, board, text.replace(made, other), "signature of cluster-info")


def test_a_name_that_is_taken_is_refused(t):
    board = t.cluster.board(4)
    text = joining_ini(t, board).replace("name = board-4\n", "name = board-3\n")
    refused_to_join(t, board, text, '"board-3" is a member of the cluster already')


def test_a_board_joins(t):
    t.kubectl("create", "configmap", "before", "-n", "default")
    board = t.cluster.board(4)
    wipe(board)
    board.config.write_text(joining_ini(t, board))
    board.start()
    expect_member(t, board)
    assert "before" in t.kubectl("get", "configmaps", "-n", "default", "-o", "name", board=4).out
    assert "unhealthy" not in t.etcdctl("endpoint", "health", boards=[1, 2, 3, 4]).out
    own = board.data / "pki/board-4"
    assert sorted(p.name for p in own.iterdir()) == sorted(
        f"{use}.{half}" for use in ("apiserver", "board", "etcd-peer", "etcd-server") for half in ("crt", "key"))
    for key in own.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key
        assert key.read_text() != (t.cluster.pki / "board-4" / key.name).read_text()
    assert not list(board.data.rglob("*ca.key"))
    # The balancer's address is among the names, so that it may be one of its backends.
    said = run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", own / "apiserver.crt"]).out
    assert t.cluster.board(1).address in said and board.address in said and "kubernetes.default.svc" in said, said


def test_it_starts_again_without_the_token(t):
    board = t.cluster.board(4)
    identity = re.search(r"join-token = (\w+)", board.config.read_text()).group(1)
    tripod(t, "token", "delete", identity, "--kubeconfig", t.cluster.admin_conf)
    board.kill()
    board.start()
    expect_member(t, board)


def test_a_board_is_removed_and_does_not_come_back_with_its_data(t):
    board = t.cluster.board(4)
    said = remove(t, board).out
    assert "board-4: etcd member" in said and "board-1" in said, said
    board.wait_gone(20)
    board.start()
    board.wait_gone(20)
    assert "permanently removed" in board.log_tail(), board.log_tail()


def test_a_board_that_was_removed_is_not_brought_back_by_its_certificate(t):
    """It is valid for months yet; what counts is the list of members. A new token brings the board back."""
    board = t.cluster.board(4)
    own = board.data / "pki/board-4"

    def post(path, body):
        return run(["curl", "-s", "--cacert", t.cluster.pki / "ca.crt", "--cert", own / "board.crt", "--key", own / "board.key",
                    "-H", "Content-Type: application/json", "-d", json.dumps(body),
                    f"https://{t.cluster.board(1).address}:{BALANCER_PORT}/tripod/v1/boards/board-4/{path}"]).json()

    for path, body in (("member", {"peerURLs": [board.peer_url]}), ("certificates", {"names": [], "requests": {}})):
        refused = post(path, body)
        assert refused["code"] == 403 and "no member of the cluster" in refused["message"], refused
        assert "tripod token create" in refused["message"], refused
    board.lose_etcd_data()
    begin = len(board.log_file.read_text())
    board.start()  # with certificates that are whole, and the token that was deleted
    wait_for("it wants a token", lambda: "cluster-info is not signed for token" in board.log_file.read_text()[begin:], 20)
    assert sorted(members(t)) == ["board-1", "board-2", "board-3"], members(t)
    board.kill()
    certificate = (own / "board.crt").read_bytes()
    board.config.write_text(joining_ini(t, board))
    board.start()
    expect_member(t, board)
    assert (own / "board.crt").read_bytes() == certificate
    remove(t, board)
    board.wait_gone(20)


def test_power_cuts_while_it_joins(t):
    """Killed after each thing that it says it has done, and at moments in between; each time it goes on where it was."""
    board = t.cluster.board(4)
    steps = ("made a key", "has its certificates", "has a place as a learner", "asked for a vote")
    for cuts in (steps, *[(s,) for s in (0.05, 0.1, 0.25, 0.6)]):
        wipe(board)
        wait_for("the cluster is quiet", lambda: len(members(t)) == 3, 20)
        board.config.write_text(joining_ini(t, board))
        for cut in cuts:
            begin = len(board.log_file.read_text()) if board.log_file.exists() else 0
            board.start()
            if isinstance(cut, float):
                time.sleep(cut)  # the moment is what is tested
            else:
                seen = wait_for(cut, lambda: cut in board.log_file.read_text()[begin:] or members(t).get(board.name), 30, 0.005)
                assert seen
            board.kill()
        board.start()
        expect_member(t, board)
        remove(t, board)
        board.wait_gone(20)


def test_a_place_that_was_never_taken_is_taken_later(t):
    """The learner stays in the list while the board is away, and the cluster goes on without it."""
    board = t.cluster.board(4)
    wipe(board)
    board.config.write_text(joining_ini(t, board))
    begin = len(board.log_file.read_text())
    board.start()
    wait_for("it has a place", lambda: "has a place" in board.log_file.read_text()[begin:], 30, 0.005)
    board.kill()
    t.kubectl("create", "configmap", "meanwhile", "-n", "default")
    board.start()
    expect_member(t, board)
    assert "meanwhile" in t.kubectl("get", "configmaps", "-n", "default", "-o", "name", board=4).out


def test_lost_data_are_said_and_mended_by_removing_it(t):
    board = t.cluster.board(4)
    board.kill()
    board.lose_etcd_data()
    board.start()
    board.wait_gone(30)
    assert re.search("has started before.*tripod board remove board-4", board.log_tail()), board.log_tail()
    remove(t, board)
    board.start()  # with the certificates it has, and the token
    expect_member(t, board)


def test_a_board_with_neither_certificates_nor_a_token_waits(t):
    """It makes its keys, says what is missing, and goes on when that is there; it does not end."""
    board = t.cluster.board(4)
    remove(t, board)
    board.wait_gone(20)
    wipe(board)
    text = re.sub(r"(?m)^join.*\n", "", joining_ini(t, board))
    text = render_ini(text, {("etcd", "initial-cluster"): f"board-4={board.peer_url}"})
    board.config.write_text(text)
    begin = len(board.log_file.read_text())
    board.start()
    wait_for("it says what is missing", lambda: "waits for certificates" in board.log_file.read_text()[begin:], 10)
    own = board.data / "pki/board-4"
    keys = {k.name: k.read_text() for k in own.glob("*.key")}
    assert sorted(keys) == ["apiserver.key", "board.key", "etcd-peer.key", "etcd-server.key"], keys
    assert "tripod token create" in board.log_tail()
    t.cluster.alive(board)
    for pair in (t.cluster.pki / "board-4").iterdir():
        shutil.copy(pair, own / pair.name)
    for name in ("ca.crt", "etcd-ca.crt"):
        shutil.copy(t.cluster.pki / name, board.data / "pki" / name)
    wait_for("it serves, a cluster of its own", board.ready, 30)
    assert json.loads(board.get("/api")[1])["kind"] == "APIVersions"
    if not board.stop():
        raise Failure("it did not stop by itself")
