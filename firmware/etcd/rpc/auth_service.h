#pragma once
// etcd's Auth service: /etcdserverpb.Auth/*.

#include "firmware/etcd/member.h"
#include "platform/grpc/server.h"

namespace tripod::etcd::rpc {

/// The member outlives the server.
void add_auth_service(grpc::Server& server, Member& member);

}  // namespace tripod::etcd::rpc
