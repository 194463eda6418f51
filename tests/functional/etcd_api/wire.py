"""The messages of etcd's API as tables, and protobuf's wire format over them: dictionaries in, dictionaries out.

Of a message that arrives every field is shown, those that no table knows as `?NUMBER`; a scalar that is zero is as one that
was not sent, a message that is there is there. Bytes are text of one character per byte.
"""

import struct

ENUMS = {
    "SortOrder": ["NONE", "ASCEND", "DESCEND"],
    "SortTarget": ["KEY", "VERSION", "CREATE", "MOD", "VALUE"],
    "CompareResult": ["EQUAL", "GREATER", "LESS", "NOT_EQUAL"],
    "CompareTarget": ["VERSION", "CREATE", "MOD", "VALUE", "LEASE"],
    "EventType": ["PUT", "DELETE"],
    "FilterType": ["NOPUT", "NODELETE"],
    "AlarmAction": ["GET", "ACTIVATE", "DEACTIVATE"],
    "AlarmType": ["NONE", "NOSPACE", "CORRUPT"],
    "DowngradeAction": ["VALIDATE", "ENABLE", "CANCEL"],
    "PermissionType": ["READ", "WRITE", "READWRITE"],
}

# Message: number name type, ...; `*` before the type of what repeats. (rpc.proto, kv.proto, auth.proto, v3lock.proto,
# v3election.proto of etcd 3.6)
TABLES = """
ResponseHeader: 1 cluster_id uint64, 2 member_id uint64, 3 revision int64, 4 raft_term uint64
KeyValue: 1 key bytes, 2 create_revision int64, 3 mod_revision int64, 4 version int64, 5 value bytes, 6 lease int64
Event: 1 type EventType, 2 kv KeyValue, 3 prev_kv KeyValue
RangeRequest: 1 key bytes, 2 range_end bytes, 3 limit int64, 4 revision int64, 5 sort_order SortOrder, 6 sort_target SortTarget, 7 serializable bool, 8 keys_only bool, 9 count_only bool, 10 min_mod_revision int64, 11 max_mod_revision int64, 12 min_create_revision int64, 13 max_create_revision int64
RangeResponse: 1 header ResponseHeader, 2 kvs *KeyValue, 3 more bool, 4 count int64
PutRequest: 1 key bytes, 2 value bytes, 3 lease int64, 4 prev_kv bool, 5 ignore_value bool, 6 ignore_lease bool
PutResponse: 1 header ResponseHeader, 2 prev_kv KeyValue
DeleteRangeRequest: 1 key bytes, 2 range_end bytes, 3 prev_kv bool
DeleteRangeResponse: 1 header ResponseHeader, 2 deleted int64, 3 prev_kvs *KeyValue
Compare: 1 result CompareResult, 2 target CompareTarget, 3 key bytes, 4 version int64, 5 create_revision int64, 6 mod_revision int64, 7 value bytes, 8 lease int64, 64 range_end bytes
RequestOp: 1 request_range RangeRequest, 2 request_put PutRequest, 3 request_delete_range DeleteRangeRequest, 4 request_txn TxnRequest
ResponseOp: 1 response_range RangeResponse, 2 response_put PutResponse, 3 response_delete_range DeleteRangeResponse, 4 response_txn TxnResponse
TxnRequest: 1 compare *Compare, 2 success *RequestOp, 3 failure *RequestOp
TxnResponse: 1 header ResponseHeader, 2 succeeded bool, 3 responses *ResponseOp
CompactionRequest: 1 revision int64, 2 physical bool
CompactionResponse: 1 header ResponseHeader
WatchRequest: 1 create_request WatchCreateRequest, 2 cancel_request WatchCancelRequest, 3 progress_request WatchProgressRequest
WatchCreateRequest: 1 key bytes, 2 range_end bytes, 3 start_revision int64, 4 progress_notify bool, 5 filters *FilterType, 6 prev_kv bool, 7 watch_id int64, 8 fragment bool
WatchCancelRequest: 1 watch_id int64
WatchProgressRequest:
WatchResponse: 1 header ResponseHeader, 2 watch_id int64, 3 created bool, 4 canceled bool, 5 compact_revision int64, 6 cancel_reason string, 7 fragment bool, 11 events *Event
LeaseGrantRequest: 1 TTL int64, 2 ID int64
LeaseGrantResponse: 1 header ResponseHeader, 2 ID int64, 3 TTL int64, 4 error string
LeaseRevokeRequest: 1 ID int64
LeaseRevokeResponse: 1 header ResponseHeader
LeaseKeepAliveRequest: 1 ID int64
LeaseKeepAliveResponse: 1 header ResponseHeader, 2 ID int64, 3 TTL int64
LeaseTimeToLiveRequest: 1 ID int64, 2 keys bool
LeaseTimeToLiveResponse: 1 header ResponseHeader, 2 ID int64, 3 TTL int64, 4 grantedTTL int64, 5 keys *bytes
LeaseLeasesRequest:
LeaseStatus: 1 ID int64
LeaseLeasesResponse: 1 header ResponseHeader, 2 leases *LeaseStatus
Member: 1 ID uint64, 2 name string, 3 peerURLs *string, 4 clientURLs *string, 5 isLearner bool
MemberAddRequest: 1 peerURLs *string, 2 isLearner bool
MemberAddResponse: 1 header ResponseHeader, 2 member Member, 3 members *Member
MemberRemoveRequest: 1 ID uint64
MemberRemoveResponse: 1 header ResponseHeader, 2 members *Member
MemberUpdateRequest: 1 ID uint64, 2 peerURLs *string
MemberUpdateResponse: 1 header ResponseHeader, 2 members *Member
MemberListRequest: 1 linearizable bool
MemberListResponse: 1 header ResponseHeader, 2 members *Member
MemberPromoteRequest: 1 ID uint64
MemberPromoteResponse: 1 header ResponseHeader, 2 members *Member
MoveLeaderRequest: 1 targetID uint64
MoveLeaderResponse: 1 header ResponseHeader
AlarmRequest: 1 action AlarmAction, 2 memberID uint64, 3 alarm AlarmType
AlarmMember: 1 memberID uint64, 2 alarm AlarmType
AlarmResponse: 1 header ResponseHeader, 2 alarms *AlarmMember
DefragmentRequest:
DefragmentResponse: 1 header ResponseHeader
HashRequest:
HashResponse: 1 header ResponseHeader, 2 hash uint32
HashKVRequest: 1 revision int64
HashKVResponse: 1 header ResponseHeader, 2 hash uint32, 3 compact_revision int64, 4 hash_revision int64
StatusRequest:
DowngradeInfo: 1 enabled bool, 2 targetVersion string
StatusResponse: 1 header ResponseHeader, 2 version string, 3 dbSize int64, 4 leader uint64, 5 raftIndex uint64, 6 raftTerm uint64, 7 raftAppliedIndex uint64, 8 errors *string, 9 dbSizeInUse int64, 10 isLearner bool, 11 storageVersion string, 12 dbSizeQuota int64, 13 downgradeInfo DowngradeInfo
DowngradeRequest: 1 action DowngradeAction, 2 version string
DowngradeResponse: 1 header ResponseHeader, 2 version string
SnapshotRequest:
SnapshotResponse: 1 header ResponseHeader, 2 remaining_bytes uint64, 3 blob bytes, 4 version string
UserAddOptions: 1 no_password bool
Permission: 1 permType PermissionType, 2 key bytes, 3 range_end bytes
AuthEnableRequest:
AuthEnableResponse: 1 header ResponseHeader
AuthDisableRequest:
AuthDisableResponse: 1 header ResponseHeader
AuthStatusRequest:
AuthStatusResponse: 1 header ResponseHeader, 2 enabled bool, 3 authRevision uint64
AuthenticateRequest: 1 name string, 2 password string
AuthenticateResponse: 1 header ResponseHeader, 2 token string
AuthUserAddRequest: 1 name string, 2 password string, 3 options UserAddOptions, 4 hashedPassword string
AuthUserAddResponse: 1 header ResponseHeader
AuthUserGetRequest: 1 name string
AuthUserGetResponse: 1 header ResponseHeader, 2 roles *string
AuthUserListRequest:
AuthUserListResponse: 1 header ResponseHeader, 2 users *string
AuthUserDeleteRequest: 1 name string
AuthUserDeleteResponse: 1 header ResponseHeader
AuthUserChangePasswordRequest: 1 name string, 2 password string, 3 hashedPassword string
AuthUserChangePasswordResponse: 1 header ResponseHeader
AuthUserGrantRoleRequest: 1 user string, 2 role string
AuthUserGrantRoleResponse: 1 header ResponseHeader
AuthUserRevokeRoleRequest: 1 name string, 2 role string
AuthUserRevokeRoleResponse: 1 header ResponseHeader
AuthRoleAddRequest: 1 name string
AuthRoleAddResponse: 1 header ResponseHeader
AuthRoleGetRequest: 1 role string
AuthRoleGetResponse: 1 header ResponseHeader, 2 perm *Permission
AuthRoleListRequest:
AuthRoleListResponse: 1 header ResponseHeader, 2 roles *string
AuthRoleDeleteRequest: 1 role string
AuthRoleDeleteResponse: 1 header ResponseHeader
AuthRoleGrantPermissionRequest: 1 name string, 2 perm Permission
AuthRoleGrantPermissionResponse: 1 header ResponseHeader
AuthRoleRevokePermissionRequest: 1 role string, 2 key bytes, 3 range_end bytes
AuthRoleRevokePermissionResponse: 1 header ResponseHeader
LockRequest: 1 name bytes, 2 lease int64
LockResponse: 1 header ResponseHeader, 2 key bytes
UnlockRequest: 1 key bytes
UnlockResponse: 1 header ResponseHeader
LeaderKey: 1 name bytes, 2 key bytes, 3 rev int64, 4 lease int64
CampaignRequest: 1 name bytes, 2 lease int64, 3 value bytes
CampaignResponse: 1 header ResponseHeader, 2 leader LeaderKey
ProclaimRequest: 1 leader LeaderKey, 2 value bytes
ProclaimResponse: 1 header ResponseHeader
LeaderRequest: 1 name bytes
LeaderResponse: 1 header ResponseHeader, 2 kv KeyValue
ResignRequest: 1 leader LeaderKey
ResignResponse: 1 header ResponseHeader
"""

# Service: its package's prefix, methods; a method whose messages are not called after it says so.
SERVICES = {
    "KV": ("etcdserverpb", "Range Put DeleteRange Txn Compact=Compaction"),
    "Watch": ("etcdserverpb", "Watch"),
    "Lease": ("etcdserverpb", "LeaseGrant LeaseRevoke LeaseKeepAlive LeaseTimeToLive LeaseLeases"),
    "Cluster": ("etcdserverpb", "MemberAdd MemberRemove MemberUpdate MemberList MemberPromote"),
    "Maintenance": ("etcdserverpb", "Alarm Status Defragment Hash HashKV Snapshot MoveLeader Downgrade"),
    "Auth": ("etcdserverpb", "AuthEnable AuthDisable AuthStatus Authenticate " + " ".join(
        f"{m}=Auth{m}" for m in "UserAdd UserGet UserList UserDelete UserChangePassword UserGrantRole UserRevokeRole RoleAdd "
        "RoleGet RoleList RoleDelete RoleGrantPermission RoleRevokePermission".split())),
    "Lock": ("v3lockpb", "Lock Unlock"),
    "Election": ("v3electionpb", "Campaign Proclaim Leader Observe=Leader Resign"),
}


def _read_tables():
    messages = {}
    for line in TABLES.strip().splitlines():
        name, _, rest = line.partition(":")
        fields = [f.split() for f in rest.split(",")] if rest.strip() else []
        messages[name] = {int(n): (field, kind) for n, field, kind in fields}
    return messages


def _read_services():
    return {f"{service}/{method.partition('=')[0]}": (f"/{package}.{service}/{method.partition('=')[0]}",
                                                      method.rpartition("=")[2])
            for service, (package, methods) in SERVICES.items() for method in methods.split()}


MESSAGES = _read_tables()
METHODS = _read_services()  # "KV/Compact": (path, what its messages are called after)


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def as_bytes(value):
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _encode_one(number, kind, value):
    if kind in ("bytes", "string") or kind in MESSAGES:
        body = encode(kind, value) if kind in MESSAGES else as_bytes(value)
        return varint(number << 3 | 2) + varint(len(body)) + body
    if kind in ENUMS and isinstance(value, str):
        value = ENUMS[kind].index(value)
    return varint(number << 3) + varint(int(value))


def encode(message, values):
    """Fields in the order of `values`, zeros included: what is given is sent."""
    if isinstance(values, bytes):
        return values
    numbers = {name: (number, kind) for number, (name, kind) in MESSAGES[message].items()}
    out = b""
    for name, value in values.items():
        number, kind = numbers[name]
        if kind.startswith("*"):
            out += b"".join(_encode_one(number, kind[1:], v) for v in value)
        else:
            out += _encode_one(number, kind, value)
    return out


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data):
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _read_varint(data, at)
        elif kind == 2:
            size, at = _read_varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size, "a field that ends behind its message"
        else:
            size = {1: 8, 5: 4}[kind]
            value, at = struct.unpack_from("<Q" if size == 8 else "<I", data, at)[0], at + size
        yield number, value


def _scalar(kind, value):
    if kind in MESSAGES:
        return decode(kind, value)
    if kind == "bytes":
        return value.decode("latin-1")
    if kind == "string":
        return value.decode()
    if kind == "bool":
        return bool(value)
    if kind in ENUMS:
        return ENUMS[kind][value] if value < len(ENUMS[kind]) else value
    return value - (1 << 64) if kind == "int64" and value >> 63 else value


def decode(message, data):
    out = {}
    for number, value in _fields(data):
        name, kind = MESSAGES[message].get(number, (f"?{number}", None))
        if kind is None:
            out[name] = value if isinstance(value, int) else value.hex()
        elif not kind.startswith("*"):
            if kind in MESSAGES or value:
                out[name] = _scalar(kind, value)
        elif isinstance(value, int) or kind[1:] in MESSAGES or kind[1:] in ("bytes", "string"):
            out.setdefault(name, []).append(_scalar(kind[1:], value))
        else:  # packed
            at = 0
            while at < len(value):
                one, at = _read_varint(value, at)
                out.setdefault(name, []).append(_scalar(kind[1:], one))
    return out
