#pragma once
// Which path stands for which method, and what goes in and out (the google.api.http options of
// etcd's rpc.proto, v3lock.proto and v3election.proto).

#include <span>

#include "firmware/etcd/api/shape.h"

namespace tripod::etcd::rpc {

enum class Flow : std::uint8_t { unary, server_stream, bidi_stream };

struct Route {
  std::string_view path;    // "/v3/kv/range"
  std::string_view method;  // "/etcdserverpb.KV/Range"
  Flow flow;
  const MessageShape& (*request)();
  const MessageShape& (*response)();
};

std::span<const Route> all_routes();

/// Null when no method has that path.
const Route* find_route(std::string_view path);

}  // namespace tripod::etcd::rpc
