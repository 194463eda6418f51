#pragma once
// What a call shows of who makes it.

#include "firmware/etcd/auth/caller.h"
#include "platform/grpc/server.h"

namespace tripod::etcd::rpc {

/// The token of the metadata, and the certificate; not the certificate of a JSON gateway, which
/// speaks for others.
Credentials credentials_of(const grpc::CallContext& context);

}  // namespace tripod::etcd::rpc
