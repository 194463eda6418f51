"""Cluster and Maintenance: what members tell about themselves. (Changes of members have stories of their own.)"""

POSITIVE = {"dbSize", "dbSizeInUse", "raftIndex", "raftAppliedIndex", "dbSizeQuota"}


def sizes(answer):
    return {k: "positive" if k in POSITIVE and isinstance(v, int) and v > 0 else v for k, v in answer.items()}


def members(answer):
    """In order of their names, their addresses by number."""
    if "members" not in answer:
        return answer
    listed = sorted(answer["members"], key=lambda m: m.get("name", ""))
    return {**answer, "members": [{**m, "peerURLs": len(m.get("peerURLs", [])), "clientURLs": len(m.get("clientURLs", []))}
                                  for m in listed]}


def test_members(s):
    s.call("list", "Cluster/MemberList", {}, clean=members)
    s.call("linearizable", "Cluster/MemberList", {"linearizable": True}, clean=members, at=len(s.endpoints))
    s.call("remove what is not there", "Cluster/MemberRemove", {"ID": 4})
    s.call("update what is not there", "Cluster/MemberUpdate", {"ID": 4, "peerURLs": ["http://127.9.9.9:1"]})
    s.call("promote what is not there", "Cluster/MemberPromote", {"ID": 4})
    s.call("add without address", "Cluster/MemberAdd", {})
    s.call("add a bad address", "Cluster/MemberAdd", {"peerURLs": ["not an address"]})


def leader_known(answer):
    """Who leads is each cluster's own affair; that somebody does is not."""
    return sizes({**answer, "leader": "a member" if answer.get("leader") else None})


def test_status(s):
    for at in range(1, len(s.endpoints) + 1):
        s.call(f"member {at}", "Maintenance/Status", {}, at=at, clean=leader_known)


def test_alarms(s):
    one = s.ask("Maintenance/Status")["header"]["member_id"]
    s.call("none", "Maintenance/Alarm", {})
    s.call("get all kinds", "Maintenance/Alarm", {"action": "GET", "alarm": "NOSPACE"})
    s.call("disarm what is not", "Maintenance/Alarm", {"action": "DEACTIVATE", "memberID": one, "alarm": "NOSPACE"})
    s.call("raise", "Maintenance/Alarm", {"action": "ACTIVATE", "memberID": one, "alarm": "NOSPACE"})
    s.call("raise again", "Maintenance/Alarm", {"action": "ACTIVATE", "memberID": one, "alarm": "NOSPACE"})
    s.call("listed", "Maintenance/Alarm", {}, at=len(s.endpoints))
    s.call("listed by kind", "Maintenance/Alarm", {"alarm": "NOSPACE"})
    s.call("not of another kind", "Maintenance/Alarm", {"alarm": "CORRUPT"})
    s.call("put", "KV/Put", {"key": "alarm", "value": "x"})
    s.call("put at another", "KV/Put", {"key": "alarm", "value": "x"}, at=len(s.endpoints))
    s.call("txn", "KV/Txn", {"success": [{"request_put": {"key": "alarm", "value": "x"}}]})
    s.call("reading txn", "KV/Txn", {"success": [{"request_range": {"key": "alarm"}}]})
    s.call("deleting txn", "KV/Txn", {"success": [{"request_delete_range": {"key": "alarm"}}]})
    s.call("delete", "KV/DeleteRange", {"key": "alarm"})
    s.call("range", "KV/Range", {"key": "alarm"})
    s.call("grant", "Lease/LeaseGrant", {"TTL": 100, "ID": 3001})
    s.call("status", "Maintenance/Status", {}, clean=leader_known)
    s.http("health", "GET", "/health")
    s.http("health without it", "GET", "/health?exclude=NOSPACE")
    s.call("disarm", "Maintenance/Alarm", {"action": "DEACTIVATE", "memberID": one, "alarm": "NOSPACE"})
    s.call("none again", "Maintenance/Alarm", {})
    s.call("put again", "KV/Put", {"key": "alarm", "value": "x"})
    s.call("raise nothing", "Maintenance/Alarm", {"action": "ACTIVATE", "memberID": one, "alarm": "NONE"})
    s.call("after that", "Maintenance/Alarm", {})
    s.call("disarm nothing", "Maintenance/Alarm", {"action": "DEACTIVATE", "memberID": one, "alarm": "NONE"})


def hash_known(answer):
    return {**answer, **({"hash": "a hash"} if answer.get("hash") else {})}


def test_hash(s):
    s.call("whole", "Maintenance/Hash", {}, clean=hash_known)


def test_snapshot(s):
    def clean(pieces):
        total = sum(len(p.get("blob", "")) for p in pieces)
        first = {k: v for k, v in pieces[0].items() if k in ("header", "version", "code", "text")}
        return {**first, "ends": pieces[-1].get("remaining_bytes", 0),
                "several": total > 4096, "digest": total % 512 == 32}
    s.pieces("snapshot", "Maintenance/Snapshot", {}, clean)


def test_http(s):
    s.http("get /readyz?verbose", "GET", "/readyz?verbose",
           clean=lambda a: {**a, "body": sorted(a["body"][0].splitlines())})  # in any order
    for path in ("/health", "/health?serializable=true", "/livez", "/readyz", "/livez/serializable_read",
                 "/readyz/linearizable_read", "/readyz/none", "/version", "/none", "/", "/health/x"):
        s.http(f"get {path}", "GET", path)
    for path in ("/health", "/version", "/livez", "/none"):
        s.http(f"post {path}", "POST", path)
        s.http(f"put {path}", "PUT", path)
    s.http("post metrics", "POST", "/metrics", clean=lambda a: {**a, "body": "etcd_server_has_leader 1" in str(a["body"])})
    s.http("head", "HEAD", "/version")
    for path in ("/health", "/livez", "/readyz", "/none"):
        s.http(f"head {path}", "HEAD", path)
    s.http("metrics", "GET", "/metrics", clean=lambda a: {**a, "body": "etcd_server_has_leader 1" in str(a["body"])})
