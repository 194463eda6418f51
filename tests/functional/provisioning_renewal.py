"""Certificates of seconds: renewed before they end, by the board or by others, while clients notice nothing."""

import contextlib
import os
import re
import shutil
import socket
import ssl
import threading
import time

from harness import Failure, run, wait_for
from tripod_cluster import API_PORT, CLIENT_PORT, PEER_PORT

CLUSTER = False  # its certificates are others
SIGNERS = (1, 2)  # board 3 asks them
LIFETIME_SECONDS = 30
OVERRIDES = {("node", "certificate-lifetime"): f"{LIFETIME_SECONDS}s"}


def tripod(t, *arguments, check=True):
    return run([t.cluster.binary, *arguments], check=check)


def make_short_certificates(t, *boards, lifetime=LIFETIME_SECONDS):
    for board in boards:
        shutil.rmtree(t.cluster.pki / board.name, ignore_errors=True)
    names = ",".join(f"{b.name}={b.address}" for b in t.cluster.boards)
    tripod(t, "pki", "init", "--dir", t.cluster.pki, "--board", names, "--lifetime", f"{lifetime}s")


def served(t, board, port):
    """When the certificate ends that a new connection is shown, in seconds since 1970."""
    if port == API_PORT:
        context = t.cluster.tls()
    else:
        context = t.cluster.etcd_tls()
        context.load_cert_chain(t.cluster.pki / "board-2/etcd-peer.crt", t.cluster.pki / "board-2/etcd-peer.key")
        if port == PEER_PORT:
            context.set_alpn_protocols(["tripod-raft/1"])
    with socket.create_connection((board.address, port), timeout=5) as plain, \
            context.wrap_socket(plain, server_hostname=board.address) as session:
        return ssl.cert_time_to_seconds(session.getpeercert()["notAfter"])


class Client(threading.Thread):
    """Runs one command again and again; every failure counts."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.done, self.failures, self.ending = ask, 0, [], threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                self.ask()
                self.done += 1
            except Exception as error:  # noqa: BLE001 - any
                self.failures.append(str(error))

    def finish(self):
        self.ending.set()
        self.join(30)
        assert not self.failures, f"{len(self.failures)} of {self.done}: {self.failures[0]}"
        assert self.done > 10, self.done


def test_boards_start_with_certificates_of_seconds(t):
    make_short_certificates(t, *t.cluster.boards)
    for board in t.cluster.boards:
        if board.number in SIGNERS:
            t.cluster.configure(board, {("node", "ca-key-file"): f"{t.cluster.pki}/ca.key",
                                        ("node", "etcd-ca-key-file"): f"{t.cluster.pki}/etcd-ca.key"})
        board.start()
    t.cluster.wait_ready(20)
    t.cluster.wait_balancer()


def test_clients_notice_nothing_while_all_certificates_end_twice(t):
    ports = [(b, p) for b in t.cluster.boards for p in (API_PORT, CLIENT_PORT, PEER_PORT)]
    first = {(b.name, p): served(t, b, p) for b, p in ports}
    begin = time.time()
    assert max(first.values()) < begin + LIFETIME_SECONDS + 5, first
    pids = [b.pid() for b in t.cluster.boards]
    api = t.api(board=1)
    assert api.get("/api")[0] == 200
    old_connection = api.connection.sock
    watch = t.kubectl_background("get", "configmaps", "-n", "default", "--watch", "-o", "name")
    clients = [Client(lambda: t.kubectl("get", "namespaces", "--request-timeout=5s")),
               Client(lambda: t.kubectl("get", "namespaces", "--request-timeout=5s", board=3)),
               Client(lambda: t.etcdctl("put", "renewal/x", "y", "--command-timeout=5s"))]
    seen = {key: {end} for key, end in first.items()}
    while time.time() < begin + 2 * LIFETIME_SECONDS + 5:
        for board, port in ports:
            end = served(t, board, port)  # fails on one that has ended
            assert end > time.time() + LIFETIME_SECONDS / 15, f"{board.name}:{port} ends in {end - time.time():.0f} s"
            seen[board.name, port].add(end)
        time.sleep(0.5)  # what is tested is time
    for client in clients:
        client.finish()
    assert all(len(ends) >= 3 for ends in seen.values()), {k: len(v) for k, v in seen.items()}
    # What was open is open, on the certificate that it began with.
    assert api.get("/api")[0] == 200 and api.connection.sock is old_connection
    t.kubectl("create", "configmap", "late", "-n", "default")
    watch.wait_for_line("the event", lambda line: "configmap/late" in line)
    assert [b.pid() for b in t.cluster.boards] == pids
    assert re.search(r'tripod_certificate_not_after_timestamp_seconds\{use="etcd-peer"\} \S+', t.cluster.board(3).metrics())


def test_members_find_each_other_by_renewed_certificates(t):
    """The certificates that the others began with have ended, so new connections are made with new ones, on both sides."""
    for board in t.cluster.boards:
        board.kill()
        board.start()
        t.cluster.wait_ready(20, [board])
    t.etcdctl("endpoint", "health")


def test_a_certificate_that_a_person_replaces_is_taken_up(t):
    board = t.cluster.board(1)
    pid = board.pid()
    make_short_certificates(t, board, lifetime=86400)
    t.eventually("it is shown", lambda: served(t, board, API_PORT) > time.time() + 80000, 15)
    t.eventually("to etcd's clients, too", lambda: served(t, board, CLIENT_PORT) > time.time() + 80000, 5)
    assert board.pid() == pid


def test_half_a_replacement_is_not_taken_up(t):
    board = t.cluster.board(1)
    certificate = t.cluster.pki / "board-1/apiserver.crt"
    kept = certificate.read_bytes()
    begin = len(board.log_file.read_text())
    fresh = certificate.with_suffix(".new")
    fresh.write_bytes((t.cluster.pki / "board-2/apiserver.crt").read_bytes())  # of another key
    os.replace(fresh, certificate)
    wait_for("it says so", lambda: "certificates stay as they were" in board.log_file.read_text()[begin:], 10)
    assert board.ready()
    certificate.write_bytes(kept)
    wait_for("it is content", lambda: "use the certificates that are in the files now" in board.log_file.read_text()[begin:], 10)


def test_a_board_that_was_off_while_its_certificates_ended(t):
    """One that signs renews them by itself; one that does not says what is wrong."""
    signer, other = t.cluster.board(2), t.cluster.board(3)
    for board in (signer, other):
        board.stop()
    for board in (signer, other):
        make_short_certificates(t, board, lifetime=10)
    time.sleep(11)  # what is tested is time
    signer.start()
    t.cluster.wait_ready(20, [signer])
    assert "renewed one that had ended" in signer.log_file.read_text()
    other.start()
    with contextlib.suppress(Failure):
        other.wait_gone(15)
    assert re.search("the certificate expired on .*expected one that is valid", other.log_tail()), other.log_tail()
    make_short_certificates(t, other)
    other.start()
    t.cluster.wait_ready(20, [other])
