#pragma once
// The messages of the v3lock and v3election services, as etcd's v3lock.proto and v3election.proto
// name and number them. Plain values; see messages.h.

#include "firmware/etcd/api/messages.h"

namespace tripod::etcd {

struct LockRequest {
  Bytes name;
  LeaseId lease = 0;  // 0: one of a minute is granted
};
struct LockResponse {
  ResponseHeader header;
  Bytes key;  // exists as long as the lock is held
};
struct UnlockRequest {
  Bytes key;
};
struct UnlockResponse {
  ResponseHeader header;
};

/// What a leader shows to prove that it was elected.
struct LeaderKey {
  Bytes name;
  Bytes key;
  Revision rev = 0;  // the create revision of `key`
  LeaseId lease = 0;
};

struct CampaignRequest {
  Bytes name;
  LeaseId lease = 0;  // 0: one of a minute is granted
  Bytes value;
};
struct CampaignResponse {
  ResponseHeader header;
  LeaderKey leader;
};
struct ProclaimRequest {
  std::optional<LeaderKey> leader;
  Bytes value;
};
struct ProclaimResponse {
  ResponseHeader header;
};
struct LeaderRequest {
  Bytes name;
};
struct LeaderResponse {
  ResponseHeader header;
  KeyValue kv;
};
struct ResignRequest {
  std::optional<LeaderKey> leader;
};
struct ResignResponse {
  ResponseHeader header;
};

}  // namespace tripod::etcd
