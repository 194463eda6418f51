#pragma once
// What etcd's refusals mean to API clients, and the key arithmetic that prefixes need.

#include <string_view>

#include "firmware/kube/status.h"
#include "platform/base/bytes.h"
#include "platform/grpc/status.h"

namespace tripod::apiserver {

/// Unreachable, leaderless or slow storage is a 500 ServerTimeout that clients retry; the rest an
/// internal error.
kube::StatusError from_etcd(const grpc::Status& status, const kube::GroupResource& resource,
                            std::string_view verb);

/// The revision asked for was compacted away.
bool is_compacted(const grpc::Status& status);

/// The first key behind all keys with that prefix.
Bytes prefix_end(std::string_view prefix);

}  // namespace tripod::apiserver
