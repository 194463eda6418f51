#pragma once
// etcd's v3lock and v3election gRPC services.
//
// Lives on the loop thread; the member outlives the server.

#include "firmware/etcd/member.h"
#include "platform/grpc/server.h"

namespace tripod::etcd::rpc {

void add_lock_service(grpc::Server& server, Member& member);
void add_election_service(grpc::Server& server, Member& member);

}  // namespace tripod::etcd::rpc
