#pragma once
// The messages of the etcd v3 API, as etcd's rpc.proto and kv.proto name and number them
// (etcd 3.6). Plain values; their wire tables and the codec are in codec.h. Sizes are bounded by
// the gRPC layer before decoding.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "platform/base/bytes.h"

namespace tripod::etcd {

using Revision =
    std::int64_t;  // of the whole store; 1 when empty, rising by one per writing transaction
using LeaseId = std::int64_t;  // 0 means "no lease"
using MemberId = std::uint64_t;
using ClusterId = std::uint64_t;

struct KeyValue {
  Bytes key;
  Revision create_revision = 0;
  Revision mod_revision = 0;
  std::int64_t version = 0;  // changes since creation, 1 at creation
  Bytes value;
  LeaseId lease = 0;
};

enum class EventType : std::uint8_t { put = 0, remove = 1 };

struct Event {
  EventType type = EventType::put;
  KeyValue kv;                      // of a delete: key and mod_revision only
  std::optional<KeyValue> prev_kv;  // when asked for
};

struct ResponseHeader {
  ClusterId cluster_id = 0;
  MemberId member_id = 0;
  Revision revision = 0;
  std::uint64_t raft_term = 0;
};

// --- KV ---

enum class SortOrder : std::uint8_t { none = 0, ascend = 1, descend = 2 };
enum class SortTarget : std::uint8_t { key = 0, version = 1, create = 2, mod = 3, value = 4 };

/// [key, range_end): empty range_end is one key; "\0" is everything from key on.
struct RangeRequest {
  Bytes key;
  Bytes range_end;
  std::int64_t limit = 0;
  Revision revision = 0;  // 0 is the newest
  SortOrder sort_order = SortOrder::none;
  SortTarget sort_target = SortTarget::key;
  bool serializable = false;
  bool keys_only = false;
  bool count_only = false;
  Revision min_mod_revision = 0;
  Revision max_mod_revision = 0;
  Revision min_create_revision = 0;
  Revision max_create_revision = 0;
};

struct RangeResponse {
  ResponseHeader header;
  std::vector<KeyValue> kvs;
  bool more = false;
  std::int64_t count = 0;  // of all keys in the range, whatever the limit
};

struct PutRequest {
  Bytes key;
  Bytes value;
  LeaseId lease = 0;
  bool prev_kv = false;
  bool ignore_value = false;
  bool ignore_lease = false;
};

struct PutResponse {
  ResponseHeader header;
  std::optional<KeyValue> prev_kv;
};

struct DeleteRangeRequest {
  Bytes key;
  Bytes range_end;
  bool prev_kv = false;
};

struct DeleteRangeResponse {
  ResponseHeader header;
  std::int64_t deleted = 0;
  std::vector<KeyValue> prev_kvs;
};

enum class CompareResult : std::uint8_t { equal = 0, greater = 1, less = 2, not_equal = 3 };
enum class CompareTarget : std::uint8_t { version = 0, create = 1, mod = 2, value = 3, lease = 4 };

struct Compare {
  CompareResult result = CompareResult::equal;
  CompareTarget target = CompareTarget::version;
  Bytes key;
  std::int64_t number = 0;  // version, create_revision, mod_revision or lease, as target says
  Bytes value;              // when target is value
  Bytes range_end;
};

struct RequestOp;
struct ResponseOp;

struct TxnRequest {
  std::vector<Compare> compare;
  std::vector<RequestOp> success;
  std::vector<RequestOp> failure;
};

struct TxnResponse {
  ResponseHeader header;
  bool succeeded = false;
  std::vector<ResponseOp> responses;
};

struct RequestOp {
  std::variant<RangeRequest, PutRequest, DeleteRangeRequest, TxnRequest> request;
  bool missing = false;  // of a client that named none; refused before anything else
};

struct ResponseOp {
  std::variant<RangeResponse, PutResponse, DeleteRangeResponse, TxnResponse> response;
};

struct CompactionRequest {
  Revision revision = 0;
  bool physical = false;
};

struct CompactionResponse {
  ResponseHeader header;
};

// --- Watch ---

enum class WatchFilter : std::uint8_t { no_put = 0, no_delete = 1 };

struct WatchCreateRequest {
  Bytes key;
  Bytes range_end;
  Revision start_revision = 0;  // 0: what comes after the watch was made
  bool progress_notify = false;
  std::vector<WatchFilter> filters;
  bool prev_kv = false;
  std::int64_t watch_id = 0;
  bool fragment = false;
};

struct WatchCancelRequest {
  std::int64_t watch_id = 0;
};

struct WatchProgressRequest {};

struct WatchRequest {
  std::variant<WatchCreateRequest, WatchCancelRequest, WatchProgressRequest> request;
};

struct WatchResponse {
  ResponseHeader header;
  std::int64_t watch_id = 0;
  bool created = false;
  bool canceled = false;
  Revision compact_revision = 0;
  std::string cancel_reason;
  bool fragment = false;
  std::vector<Event> events;
};

// --- Lease ---

struct LeaseGrantRequest {
  std::int64_t ttl = 0;  // seconds
  LeaseId id = 0;        // 0: the server chooses
};

struct LeaseGrantResponse {
  ResponseHeader header;
  LeaseId id = 0;
  std::int64_t ttl = 0;
  std::string error;
};

struct LeaseRevokeRequest {
  LeaseId id = 0;
};

struct LeaseRevokeResponse {
  ResponseHeader header;
};

struct LeaseKeepAliveRequest {
  LeaseId id = 0;
};

struct LeaseKeepAliveResponse {
  ResponseHeader header;
  LeaseId id = 0;
  std::int64_t ttl = 0;  // 0: the lease is gone
};

struct LeaseTimeToLiveRequest {
  LeaseId id = 0;
  bool keys = false;
};

struct LeaseTimeToLiveResponse {
  ResponseHeader header;
  LeaseId id = 0;
  std::int64_t ttl = 0;  // left; -1: the lease is gone
  std::int64_t granted_ttl = 0;
  std::vector<Bytes> keys;
};

struct LeaseLeasesRequest {};

struct LeaseStatus {
  LeaseId id = 0;
};

struct LeaseLeasesResponse {
  ResponseHeader header;
  std::vector<LeaseStatus> leases;
};

// --- Cluster and Maintenance ---

/// A member of the cluster, as MemberList tells of it (etcd's message Member).
struct MemberInfo {
  MemberId id = 0;
  std::string name;
  std::vector<std::string> peer_urls;
  std::vector<std::string> client_urls;
  bool is_learner = false;
};

struct MemberListRequest {
  bool linearizable = false;
};

struct MemberListResponse {
  ResponseHeader header;
  std::vector<MemberInfo> members;
};

struct MemberAddRequest {
  std::vector<std::string> peer_urls;
  bool is_learner = false;
};

struct MemberAddResponse {
  ResponseHeader header;
  MemberInfo member;
  std::vector<MemberInfo> members;
};

struct MemberRemoveRequest {
  MemberId id = 0;
};

struct MemberRemoveResponse {
  ResponseHeader header;
  std::vector<MemberInfo> members;
};

struct MemberUpdateRequest {
  MemberId id = 0;
  std::vector<std::string> peer_urls;
};

struct MemberUpdateResponse {
  ResponseHeader header;
  std::vector<MemberInfo> members;
};

struct MemberPromoteRequest {
  MemberId id = 0;
};

struct MemberPromoteResponse {
  ResponseHeader header;
  std::vector<MemberInfo> members;
};

struct MoveLeaderRequest {
  MemberId target_id = 0;
};

struct MoveLeaderResponse {
  ResponseHeader header;
};

struct SnapshotResponse {
  ResponseHeader header;
  std::uint64_t remaining_bytes = 0;
  Bytes blob;
  std::string version;
};

struct StatusRequest {};

struct DowngradeInfo {
  bool enabled = false;
  std::string target_version;
};

struct StatusResponse {
  ResponseHeader header;
  std::string version;
  std::int64_t db_size = 0;
  MemberId leader = 0;
  std::uint64_t raft_index = 0;
  std::uint64_t raft_term = 0;
  std::uint64_t raft_applied_index = 0;
  std::vector<std::string> errors;
  std::int64_t db_size_in_use = 0;
  bool is_learner = false;
  std::string storage_version;
  std::int64_t db_size_quota = 0;
  DowngradeInfo downgrade_info;
};

enum class AlarmAction : std::uint8_t { get = 0, activate = 1, deactivate = 2 };
enum class AlarmType : std::uint8_t { none = 0, no_space = 1, corrupt = 2 };

struct AlarmRequest {
  AlarmAction action = AlarmAction::get;
  MemberId member_id = 0;  // 0: every member
  AlarmType alarm = AlarmType::none;
};

struct AlarmMember {
  MemberId member_id = 0;
  AlarmType alarm = AlarmType::none;
};

struct AlarmResponse {
  ResponseHeader header;
  std::vector<AlarmMember> alarms;
};

struct DefragmentRequest {};

struct DefragmentResponse {
  ResponseHeader header;
};

struct HashRequest {};

struct HashResponse {
  ResponseHeader header;
  std::uint32_t hash = 0;
};

enum class DowngradeAction : std::uint8_t { validate = 0, enable = 1, cancel = 2 };

struct DowngradeRequest {
  DowngradeAction action = DowngradeAction::validate;
  std::string version;
};

struct DowngradeResponse {
  ResponseHeader header;
  std::string version;  // of the cluster
};

struct HashKVRequest {
  Revision revision = 0;
};

struct HashKVResponse {
  ResponseHeader header;
  std::uint32_t hash = 0;
  Revision compact_revision = 0;
  Revision hash_revision = 0;
};

}  // namespace tripod::etcd
