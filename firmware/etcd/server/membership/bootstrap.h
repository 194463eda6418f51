#pragma once
// Who the members of a cluster are, and which of them this one is: for a new cluster
// `initial-cluster` taken apart, with the cluster and member ids that etcd computes from it, so
// that every board reckons the same ones without talking; for one that runs what its members say;
// later what the files say. Pure but for find_origin().

#include <vector>

#include "firmware/etcd/mvcc/books/member_book.h"
#include "firmware/etcd/options.h"
#include "platform/os/board.h"
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
};

/// "https://10.0.0.1:2380" -> its address. No path, no host names.
Result<os::Address> parse_url(std::string_view url);

/// Fails with `invalid`, naming the option, the value and what would be accepted.
Result<ClusterPlan> plan_cluster(const Options& options);

/// Member id: the first eight bytes of SHA-1 over the sorted URLs and the token. etcd puts the
/// time (seconds since 1970, decimal) in place of the token for a member that is added at runtime.
MemberId member_id_of(std::vector<std::string> peer_urls, std::string_view token);

/// Where these URLs are. Fails with `invalid` as parse_url(), and on an empty or repeating list.
Result<std::vector<os::Address>> addresses_of(const std::vector<std::string>& peer_urls);

/// Who this member is in a cluster that runs: the one whose peer URLs are those that
/// initial-cluster gives for `name`. Both must list the same members. Fails with `invalid`,
/// saying what differs.
Result<MemberId> find_place(const ClusterPlan& plan, const Options& options,
                            const ClusterDescription& existing);

/// What a member knows of its place before it starts.
struct Origin {
  ClusterId cluster = 0;
  MemberId self = 0;
  /// Who is in the cluster, for a state.db that has no list yet; empty when only the files know.
  std::vector<MemberInfo> members;
  std::vector<MemberId> removed;
  std::uint64_t index = 0;  // of the configuration entry that made it
  bool fresh = false;       // no file of this member knows anything yet
};

/// From the files in data-dir if they know, else from `existing` (join.h) or initial-cluster.
/// Reads files.
Result<Origin> find_origin(const os::World& world, const Options& options,
                           const ClusterDescription* existing);

/// Nobody else's files: fails with `invalid` when `members`, from them, contradict the options.
Result<> check_place(const MemberBook& members, const Origin& origin, const Options& options);

}  // namespace tripod::etcd
