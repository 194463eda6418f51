#pragma once
// What a board asks before it is a member: who is in the cluster? Any of its members answers, on
// listen-peer-urls, to whoever has a peer's certificate.
//
// Lives on the loop thread.

#include "firmware/etcd/options.h"
#include "platform/async/task.h"
#include "platform/os/board.h"

namespace tripod::etcd::peer {

/// The answer of the member at `address` (Receiver::describe_cluster), within a few seconds.
Task<Result<Bytes>> ask_cluster(os::World world, PeerTls tls, os::Address address);

}  // namespace tripod::etcd::peer
