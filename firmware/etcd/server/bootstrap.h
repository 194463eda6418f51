#pragma once
// Who the members of a new cluster are: `initial-cluster` taken apart, with the cluster and member
// ids that etcd computes from it, so that every board reckons the same ones without talking. Pure.

#include <vector>

#include "firmware/etcd/api/messages.h"
#include "firmware/etcd/options.h"
#include "platform/os/network.h"

namespace tripod::etcd {

struct PlannedMember {
  MemberId id = 0;
  std::string name;
  std::vector<std::string> peer_urls;  // sorted
  std::vector<os::Address> addresses;
};

struct ClusterPlan {
  ClusterId cluster = 0;
  MemberId self = 0;
  std::vector<PlannedMember> members;  // by id

  const PlannedMember& member(MemberId id) const;
};

/// "https://10.0.0.1:2380" -> its address. No path, no host names.
Result<os::Address> parse_url(std::string_view url);

/// Fails with `invalid`, naming the option, the value and what would be accepted.
Result<ClusterPlan> plan_cluster(const Options& options);

/// Member id: the first eight bytes of SHA-1 over the sorted URLs and the token.
MemberId member_id_of(std::vector<std::string> peer_urls, std::string_view token);

}  // namespace tripod::etcd
