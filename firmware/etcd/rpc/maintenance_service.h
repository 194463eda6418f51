#pragma once
// etcd's Maintenance service but for its streams: /etcdserverpb.Maintenance/*.

#include "firmware/etcd/member.h"
#include "platform/grpc/server.h"

namespace tripod::etcd::rpc {

/// The member outlives the server.
void add_maintenance_service(grpc::Server& server, Member& member);

}  // namespace tripod::etcd::rpc
