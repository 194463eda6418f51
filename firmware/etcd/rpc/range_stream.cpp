#include "firmware/etcd/rpc/range_stream.h"

#include <algorithm>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/stream_messages.h"
#include "firmware/etcd/rpc/credentials.h"

namespace tripod::etcd::rpc {
namespace {

constexpr std::int64_t first_piece_keys = 10;
constexpr std::size_t piece_bytes_wanted = 512 * 1024;

bool offered(const RangeRequest& request) {
  const bool filters = request.min_mod_revision != 0 || request.max_mod_revision != 0 ||
                       request.min_create_revision != 0 || request.max_create_revision != 0;
  const bool key_order =
      request.sort_order == SortOrder::none ||
      (request.sort_order == SortOrder::ascend && request.sort_target == SortTarget::key);
  return key_order && !filters;
}

/// How many keys the next piece may have, after one of `keys` keys took `bytes`.
std::int64_t next_keys(std::int64_t keys, std::size_t bytes) {
  const std::size_t each = bytes / static_cast<std::size_t>(std::max<std::int64_t>(keys, 1)) + 1;
  const auto fit = static_cast<std::int64_t>(piece_bytes_wanted / each);
  return std::clamp<std::int64_t>(fit, 1, 4 * keys + first_piece_keys);
}

}  // namespace

Task<grpc::Status> range_stream(Member* member, grpc::ServerCall call) {
  auto message = co_await call.read();
  if (!message) co_return message.error();
  if (call.context().metadata().get("hasleader") == "true" && member->leader() == 0) {
    co_return outcome::no_leader.status();
  }
  auto request = decode<RangeRequest>(message->value_or(Bytes()));
  if (!request) {
    co_return grpc::Status{grpc::StatusCode::internal, "grpc: error unmarshalling request"};
  }
  if (!offered(*request)) {
    co_return grpc::Status{
        grpc::StatusCode::unimplemented,
        "etcdserver: RangeStream offers ascending key order without revision filters"};
  }
  const Credentials who = credentials_of(call.context());
  const std::int64_t limit = std::max<std::int64_t>(request->limit, 0);
  std::optional<std::int64_t> total;  // of all keys, as the first piece counted them
  std::int64_t sent = 0;
  std::int64_t keys = first_piece_keys;
  for (;;) {
    request->limit = limit > 0 ? std::min(keys, limit - sent) : keys;
    auto reply = co_await member->range(*request, who);
    if (!reply) co_return reply.error();
    if (!total) {
      total = reply->count;
      // The rest is read at the same revision, which is linearizable if that was.
      if (request->revision <= 0) request->revision = reply->header.revision;
      request->serializable = true;
    }
    sent += static_cast<std::int64_t>(reply->kvs.size());
    const bool last = !reply->more || (limit > 0 && sent >= limit);
    RangeStreamResponse piece;
    if (last) {
      piece.range_response = std::move(*reply);
      piece.range_response.count = *total;
      piece.range_response.more = !request->count_only && *total > sent;
    } else {
      request->key = reply->kvs.back().key + '\0';
      piece.range_response.kvs = std::move(reply->kvs);
    }
    Bytes bytes = encode(piece);
    keys = next_keys(request->limit, bytes.size());
    if (auto written = co_await call.write(std::move(bytes)); !written) co_return written.error();
    if (last) co_return grpc::Status{};
  }
}

}  // namespace tripod::etcd::rpc
