#pragma once
// What a board does before it is a member of a cluster that exists (initial-cluster-state =
// existing): it asks the others in initial-cluster who is in it.
//
//   auto cluster = co_await find_cluster(world, options, tls);
//   auto member = Member::start(world, options, tls, metrics, *cluster);
//
// Lives on the loop thread.

#include <memory>

#include "firmware/etcd/options.h"
#include "platform/async/task.h"
#include "platform/os/board.h"

namespace tripod::etcd {

struct ClusterDescription;

/// The files in `data_dir` know which member of which cluster they are. Those of a member that lost
/// its power while it made them do not. Reads files.
Result<bool> knows_its_place(const os::World& world, const std::string& data_dir);

/// Null when the files of this member know, or the cluster is new. Asks until a member answers with
/// a list that this member has its place in; `invalid` when all that answer have another one,
/// `unavailable` when nobody answers within `patience`.
Task<Result<std::shared_ptr<const ClusterDescription>>> find_cluster(
    os::World world, Options options, PeerTls tls, Duration patience = std::chrono::seconds(60));

}  // namespace tripod::etcd
