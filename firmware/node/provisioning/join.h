#pragma once
// What a board does before it has its certificates and its place in the cluster. With [node] join
// it gets both from a cluster that runs:
//
//   1. its keys, made here, never sent;
//   2. cluster-info over a connection that proves nothing, proven by the token's signature and by
//      join-ca-hash;
//   3. certificates for its keys, asked for with the token;
//   4. its place as a learner, asked for with the token, too: its own certificate counts once it is
//      a member, and no longer than that.
//
// What is done is in files, written whole; after a power cut the board goes on with what is
// missing. Without join, a board that has no certificates at all makes its keys and waits for them.
//
// Lives on the loop thread.

#include <functional>
#include <string>

#include "firmware/node/config.h"
#include "platform/async/task.h"
#include "platform/os/board.h"

namespace tripod::node {

/// Returns when the files are there that Node::create() reads; fills config->joined_cluster.
/// `tell` hears what it waits for, each time that changes. Fails when only a person can help.
Task<Result<>> prepare(os::World world, Config* config, std::function<void(std::string)> tell);

}  // namespace tripod::node
