"""Wrong files, wrong certificates, a full disk, a broken page, hostile bytes: one clear message or the protocol's error,
and never a crash, a hang or a lost write."""

import http.client
import json
import os
import random
import re
import shutil
import socket
import ssl
import subprocess

from harness import Failure, run, tripod_cluster
from tripod_cluster import API_PORT, BALANCER_PORT, CLIENT_PORT, PEER_PORT, render_ini


def tripod(t, *arguments, timeout=20):
    """A run that is expected to end by itself, with an error and not by a signal."""
    done = run([t.cluster.binary, *arguments], check=False, timeout=timeout)
    if done.code < 0 or done.code >= 128:
        raise Failure(f"ended by a signal\n{done}")
    return done


def refused(t, config, *needles):
    """`tripod run` with that file ends with one message that has all the needles."""
    done = tripod(t, "run", "--config", config)
    text = done.out + done.err
    missing = [n for n in needles if not re.search(n, text)]
    if done.code == 0 or missing:
        raise Failure(f"no {missing} in\n{done}")
    return text


def changed(t, name, board=3, **how):
    """A copy of a board's file with some keys changed: section__key=value."""
    keys = {tuple(k.replace("_", "-") for k in key.split("__")): value for key, value in how.items()}
    return t.write(name, render_ini(t.cluster.board(board).config.read_text(), keys))


# Files


def test_shipped_files_are_good(t):
    for number in (1, 2, 3):
        shipped = tripod_cluster.ROOT / f"config/board-{number}.ini"
        for words in ((shipped, "--no-files"), ("--no-files", shipped)):
            done = tripod(t, "check-config", *words)
            assert done.code == 0, done
        done = tripod(t, "check-config", shipped, f"--etcd.cert-file={t.folder}/none.crt")
        assert done.code != 0 and "[etcd] cert-file" in done.err and "no such file" in done.err, done
        assert tripod(t, "check-config", t.cluster.board(number).config).code == 0


def bad_file(t, text, line, *needles):
    path = t.write("bad.ini", text)
    done = tripod(t, "check-config", path)
    out = done.out + done.err
    assert done.code != 0, done
    assert f"{path}:{line}" in out, f"no `{path}:{line}` in\n{done}"
    for needle in needles:
        assert needle in out, f"no `{needle}` in\n{done}"
    assert tripod(t, "run", "--config", path).code != 0


def test_boards_that_cannot_be_planned(t):
    for words, said in (
            (["--address", "192.168.1.11"], '--address: "192.168.1.11": expected an address with its prefix'),
            (["--address", "192.168.1.11/24", "--gateway", "192.168.1.12"],
             '[board] gateway = "192.168.1.12": "192.168.1.12": that is the board itself'),
            (["--address", "192.168.1.11/24", "--gateway", "192.168.2.1"],
             '"192.168.2.1": expected an address in a network of the board\'s: 192.168.1.11/24'),
            (["--address", "192.168.1.0/24"], '--address: "192.168.1.0/24": that is the network\'s own address'),
            (["--address", "192.168.1.13/28"], '--address: "192.168.1.15/28": that is the network\'s broadcast address'),
            (["--address", "192.168.1.11/24", "--gateway", "router"],
             'gateway = "router": "router": expected an IP address')):
        done = tripod(t, "init", "--dir", t.folder / "planned", "--boards", "3", *words)
        assert done.code != 0 and said in done.err, done
        assert not (t.folder / "planned").exists(), words
    for boards, left in (("3", []), ("2", ["board-3"])):
        done = tripod(t, "init", "--dir", t.folder / "fewer", "--boards", boards, "--address", "192.168.1.11/24")
        said = [name for name in ("board-1", "board-2", "board-3") if f"{name} is not of this run" in done.out]
        assert done.code == 0 and said == left, done
    assert "no time server is named" in done.out, done
    done = tripod(t, "init", "--dir", "", "--boards", "2", "--address", "192.168.1.11/24")
    assert done.code != 0 and "--dir: expected the folder" in done.err, done
    done = tripod(t, "init", "--dir", t.folder / "planned", "--address", "192.168.1.11/24", "--nameservers", "router")
    assert done.code != 0 and 'tripod.ini of board-1' in done.err and '"router": expected an IP address' in done.err, done
    for words, said in ((["--board", "Board_4=192.168.1.14/24"], "expected a name of letters, digits"),
                        (["--board", "board-4=192.168.1.14/24", "--gateway", "router"],
                         'gateway = "router": "router": expected an IP address'),
                        (["--gateway", "192.168.1.1"], "--gateway: expected beside --board only")):
        done = tripod(t, "token", "create", *words)
        assert done.code != 0 and said in done.err, done
    done = tripod(t, "token", "create", "--board", "board-4=192.168.1.14")
    assert done.code != 0 and '--board: "192.168.1.14": expected an address with its prefix' in done.err, done


def test_a_file_that_somebody_edited_is_kept(t):
    def init(*more):
        return tripod(t, "init", "--dir", t.folder / "edited", "--boards", "2", "--address", "192.168.1.11/24", *more).out
    init()
    ini = t.folder / "edited/board-1/tripod.ini"
    mine = ini.read_text() + "# mine\n"
    ini.write_text(mine)
    said = init("--ntp-servers", "192.168.1.1")
    assert said.count("was another: it is ") == 2 and "no time server" not in said, said
    assert "ntp-servers = 192.168.1.1\n" in ini.read_text()
    assert "tripod.ini.old-2 now" in init()
    assert ini.with_suffix(".ini.old").read_text() == mine
    assert "was another" not in init()


def test_a_network_that_cannot_work_is_named(t):
    for gateway, said in (("192.168.2.1", "expected an address in a network of the board's: 192.168.1.14/24"),
                          ("fe80::1", "expected an IPv6 address for the board as well")):
        path = changed(t, "network.ini", board__address="192.168.1.14/24", board__gateway=gateway)
        done = tripod(t, "check-config", path)
        assert done.code == 1 and "[board] gateway" in done.err and said in done.err, done
    assert tripod(t, "check-config", changed(t, "network.ini", board__address="192.168.1.14/24, fd00::14/64",
                                             board__gateway="192.168.1.1, fe80::1")).code == 0


def test_help(t):
    for words in (["--help"], ["help"]):
        done = tripod(t, *words)
        assert done.code == 0 and done.out.startswith("usage: tripod COMMAND") and not done.err, done
    whole = done.out
    for words in (["help", "no-such-command"], ["no-such-command", "--help"]):
        done = tripod(t, *words)
        assert done.code == 2 and 'unknown command "no-such-command"' in done.err and "`tripod help`" in done.err, done
        assert "commands: run, check-config, init, pki, token, board, reset, snapshot, update, update-file, version, help;" in done.err, done
        assert done.err.count("\n") == 2, done
    for words in (["check-config"], ["pki", "init"], ["run"], ["pki"], ["token", "create"], ["update"], ["snapshot"]):
        for form in ([*words, "--help"], ["help", words[0]]):
            done = tripod(t, *form)
            first, _, rest = done.out.partition("\n")
            assert first == "usage: tripod ...", done
            entries = [line for line in rest.splitlines() if line.startswith("  ") and not line.startswith("   ")]
            assert done.code == 0 and not done.err and entries and all(line in whole for line in rest.splitlines()), done
            assert all(line.startswith(f"  {words[0]} ") for line in entries), done
            assert ("KUBECONFIG" in rest) == (words[0] in ("token", "update")), done
    done = tripod(t, "token")
    assert done.code == 2 and "token create" in done.err and "snapshot save" not in done.err, done


def test_certificates_follow_the_addresses(t):
    folder = t.folder / "moved"
    names = []
    for address in ("192.168.1.11/24", "192.168.1.11/24", "192.168.1.21/24"):
        done = tripod(t, "init", "--dir", folder, "--boards", "1", "--address", address)
        assert done.code == 0, done
        names.append(run(["openssl", "x509", "-in", folder / "board-1/pki/board-1/apiserver.crt", "-noout", "-fingerprint", "-ext",
                          "subjectAltName"]).out)
    assert names[0] == names[1] and "192.168.1.21" in names[2] and "192.168.1.11" not in names[2], names


def test_a_wrong_board_list_is_said_and_nothing_else(t):
    done = run([t.cluster.binary, "update", "status", "--boards", "foo", "--kubeconfig", t.cluster.admin_conf], check=False)
    assert done.code == 1 and '--boards "foo": expected an IP address' in done.err and "CHECK" not in done.err, done


def test_boards_are_shown_beside_one_that_is_silent(t):
    there = t.cluster.board(1).address
    done = run([t.cluster.binary, "update", "status", "--boards", f"{there}:1,{there}", "--kubeconfig", t.cluster.admin_conf],
               check=False)
    silent, board = done.out.splitlines()
    assert silent.startswith(f"{there}:1: ") and "connection refused" in silent and board.startswith("board-1: "), done
    assert done.code == 1 and "1 of 2 boards did not say how they are" in done.err, done


def test_an_update_file_is_packed_of_what_can_be_one(t):
    slot, key = t.folder / "slot", t.folder / "keys/update.key"
    slot.write_bytes(b"x" * 1024)
    tripod(t, "pki", "update-key", "--dir", t.folder / "keys")
    good = {"--board": "qemu-virt", "--build": "1", "--image": slot, "--key": key, "--output": t.folder / "packed.update"}
    (t.folder / "odd").write_bytes(b"x" * 1000)
    for change, said in (({"--version": "1.x"}, "expected X.Y.Z"), ({"--version": "1.2.3.4"}, "expected X.Y.Z"),
                         ({"--version": "-1.0.0"}, "expected X.Y.Z"), ({"--image": t.folder / "odd"}, "1000 bytes; expected the file system"),
                         ({"--key": slot}, "expected update.key of `tripod init`")):
        done = tripod(t, "update-file", "pack", *(word for pair in (good | change).items() for word in pair))
        assert done.code != 0 and said in done.err and not (t.folder / "packed.update").exists(), done
    done = tripod(t, "update-file", "pack")
    assert done.code != 0 and "--board, --build, --image, --key, --output: missing" in done.err, done
    done = tripod(t, "update-file", "pack", *(word for pair in (good | {"--version": "1.2.3"}).items() for word in pair))
    assert done.code == 0 and "tripod 1.2.3 for qemu-virt" in done.out, done


def test_all_missing_files_are_named_at_once(t):
    text = t.cluster.board(3).config.read_text()
    t.write("bare.ini", text)
    overrides = ["--etcd.cert-file=/no/etcd.crt", "--etcd.peer-key-file=/no/peer.key", "--apiserver.tls-cert-file=/no/api.crt",
                 "--node.ca-key-file=/no/ca.key", "--node.etcd-ca-key-file=/no/etcd-ca.key",
                 "--node.client-cert-file=/no/client.crt", "--node.client-key-file=/no/client.key"]
    done = tripod(t, "check-config", t.folder / "bare.ini", *overrides)
    lines = [line for line in done.err.splitlines() if "expected a readable PEM file" in line]
    assert done.code == 1 and len(lines) == len(overrides), done
    assert all(any(o.partition("=")[2] in line for line in lines) for o in overrides), done


def test_all_certificates_that_are_no_good_are_named_at_once(t):
    ended, _ = issue(t, "ended", "/CN=board-3", -1, ca="etcd-ca")
    garbage = t.write("garbage.crt", "no certificate\n")
    done = tripod(t, "check-config", t.cluster.board(3).config, f"--etcd.peer-cert-file={ended}",
                  f"--etcd.peer-trusted-ca-file={garbage}", f"--apiserver.client-ca-file={garbage}")
    assert done.code == 1, done
    for key, said in (("[etcd] peer-cert-file", "expired on"), ("[etcd] peer-trusted-ca-file", "expected a readable PEM file"),
                      ("[apiserver] client-ca-file", "expected a readable PEM file")):
        assert any(key in line and said in line for line in done.err.splitlines()), (key, done)
    assert len(done.err.splitlines()) == 3, done


def test_a_kubeconfig_is_found_as_kubectl_finds_it(t):
    named = t.cluster.admin_conf
    done = run([t.cluster.binary, "token", "list"], env={"KUBECONFIG": f"{named}:/no/other.conf"})
    assert done.code == 0, done
    done = run([t.cluster.binary, "token", "list"], env={"KUBECONFIG": "/no/such.conf"}, check=False)
    assert done.code == 1 and "/no/such.conf" in done.err, done


def line_with(text, start):
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_unknown_key(t):
    text = t.cluster.board(3).config.read_text().replace("heartbeat-interval", "heartbeat-intervall")
    text = text.replace("# heartbeat-intervall", "heartbeat-intervall")
    bad_file(t, text, line_with(text, "heartbeat-intervall"), "heartbeat-intervall", "heartbeat-interval")


def test_unknown_section(t):
    text = t.cluster.board(3).config.read_text() + "\n[proxy]\nlisten = 127.0.0.1:1\n"
    bad_file(t, text, line_with(text, "listen = 127.0.0.1:1"), "proxy")


def test_bad_values(t):
    original = t.cluster.board(3).config.read_text()
    for section, key, value in (("etcd", "heartbeat-interval", "soon"), ("etcd", "listen-client-urls", "ftp://x"),
                                ("apiserver", "secure-port", "70000"), ("apiserver", "bind-address", "board"),
                                ("apiserver", "bind-address", "1.2.3"), ("apiserver", "bind-address", "1.2.3.256"),
                                ("apiserver", "service-cluster-ip-range", "10.96.0.0/33"),
                                ("apiserver", "service-cluster-ip-range", "10.96.0.0/8"),
                                ("apiserver", "tls-cert-file", "/no/such.crt"),
                                ("apiserver", "client-ca-file", "/dev/null"),
                                ("etcd", "peer-trusted-ca-file", "/no/such-ca.crt"),
                                ("etcd", "advertise-client-urls", "http://127.0.0.1:2379"),
                                ("etcd", "initial-advertise-peer-urls", "http://127.0.0.1:2380"),
                                ("controller-manager", "leader-elect-lease-duration", "15 apples"),
                                ("controller-manager", "leader-elect-resource-lock", "files"),
                                ("node", "roles", "etcd, cook")):
        text = render_ini(original, {(section, key): value})
        bad_file(t, text, line_with(text, f"{key} = {value}"), key, value.split(", ")[-1])


def test_contradicting_sections(t):
    text = t.cluster.board(3).config.read_text() + "\n[balancer]\nlisten = 127.0.0.1:6443\n"
    path = t.write("two.ini", text)
    done = tripod(t, "check-config", path)
    assert done.code != 0 and "balancer" in done.out + done.err, done
    path = changed(t, "timing.ini", controller_manager__leader_elect_lease_duration="5s")
    done = tripod(t, "check-config", path)
    assert done.code != 0 and "leader-elect-renew-deadline" in done.out + done.err, done


def test_missing_file(t):
    done = tripod(t, "run", "--config", t.folder / "nothing.ini")
    assert done.code != 0 and "nothing.ini" in done.out + done.err, done


# Surroundings


def test_port_in_use(t):
    address = t.cluster.board(3).address
    for port in (API_PORT, CLIENT_PORT, PEER_PORT):
        # A cluster of its own, clear of the running board but for the one port.
        used = {CLIENT_PORT: 32379, PEER_PORT: 32380, API_PORT: 36444, port: port}
        client, peers = (f"https://{address}:{used[p]}" for p in (CLIENT_PORT, PEER_PORT))
        data = t.folder / f"second-{port}"
        data.mkdir()
        config = changed(t, "second.ini", node__data_dir=str(data), etcd__data_dir=str(data / "etcd"),
                         metrics__listen="127.0.0.1:0", etcd__listen_client_urls=client,
                         etcd__advertise_client_urls=client, etcd__listen_peer_urls=peers,
                         etcd__initial_advertise_peer_urls=peers, etcd__initial_cluster=f"board-3={peers}",
                         apiserver__secure_port=str(used[API_PORT]))
        refused(t, config, rf"{address}:{port}\b", "(?i)address already in use")
    assert t.cluster.board(3).ready()


def replace_board(t, number):
    """Stops a board; it starts again, unharmed, after the test."""
    board = t.cluster.board(number)
    board.stop()

    def back():
        board.stop()
        board.config.write_text(t.cluster.ini_of(board))
        board.start()
        t.cluster.wait_ready(30)
    t.cleanups.callback(back)
    return board


def test_data_of_another_member(t):
    board, other = replace_board(t, 3), t.folder / "other"
    shutil.copytree(board.data, other)
    config = changed(t, "other.ini", board=2, node__data_dir=str(other), etcd__data_dir=str(other / "etcd"),
                     etcd__listen_client_urls=board.client_url, etcd__listen_peer_urls=f"https://{board.address}:{PEER_PORT}",
                     apiserver__bind_address=board.address, metrics__listen=f"{board.address}:10249")
    refused(t, config, r"board-3", r"board-2")


def test_missing_certificate(t):
    config = changed(t, "missing.ini", apiserver__tls_cert_file=str(t.folder / "no.crt"))
    replace_board(t, 3)
    refused(t, config, "no.crt", "(?i)no such file|not found|cannot read")


def test_key_of_another_certificate(t):
    config = changed(t, "mixed.ini", etcd__key_file=str(t.cluster.pki / "board-2/etcd-server.key"))
    bad_file(t, config.read_text(), line_with(config.read_text(), "cert-file = "), "cert-file = ", "key-file = ",
             "board-2/etcd-server.key", "expected a certificate and its own key")
    replace_board(t, 3)
    refused(t, config, "(?i)key", "etcd-server")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def issue(t, name, subject, days, ca="ca"):
    """A certificate of the cluster's authority, good for `days` from now."""
    key, request, certificate = (t.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request,
            "-subj", subject)
    openssl("x509", "-req", "-in", request, "-CA", t.cluster.pki / f"{ca}.crt", "-CAkey", t.cluster.pki / f"{ca}.key",
            "-CAcreateserial", "-CAserial", t.folder / "serial", "-days", days, "-out", certificate)
    return certificate, key


def kubectl_as(t, certificate, key, *arguments):
    conf = t.write("as.conf", json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": f"https://{t.cluster.addresses[0]}:{BALANCER_PORT}",
                                               "certificate-authority": str(t.cluster.pki / "ca.crt")}}],
        "users": [{"name": "x", "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}))
    return t.kubectl("--kubeconfig", conf, *arguments, check=False, timeout=30)


def test_client_certificates(t):
    stranger = kubectl_as(t, *issue(t, "stranger", "/O=guests/CN=stranger", 5), "get", "pods", "-n", "default")
    assert stranger.code != 0 and "Forbidden" in stranger.err and 'User "stranger" cannot list resource "pods"' in stranger.err, stranger
    expired = kubectl_as(t, *issue(t, "expired", "/O=system:masters/CN=late", -1), "get", "pods")
    assert expired.code != 0 and re.search("expired|Unauthorized", expired.err), expired
    etcds = kubectl_as(t, t.cluster.pki / "etcd-client.crt", t.cluster.pki / "etcd-client.key", "get", "pods")
    assert etcds.code != 0 and re.search("unknown (certificate )?authority|bad certificate|Unauthorized", etcds.err), etcds

    context = ssl.create_default_context(cafile=str(t.cluster.pki / "ca.crt"))
    status, body = https(t, context, "GET", "/api/v1/pods")
    assert status == 401 and body["reason"] == "Unauthorized", (status, body)
    wrong = t.kubectl("--certificate-authority", t.cluster.pki / "etcd-ca.crt", "get", "pods", check=False,
                      env={"KUBECONFIG": str(without_ca(t))})
    assert wrong.code != 0 and "x509: certificate signed by unknown authority" in wrong.err, wrong


def without_ca(t):
    text = re.sub(r"\n *certificate-authority-data: .*", "", t.cluster.admin_conf.read_text())
    return t.write("no-ca.conf", text)


def https(t, context, method, path, body=None):
    connection = http.client.HTTPSConnection(t.cluster.addresses[0], API_PORT, timeout=10, context=context)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_expired_server_certificate(t):
    certificate, key = issue(t, "old", "/CN=board-3", -1, ca="etcd-ca")
    board = replace_board(t, 3)
    board.config.write_text(changed(t, "old.ini", etcd__peer_cert_file=str(certificate),
                                    etcd__peer_key_file=str(key)).read_text())
    told_and_majority_writes(t, board, "(?i)expired")


def test_wrong_peer_authority(t):
    board = replace_board(t, 3)
    foreign = t.folder / "foreign"
    if not foreign.exists():
        t.cluster.make_pki(foreign)
    board.config.write_text(changed(
        t, "foreign.ini", etcd__peer_cert_file=str(foreign / "board-3/etcd-peer.crt"),
        etcd__peer_key_file=str(foreign / "board-3/etcd-peer.key"),
        etcd__peer_trusted_ca_file=str(foreign / "etcd-ca.crt")).read_text())
    told_and_majority_writes(t, board, "(?i)certificate")


def told_and_majority_writes(t, board, pattern):
    """The board with the wrong certificate says so (it may end with it); the others write on."""
    begin = board.log_file.stat().st_size
    board.start()

    def told():
        with open(board.log_file, errors="replace") as log:
            log.seek(begin)
            return re.search(pattern, log.read())
    t.eventually(f"the log tells of `{pattern}`", told, 20)
    assert t.etcdctl("put", "without", "it", boards=[1, 2]).out == "OK\n"
    if not board.pid() and board.child.returncode is not None and board.child.returncode < 0:
        raise Failure(f"ended by signal {-board.child.returncode}")


# Disks


def flip(path, draw):
    """Overwrites one page in the middle with noise."""
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(size // 2 // 1024 * 1024)
        file.write(draw.randbytes(4096))


def test_corrupted_page(t):
    namespace = t.namespace()
    for index in range(40):
        t.api().request("POST", f"/api/v1/namespaces/{namespace}/configmaps", {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{index}"}, "data": {"x": "y" * 2000}})
    board = replace_board(t, 3)
    saved = t.folder / "saved"
    shutil.copytree(board.data, saved)

    def restore():
        shutil.rmtree(board.data)
        shutil.move(saved, board.data)
    # Runs before the board is started again: cleanups run last in, first out.
    t.cleanups.callback(restore)
    for file in ("etcd/state.db", "etcd/raft.db"):
        shutil.rmtree(board.data)
        shutil.copytree(saved, board.data)
        flip(board.data / file, random.Random(7))
        text = refused(t, board.config, "(?i)corrupt|malformed|checksum|not a database|is damaged", re.escape(os.path.basename(file)))
        assert len(text.splitlines()) < 40, text
    assert t.etcdctl("put", "meanwhile", "1", boards=[1, 2]).out == "OK\n"


def test_full_disk(t):
    board = replace_board(t, 3)
    saved = t.folder / "before-full"
    shutil.move(board.data, saved)
    board.data.mkdir()
    size = sum(f.stat().st_size for f in saved.rglob("*") if f.is_file())
    run(["mount", "-t", "tmpfs", "-o", f"size={size // 1024 + 2048}k", "tmpfs", board.data])

    def unmount():
        board.stop()
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(board.data, saved)
        run(["umount", board.data])
        board.data.rmdir()
        shutil.move(saved, board.data)
    t.cleanups.callback(unmount)
    shutil.copytree(saved, board.data, dirs_exist_ok=True)
    begin = board.log_file.stat().st_size
    board.start()
    t.cluster.wait_ready(30, [board])

    value = "x" * 100_000
    keys = []

    def full():
        keys.append(f"full/{len(keys)}")
        assert t.etcdctl("put", keys[-1], value, boards=[1, 2]).out == "OK\n"
        return board.pid() is None or re.search("(?i)full|no space", board.log_file.read_text(errors="replace")[begin:])
    t.eventually("the disk is full and the board says so", full, 60, poll=0)
    text = board.log_file.read_text(errors="replace")[begin:]
    assert re.search("(?i)full|no space", text), text[-3000:]
    assert t.etcdctl("put", "after", "full", boards=[1, 2]).out == "OK\n"

    board.stop()
    run(["mount", "-o", "remount,size=64m", board.data])
    board.start()
    t.cluster.wait_ready(30, [board])
    found = t.etcdctl("get", "full/", "--prefix", "--keys-only", "--consistency=s", boards=[3]).out.split()
    assert sorted(found) == sorted(keys), (len(found), len(keys))
    t.etcdctl("del", "full/", "--prefix")


# Bytes


def tls_socket(t, board, port, alpn=None):
    context = t.cluster.tls() if port in (API_PORT, BALANCER_PORT) else etcd_tls(t)
    if alpn:
        context.set_alpn_protocols(alpn)
    raw = socket.create_connection((t.cluster.board(board).address, port), timeout=10)
    return context.wrap_socket(raw, server_hostname=t.cluster.board(board).address)


def etcd_tls(t):
    context = ssl.create_default_context(cafile=str(t.cluster.pki / "etcd-ca.crt"))
    context.load_cert_chain(str(t.cluster.pki / "etcd-client.crt"), str(t.cluster.pki / "etcd-client.key"))
    return context


def exchange(connection, data):
    """Sends, and reads until the other side closes or says nothing for a while."""
    answer = b""
    try:
        connection.sendall(data)
        connection.settimeout(3)
        while chunk := connection.recv(65536):
            answer += chunk
    except OSError:
        pass
    finally:
        connection.close()
    return answer


def test_truncated_and_hostile_bytes(t):
    pids = [b.pid() for b in t.cluster.boards]
    draw = random.Random(11)
    for port in (API_PORT, CLIENT_PORT, PEER_PORT):
        for data in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", draw.randbytes(5000), b"\x16\x03\x01\xff\xff" + b"a" * 70000):
            exchange(socket.create_connection((t.cluster.board(2).address, port), timeout=5), data)
    for data in (b"GET /api/v1/po", b"\0" * 100, draw.randbytes(3000),
                 b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                 b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"):
        exchange(tls_socket(t, 2, API_PORT), data)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for port in (API_PORT, CLIENT_PORT):
        for data in (preface, preface + draw.randbytes(2000), preface + b"\xff\xff\xff\x00\x00\x00\x00\x00\x00",
                     preface + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 5000):
            exchange(tls_socket(t, 2, port, ["h2"]), data)
    exchange(tls_socket(t, 2, PEER_PORT), draw.randbytes(3000))
    t.cluster.wait_ready(10)
    assert [b.pid() for b in t.cluster.boards] == pids, "a board fell"


def test_oversized_requests(t):
    pids = [b.pid() for b in t.cluster.boards]
    answer = exchange(tls_socket(t, 2, API_PORT), b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 3_000_000 + b"\r\n\r\n")
    assert answer == b"" or b" 431 " in answer[:40] or b" 400 " in answer[:40], answer[:200]
    api = t.api(2)
    name = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"x": "y" * 4_000_000}}
    status, body = api.request("POST", "/api/v1/namespaces/default/configmaps", name)
    assert status == 413, (status, body)
    api.close()
    for text in ('{"kind": "ConfigMap", "metad', "[" * 100_000, '{"a":' * 50_000, "\xff\xfe", "", "null", "7"):
        status, body = api.request("POST", "/api/v1/namespaces/default/configmaps", text.encode("latin-1"))
        assert 400 <= status < 500 and body["kind"] == "Status", (text[:20], status, body)
    status, body = api.request("POST", "/api/v1/namespaces/default/configmaps", "x", content_type="text/rubbish")
    assert status == 415 and body["reason"] == "UnsupportedMediaType", (status, body)
    status, body = api.request("PUT", "/api/v1/namespaces", "{}")
    assert status == 405 and body["reason"] == "MethodNotAllowed", (status, body)
    status, body = api.request("GET", "/api/v1/namespaces/default/nothing")
    assert status == 404 and body["reason"] == "NotFound", (status, body)
    status, body = api.request("GET", "/api/v1/pods?labelSelector=a%20b%20c")
    assert status == 400 and body["reason"] == "BadRequest", (status, body)

    big = t.etcdctl("put", "big", stdin="x" * 1_700_000, check=False)
    assert big.code != 0 and "etcdserver: request is too large" in big.err, big
    empty = t.etcdctl("put", "", "x", check=False)
    assert empty.code != 0 and "etcdserver: key is not provided" in empty.err, empty
    t.cluster.wait_ready(10)
    assert [b.pid() for b in t.cluster.boards] == pids, "a board fell"
