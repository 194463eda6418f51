"""Users, roles and permissions of the etcd member, seen through etcdctl 3.5 and 3.4 on three boards with TLS.

The certificate that etcdctl shows otherwise (etcd-client.crt) has the common name root; `client-cert-auth` makes that
its user.
"""

import json
import subprocess
import urllib.error
import urllib.request

from harness import run

OVERRIDES = {("etcd", "client-cert-auth"): "true", ("etcd", "bcrypt-cost"): "4"}
DENIED = "etcdserver: permission denied"
NO_USER = "etcdserver: user name is empty"


def certificate(t, name):
    """A client certificate of etcd's authority with this common name: its etcdctl environment."""
    pki = t.cluster.pki
    crt, key, csr = (t.folder / f"{name}.{end}" for end in ("crt", "key", "csr"))
    if not crt.exists():
        subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", csr, "-subj",
                        f"/CN={name}"], check=True, capture_output=True)
        extensions = t.write("client.ext", "extendedKeyUsage = clientAuth\nkeyUsage = digitalSignature\n")
        subprocess.run(["openssl", "x509", "-req", "-in", csr, "-CA", pki / "etcd-ca.crt", "-CAkey",
                        pki / "etcd-ca.key", "-set_serial", "77", "-days", "2", "-extfile", extensions, "-out", crt],
                       check=True, capture_output=True)
    return {"ETCDCTL_CERT": str(crt), "ETCDCTL_KEY": str(key)}


def etcdctl(t, *arguments, user=None, cn=None, boards=None, name="etcdctl", **how):
    """As a user with a password, as the owner of a certificate, or as root by the usual certificate."""
    environment = t.etcd_environment(boards)
    if cn:
        environment.update(certificate(t, cn))
    user = ["--user", user] if user else []
    return run([t.client(name), *user, *arguments], env=environment, **how)


def refused(t, text, *arguments, **how):
    done = etcdctl(t, *arguments, check=False, **how)
    assert done.code != 0 and text in done.err, f"no '{text}' in {done}"


def test_nothing_is_asked_before_it_is_on(t):
    assert t.etcdctl("auth", "status").out == "Authentication Status: false\nAuthRevision: 1\n"
    assert etcdctl(t, "put", "open", "1", cn="stranger").out == "OK\n"
    # The client goes on without a token then.
    done = etcdctl(t, "get", "open", "--print-value-only", user="root:pw")
    assert done.out == "1\n" and "etcdserver: authentication is not enabled" in done.err, done


def test_users_and_roles(t):
    assert etcdctl(t, "user", "add", "root:rootpw").out == "User root created\n"
    assert etcdctl(t, "user", "add", "ann:annpw").out == "User ann created\n"
    assert etcdctl(t, "user", "add", "cert", "--no-password").out == "User cert created\n"
    refused(t, "etcdserver: user name already exists", "user", "add", "ann:x")
    assert etcdctl(t, "user", "list").out.split() == ["ann", "cert", "root"]
    assert etcdctl(t, "role", "add", "some").out == "Role some created\n"
    refused(t, "etcdserver: role name already exists", "role", "add", "some")
    for arguments in (["read", "r"], ["readwrite", "a/", "a0"], ["write", "w/", "--prefix"],
                      ["read", "x", "--from-key"]):
        assert etcdctl(t, "role", "grant-permission", "some", *arguments).out == "Role some updated\n"
    shown = etcdctl(t, "role", "get", "some").out
    assert shown == ("Role some\nKV Read:\n\t[a/, a0) (prefix a/)\n\tr\n\t[x, <open ended>\nKV Write:\n"
                     "\t[a/, a0) (prefix a/)\n\t[w/, w0) (prefix w/)\n"), shown
    assert etcdctl(t, "user", "grant-role", "ann", "some").out == "Role some is granted to user ann\n"
    assert etcdctl(t, "user", "grant-role", "cert", "some").out == "Role some is granted to user cert\n"
    refused(t, "etcdserver: role name not found", "user", "grant-role", "ann", "none")
    assert etcdctl(t, "user", "get", "ann").out == "User: ann\nRoles: some\n"


def test_enable(t):
    enabled = etcdctl(t, "auth", "enable")
    assert enabled.out.endswith("Authentication Enabled\n"), enabled
    status = etcdctl(t, "auth", "status", user="root:rootpw").out
    assert status.startswith("Authentication Status: true\n"), status
    refused(t, "authentication failed, invalid user ID or password", "get", "r", user="ann:wrong")
    refused(t, "authentication failed, invalid user ID or password", "get", "r", user="nobody:x")
    refused(t, "password was given for no password user", "get", "r", user="cert:x")


def test_all_members_enforce(t):
    for number in (1, 2, 3):
        ann = {"user": "ann:annpw", "boards": [number]}
        assert etcdctl(t, "put", "a/1", f"{number}", **ann).out == "OK\n"
        assert etcdctl(t, "get", "a/", "--prefix", "--print-value-only", **ann).out == f"{number}\n"
        assert etcdctl(t, "put", "w/1", "x", **ann).out == "OK\n"
        for arguments in (["put", "r", "x"], ["get", "w/1"], ["put", "w/1", "x", "--prev-kv"], ["get", "a", "b"],
                          ["get", "r", "--prefix"], ["get", "w", "--from-key"], ["del", "x"],
                          ["get", "open", "--consistency=s"]):
            refused(t, DENIED, *arguments, **ann)
        assert etcdctl(t, "get", "x", "--from-key", **ann).out == ""
        refused(t, DENIED, "get", "r", cn="stranger", boards=[number])


def test_transactions(t):
    ann = {"user": "ann:annpw"}
    done = etcdctl(t, "txn", stdin='value("a/1") = "3"\n\nput a/2 yes\n\nget r\n\n', **ann)
    assert done.out.startswith("SUCCESS"), done
    for text in ('value("secret") = "1"\n\nput a/2 x\n\n\n', 'value("a/1") = "3"\n\nput a/2 x\n\nget secret\n\n',
                 'value("a/1") = "3"\n\nget a/2\n\nget secret\n\n'):
        refused(t, DENIED, "txn", stdin=text, **ann)
    assert etcdctl(t, "get", "a/2", "--print-value-only", **ann).out == "yes\n"


def test_watch(t):
    refused(t, DENIED, "watch", "secret", user="ann:annpw", boards=[2])
    watch = t.etcdctl_background("--user", "ann:annpw", "watch", "a/", "--prefix", boards=[2])
    def begun():
        etcdctl(t, "put", "a/w", "seen", user="ann:annpw", boards=[1])
        return "seen" in watch.lines
    t.eventually("the watch shows a write", begun, 20)


def test_leases(t):
    ann = {"user": "ann:annpw"}
    lease = etcdctl(t, "lease", "grant", "600", **ann).out.split()[1]
    assert etcdctl(t, "put", "a/lease", "x", f"--lease={lease}", **ann).out == "OK\n"
    assert "attached keys([a/lease])" in etcdctl(t, "lease", "timetolive", lease, "--keys", **ann).out
    assert "keepalived" in etcdctl(t, "lease", "keep-alive", "--once", lease, **ann).out
    assert etcdctl(t, "put", "secret", "x", f"--lease={lease}").out == "OK\n"
    for arguments in (["put", "a/more", "x", f"--lease={lease}"], ["lease", "revoke", lease],
                      ["lease", "timetolive", lease, "--keys"]):
        refused(t, DENIED, *arguments, **ann)
    assert etcdctl(t, "lease", "revoke", lease).out == f"lease {lease} revoked\n"


def test_what_is_roots(t):
    for arguments in (["user", "list"], ["user", "add", "new:x"], ["user", "get", "root"], ["role", "list"],
                      ["role", "get", "root"], ["role", "add", "new"], ["auth", "disable"], ["auth", "status"],
                      ["compaction", "1"], ["endpoint", "status"], ["endpoint", "hashkv"],
                      ["snapshot", "save", str(t.folder / "no.db")]):
        refused(t, DENIED, *arguments, user="ann:annpw", boards=[1])
    assert etcdctl(t, "user", "get", "ann", user="ann:annpw").out == "User: ann\nRoles: some\n"
    assert etcdctl(t, "role", "get", "some", user="ann:annpw").out.startswith("Role some\n")
    assert "board-1" in etcdctl(t, "member", "list", user="ann:annpw").out
    for arguments in (["user", "delete", "root"], ["user", "revoke-role", "root", "root"], ["role", "delete", "root"]):
        refused(t, "etcdserver: invalid auth management", *arguments, user="root:rootpw")


def test_old_client(t):
    old = {"name": "etcdctl-3.4"}
    assert etcdctl(t, "user", "list", user="root:rootpw", **old).out.split() == ["ann", "cert", "root"]
    assert etcdctl(t, "put", "a/old", "yes", user="ann:annpw", **old).out == "OK\n"
    assert etcdctl(t, "get", "a/old", "--print-value-only", user="ann:annpw", **old).out == "yes\n"
    refused(t, DENIED, "get", "secret", user="ann:annpw", **old)
    assert etcdctl(t, "role", "add", "old", user="root:rootpw", **old).out == "Role old created\n"
    assert "3.6." in etcdctl(t, "endpoint", "status", user="root:rootpw", **old).out
    refused(t, DENIED, "endpoint", "status", user="ann:annpw", boards=[2], **old)
    assert etcdctl(t, "role", "delete", "old", user="root:rootpw", **old).out == "Role old deleted\n"


def test_the_certificate_names_the_user(t):
    assert etcdctl(t, "put", "a/cert", "1", cn="cert").out == "OK\n"
    refused(t, DENIED, "put", "r", "1", cn="cert")
    refused(t, DENIED, "user", "list", cn="cert")
    refused(t, "etcdserver: user name not found", "user", "list", cn="stranger")
    # A token goes before the certificate.
    refused(t, DENIED, "get", "secret", user="ann:annpw")
    assert etcdctl(t, "get", "secret").code == 0


def test_the_json_gateway_is_nobody_without_a_token(t):
    def post(path, body, token=None):
        request = urllib.request.Request(f"{t.cluster.board(1).client_url}/v3/{path}", json.dumps(body).encode(),
                                         {"Authorization": token} if token else {})
        try:
            with urllib.request.urlopen(request, context=t.cluster.etcd_tls(), timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    assert post("kv/range", {"key": "c2VjcmV0"})["message"] == NO_USER
    token = post("auth/authenticate", {"name": "ann", "password": "annpw"})["token"]
    assert post("kv/range", {"key": "c2VjcmV0"}, token)["message"] == DENIED
    assert "header" in post("kv/range", {"key": "YS8x"}, token)
    perm = post("auth/role/get", {"role": "some"}, token)["perm"]
    assert {"permType": "READWRITE", "key": "YS8=", "range_end": "YTA="} in perm, perm
    assert post("kv/range", {"key": "YS8x"}, "no.1")["message"] == "etcdserver: invalid auth token"


def test_kubernetes_goes_on(t):
    for number in (1, 2, 3):
        t.eventually("the API server writes", lambda n=number: t.kubectl(
            "create", "configmap", f"auth-{n}", board=n, check=False).code == 0, 20)
    assert t.kubectl("get", "configmaps").out.count("auth-") == 3


def test_a_restart_keeps_users_and_the_switch(t):
    for number in (1, 2, 3):
        t.cluster.board(number).kill()
    for number in (1, 2, 3):
        t.cluster.board(number).start()
    t.cluster.wait_ready(60)
    for number in (1, 2, 3):
        ann = {"user": "ann:annpw", "boards": [number]}
        assert etcdctl(t, "get", "a/2", "--print-value-only", **ann).out == "yes\n"
        refused(t, DENIED, "get", "secret", **ann)


def test_passwords_change(t):
    changed = etcdctl(t, "user", "passwd", "ann", "--interactive=false", user="root:rootpw", stdin="newpw\n")
    assert changed.out == "Password updated\n", changed
    refused(t, "authentication failed, invalid user ID or password", "get", "r", user="ann:annpw")
    assert etcdctl(t, "get", "r", user="ann:newpw").out == ""
    assert etcdctl(t, "role", "delete", "some").out == "Role some deleted\n"
    refused(t, DENIED, "get", "r", user="ann:newpw")
    assert etcdctl(t, "user", "delete", "ann").out == "User ann deleted\n"
    refused(t, "authentication failed, invalid user ID or password", "get", "r", user="ann:newpw")


def test_disable(t):
    assert etcdctl(t, "auth", "disable", user="root:rootpw").out == "Authentication Disabled\n"
    assert etcdctl(t, "get", "open", "--print-value-only", cn="stranger").out == "1\n"
