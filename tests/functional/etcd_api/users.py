"""Auth: users, roles and permissions, with and without authentication; tokens and certificates."""

from kv import put

KEYS = {"key": "a/", "range_end": "a0"}


def as_user(s, name, password="secret"):
    answer = s.ask("Auth/Authenticate", {"name": name, "password": password})
    return (("token", answer["token"]),)


def test_users_and_roles(s):
    s.call("status", "Auth/AuthStatus", {})
    s.call("enable without root", "Auth/AuthEnable", {})
    s.call("disable", "Auth/AuthDisable", {})
    s.call("authenticate", "Auth/Authenticate", {"name": "root", "password": "secret"})
    s.call("no users", "Auth/UserList", {})
    s.call("no roles", "Auth/RoleList", {})
    s.call("add", "Auth/UserAdd", {"name": "alice", "password": "secret"})
    s.call("add again", "Auth/UserAdd", {"name": "alice", "password": "other"})
    s.call("add nobody", "Auth/UserAdd", {"password": "secret"})
    s.call("add without password", "Auth/UserAdd", {"name": "bob", "options": {"no_password": True}})
    s.call("add with an empty password", "Auth/UserAdd", {"name": "carol", "options": {}})
    s.call("list", "Auth/UserList", {}, clean=lambda a: {**a, "users": sorted(a["users"])})
    s.call("get", "Auth/UserGet", {"name": "alice"})
    s.call("get nobody", "Auth/UserGet", {"name": "nobody"})
    s.call("get without name", "Auth/UserGet", {})
    s.call("change password", "Auth/UserChangePassword", {"name": "alice", "password": "new"})
    s.call("change nobody's", "Auth/UserChangePassword", {"name": "nobody", "password": "new"})
    s.call("change to nothing", "Auth/UserChangePassword", {"name": "carol"})
    s.call("role add", "Auth/RoleAdd", {"name": "reader"})
    s.call("role add again", "Auth/RoleAdd", {"name": "reader"})
    s.call("role add without name", "Auth/RoleAdd", {})
    s.call("role add another", "Auth/RoleAdd", {"name": "editor"})
    s.call("role list", "Auth/RoleList", {}, clean=lambda a: {**a, "roles": sorted(a["roles"])})
    s.call("role get", "Auth/RoleGet", {"role": "reader"})
    s.call("role get none", "Auth/RoleGet", {"role": "none"})
    s.call("grant", "Auth/UserGrantRole", {"user": "alice", "role": "reader"})
    s.call("grant again", "Auth/UserGrantRole", {"user": "alice", "role": "reader"})
    s.call("grant no such role", "Auth/UserGrantRole", {"user": "alice", "role": "none"})
    s.call("grant to nobody", "Auth/UserGrantRole", {"user": "nobody", "role": "reader"})
    s.call("grant root, which is not there", "Auth/UserGrantRole", {"user": "alice", "role": "root"})
    s.call("grant more", "Auth/UserGrantRole", {"user": "alice", "role": "editor"})
    s.call("roles of a user", "Auth/UserGet", {"name": "alice"})
    s.call("root revoked", "Auth/UserRevokeRole", {"name": "alice", "role": "root"})
    s.call("revoke", "Auth/UserRevokeRole", {"name": "alice", "role": "reader"})
    s.call("revoke again", "Auth/UserRevokeRole", {"name": "alice", "role": "reader"})
    s.call("revoke from nobody", "Auth/UserRevokeRole", {"name": "nobody", "role": "reader"})
    s.call("role delete", "Auth/RoleDelete", {"role": "editor"})
    s.call("role delete again", "Auth/RoleDelete", {"role": "editor"})
    s.call("its user lost it", "Auth/UserGet", {"name": "alice"})
    s.call("delete", "Auth/UserDelete", {"name": "carol"})
    s.call("delete again", "Auth/UserDelete", {"name": "carol"})
    s.call("revision", "Auth/AuthStatus", {})


def test_permissions(s):
    def grant(label, role="reader", **permission):
        s.call(label, "Auth/RoleGrantPermission", {"name": role, "perm": permission})

    def revoke(label, **what):
        s.call(label, "Auth/RoleRevokePermission", {"role": "reader", **what})
    grant("read a range", permType="READ", key="a/", range_end="a0")
    grant("the same again", permType="READ", key="a/", range_end="a0")
    grant("write it, too", permType="READWRITE", key="a/", range_end="a0")
    grant("one key", permType="WRITE", key="single")
    grant("from key on", permType="READ", key="z", range_end="\0")
    grant("everything", permType="READ", key="\0", range_end="\0")
    grant("end before begin", permType="READ", key="b", range_end="a")
    grant("end is begin", permType="READ", key="b", range_end="b")
    grant("no key", permType="READ")
    grant("no key, a range", permType="READ", range_end="b")
    grant("type 5", permType=5, key="odd")
    grant("no such role", role="none", permType="READ", key="a")
    s.call("no permission", "Auth/RoleGrantPermission", {"name": "reader"})
    s.call("as listed", "Auth/RoleGet", {"role": "reader"})
    revoke("one key revoked", key="single")
    revoke("again", key="single")
    revoke("the wrong range", key="a/", range_end="a1")
    revoke("of no such role", role="none", key="a/")
    revoke("everything revoked", key="\0", range_end="\0")
    revoke("odd revoked", key="odd")
    revoke("no key revoked")
    s.call("what is left", "Auth/RoleGet", {"role": "reader"})
    s.call("revision", "Auth/AuthStatus", {})


def test_enable(s):
    s.call("root", "Auth/UserAdd", {"name": "root", "password": "secret"})
    s.call("without the role", "Auth/AuthEnable", {})
    s.call("role root", "Auth/RoleAdd", {"name": "root"})
    s.call("role root granted", "Auth/UserGrantRole", {"user": "root", "role": "root"})
    s.call("grant alice", "Auth/UserGrantRole", {"user": "alice", "role": "reader"})
    s.call("alice's password", "Auth/UserChangePassword", {"name": "alice", "password": "secret"})
    put(s, "a/1", "seen")
    put(s, "b/1", "hidden")
    s.ask("Lease/LeaseGrant", {"TTL": 500, "ID": 4001})
    s.ask("Lease/LeaseGrant", {"TTL": 500, "ID": 4002})
    put(s, "a/leased", "x", lease=4001)
    put(s, "b/leased", "x", lease=4002)
    s.call("enable", "Auth/AuthEnable", {})
    root = as_user(s, "root")
    s.call("enable again", "Auth/AuthEnable", {}, metadata=root)
    s.call("status", "Auth/AuthStatus", {}, metadata=root)


def test_who(s):
    root = (("token", s.ask("Auth/Authenticate", {"name": "root", "password": "secret"})["token"]),)
    s.call("right", "Auth/Authenticate", {"name": "alice", "password": "secret"})
    s.call("at another member", "Auth/Authenticate", {"name": "alice", "password": "secret"}, at=len(s.endpoints))
    s.call("wrong password", "Auth/Authenticate", {"name": "alice", "password": "wrong"})
    s.call("no such user", "Auth/Authenticate", {"name": "nobody", "password": "secret"})
    s.call("no name", "Auth/Authenticate", {})
    s.call("user without password", "Auth/Authenticate", {"name": "bob", "password": ""})
    for name, metadata in {"nobody": (), "a bad token": (("token", "nonsense"),),
                           "a token that never was": (("token", "abcdefghijklmnop.4"),),
                           "by authorization": (("authorization", root[0][1]),)}.items():
        s.call(f"{name} gets", "KV/Range", {"key": "a/1"}, metadata=metadata)
        s.call(f"{name} puts", "KV/Put", {"key": "a/1", "value": "seen"}, metadata=metadata)
        s.call(f"{name} transacts", "KV/Txn", {"success": [{"request_range": {"key": "a/1"}}]}, metadata=metadata)
        s.call(f"{name} transacts nothing", "KV/Txn", {}, metadata=metadata)
        s.call(f"{name} gets serializable", "KV/Range", {"key": "a/1", "serializable": True}, metadata=metadata)
        s.call(f"{name} compacts at 1", "KV/Compact", {"revision": 1}, metadata=metadata)
        s.call(f"{name} grants", "Lease/LeaseGrant", {"TTL": 100}, metadata=metadata)
        s.call(f"{name} asks leases", "Lease/LeaseTimeToLive", {"ID": 4}, metadata=metadata)
        s.call(f"{name} lists members", "Cluster/MemberList", {}, metadata=metadata,
               clean=lambda a: {**a, "members": len(a.get("members", []))})
        s.call(f"{name} asks for the status", "Maintenance/Status", {}, metadata=metadata,
               clean=lambda a: a if "code" in a else "a status")
        s.call(f"{name} lists users", "Auth/UserList", {}, metadata=metadata, clean=lambda a: {
            **a, **({"users": sorted(a["users"])} if "users" in a else {})})
        s.call(f"{name} lists alarms", "Maintenance/Alarm", {}, metadata=metadata)
        w = s.stream(f"{name} watches", metadata=metadata)
        w.send({"create_request": {"key": "a/1"}}).receive("answer")
        w.cancel()
        k = s.stream(f"{name} keeps alive", "Lease/LeaseKeepAlive", metadata=metadata)
        k.send({"ID": 4001}).receive("answer")
        k.cancel()
    s.call("a bearer gets", "KV/Range", {"key": "a/1"}, metadata=(("authorization", f"Bearer {root[0][1]}"),))


def test_may(s):
    alice, root = as_user(s, "alice"), as_user(s, "root")
    for who, token in (("alice", alice), ("root", root)):
        def call(label, method, request, clean=None, who=who, token=token):
            s.call(f"{who} {label}", method, request, metadata=token, clean=clean)
        call("gets", "KV/Range", {"key": "a/1"})
        call("gets a range", "KV/Range", KEYS)
        call("gets another's", "KV/Range", {"key": "b/1"})
        call("gets too wide a range", "KV/Range", {"key": "a/", "range_end": "b0"})
        call("gets from key on", "KV/Range", {"key": "a/", "range_end": "\0"})
        call("gets from z on", "KV/Range", {"key": "z", "range_end": "\0"})
        call("gets another's, serializable", "KV/Range", {"key": "b/1", "serializable": True})
        call("puts", "KV/Put", {"key": "a/2", "value": "x", "prev_kv": True})
        call("puts another's", "KV/Put", {"key": "b/1", "value": "hidden"})
        call("puts with another's lease", "KV/Put", {"key": "a/2", "lease": 4002})
        call("puts with its lease", "KV/Put", {"key": "a/2", "lease": 4001})
        call("deletes another's", "KV/DeleteRange", {"key": "b/none"})
        call("deletes", "KV/DeleteRange", {"key": "a/2", "prev_kv": True})
        call("compares another's", "KV/Txn", {"compare": [{"key": "b/1", "target": "VERSION", "version": 1}]})
        call("transacts", "KV/Txn", {"success": [{"request_put": {"key": "a/2"}}], "failure": [{"request_range": KEYS}]})
        call("transacts, else another's", "KV/Txn", {"success": [{"request_put": {"key": "a/2"}}],
                                                     "failure": [{"request_range": {"key": "b/1"}}]})
        call("nests another's", "KV/Txn", {"success": [{"request_txn": {"success": [{"request_range": {"key": "b/1"}}]}}]})
        call("compacts at 1", "KV/Compact", {"revision": 1})
        call("asks its lease", "Lease/LeaseTimeToLive", {"ID": 4001, "keys": True}, lambda a: {**a, "TTL": 0})
        call("asks another's lease", "Lease/LeaseTimeToLive", {"ID": 4002, "keys": True}, lambda a: {**a, "TTL": 0})
        call("asks another's without keys", "Lease/LeaseTimeToLive", {"ID": 4002}, lambda a: {**a, "TTL": 0})
        call("revokes what is not there", "Lease/LeaseRevoke", {"ID": 4})
        call("lists leases", "Lease/LeaseLeases", {}, lambda a: a if "code" in a else "leases")
        call("asks for itself", "Auth/UserGet", {"name": who})
        call("asks for another", "Auth/UserGet", {"name": "bob"})
        call("asks for nobody", "Auth/UserGet", {"name": "nobody"})
        call("asks for a role", "Auth/RoleGet", {"role": "reader"})
        call("asks for root's role", "Auth/RoleGet", {"role": "root"})
        call("asks for no role", "Auth/RoleGet", {"role": "none"})
        call("lists roles", "Auth/RoleList", {}, lambda a: {**a, **({"roles": sorted(a["roles"])} if "roles" in a else {})})
        call("adds a user", "Auth/UserAdd", {"name": "bob"})
        call("asks for the auth status", "Auth/AuthStatus", {})
        call("asks for the status", "Maintenance/Status", {}, lambda a: a if "code" in a else "a status")
        call("hashes", "Maintenance/HashKV", {}, lambda a: a if "code" in a else "a hash")
        call("removes a member that is not there", "Cluster/MemberRemove", {"ID": 4})
        call("locks", "Lock/Lock", {"name": "a/lock", "lease": 4001})
        call("locks another's", "Lock/Lock", {"name": "b/lock", "lease": 4001})
        call("campaigns", "Election/Campaign", {"name": "a/office", "lease": 4001, "value": "me"})
        s.pieces(f"{who} takes a snapshot", "Maintenance/Snapshot", {}, lambda p: p if "code" in p[-1] else "a snapshot",
                 metadata=token)
        for label, request in {"its": {"key": "a/1"}, "another's": {"key": "b/1"}, "too much": {"key": "a/", "range_end": "c"},
                               "everything": {"key": "\0", "range_end": "\0"}}.items():
            w = s.stream(f"{who} watches {label}", metadata=token)
            w.send({"create_request": request}).receive("created")
            w.cancel()
        s.ask("KV/DeleteRange", {"key": "a/lock/", "range_end": "a/lock0"}, metadata=root)
        s.ask("KV/DeleteRange", {"key": "a/office/", "range_end": "a/office0"}, metadata=root)
        s.ask("KV/DeleteRange", {"key": "b/lock/", "range_end": "b/lock0"}, metadata=root)
        s.ask("KV/DeleteRange", {"key": "a/2"}, metadata=root)


def test_revoked(s):
    alice, root = as_user(s, "alice"), as_user(s, "root")
    w = s.stream("watch", metadata=alice)
    w.send({"create_request": {"key": "a/1"}}).receive("created")
    s.call("permission taken", "Auth/RoleRevokePermission", {"role": "reader", "key": "a/", "range_end": "a0"}, metadata=root)
    s.call("she gets", "KV/Range", {"key": "a/1"}, metadata=alice)
    s.call("root puts", "KV/Put", {"key": "a/1", "value": "later"}, metadata=root)
    w.receive("a watch goes on")
    w.cancel()
    s.call("role taken", "Auth/UserRevokeRole", {"name": "alice", "role": "reader"}, metadata=root)
    s.call("she gets nothing", "KV/Range", {"key": "z"}, metadata=alice)
    s.call("password changed", "Auth/UserChangePassword", {"name": "alice", "password": "fresh"}, metadata=root)
    s.call("old token", "KV/Range", {"key": "z"}, metadata=alice)
    s.call("old password", "Auth/Authenticate", {"name": "alice", "password": "secret"})
    s.call("new password", "Auth/Authenticate", {"name": "alice", "password": "fresh"})
    alice = as_user(s, "alice", "fresh")
    s.call("deleted", "Auth/UserDelete", {"name": "alice"}, metadata=root)
    s.call("token of a deleted user", "KV/Range", {"key": "z"}, metadata=alice)
    s.call("root cannot go", "Auth/UserDelete", {"name": "root"}, metadata=root)
    s.call("nor its role", "Auth/RoleDelete", {"role": "root"}, metadata=root)
    s.call("nor be taken from it", "Auth/UserRevokeRole", {"name": "root", "role": "root"}, metadata=root)


def test_gateway(s):
    root = s.ask("Auth/Authenticate", {"name": "root", "password": "secret"})["token"]
    s.gateway("authenticate", "auth/authenticate", {"name": "root", "password": "secret"})
    s.gateway("wrong password", "auth/authenticate", {"name": "root", "password": "wrong"})
    s.gateway("by token", "kv/range", {"key": "YS8x"}, headers={"Authorization": root})
    s.gateway("as a bearer", "kv/range", {"key": "YS8x"}, headers={"Authorization": f"Bearer {root}"})
    s.gateway("by no token", "kv/range", {"key": "YS8x"})
    s.gateway("by a bad token", "kv/range", {"key": "YS8x"}, headers={"Authorization": "nonsense"})
    s.http("health", "GET", "/health")


def test_disable(s):
    root = as_user(s, "root")
    s.call("by nobody", "Auth/AuthDisable", {})
    s.call("by root", "Auth/AuthDisable", {}, metadata=root)
    s.call("again", "Auth/AuthDisable", {})
    s.call("open again", "KV/Range", {"key": "b/1"})
    s.call("with an old token", "KV/Range", {"key": "b/1"}, metadata=root)
    s.call("revision", "Auth/AuthStatus", {})
    s.call("root may go", "Auth/UserDelete", {"name": "root"})
    s.call("and its role", "Auth/RoleDelete", {"role": "root"})
