#include "firmware/etcd/rpc/client_port.h"

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/rpc/auth_service.h"
#include "firmware/etcd/rpc/coordination/coordination.h"
#include "firmware/etcd/rpc/credentials.h"
#include "firmware/etcd/rpc/gateway/gateway.h"
#include "firmware/etcd/rpc/health.h"
#include "firmware/etcd/rpc/maintenance_service.h"
#include "firmware/etcd/rpc/range_stream.h"
#include "firmware/etcd/rpc/watch_stream.h"
#include "firmware/etcd/server/snapshots.h"
#include "firmware/etcd/version.h"
#include "platform/grpc/server.h"

namespace tripod::etcd::rpc {
namespace {

constexpr std::size_t message_overhead_bytes = 512 * 1024;
constexpr std::size_t snapshot_piece_bytes = 64 * 1024;

bool requires_leader(const grpc::CallContext& context) {
  return context.metadata().get("hasleader") == "true";
}

/// Of reads only the serializable ones, which Member::range() sees to.
bool answered_by_learners(std::string_view path) {
  return path == "/etcdserverpb.KV/Range" || path == "/etcdserverpb.Maintenance/Status" ||
         path == "/etcdserverpb.Maintenance/Snapshot";
}

grpc::Status undecodable() {
  return {grpc::StatusCode::internal, "grpc: error unmarshalling request"};
}

template <typename Request, typename Response>
using Method = Task<grpc::Reply<Response>> (Member::*)(Request, Credentials);

template <typename Request, typename Response>
Task<grpc::Reply<Bytes>> call(Member* member, Method<Request, Response> method, bool require_leader,
                              Credentials who, Bytes bytes) {
  if (require_leader && member->leader() == 0) co_return reject(outcome::no_leader);
  auto request = decode<Request>(bytes);
  if (!request) co_return std::unexpected(undecodable());
  bytes = {};
  auto reply = co_await (member->*method)(std::move(*request), std::move(who));
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  co_return encode(*reply);
}

Task<grpc::Reply<Bytes>> leases(Member* member, bool require_leader, Credentials who, Bytes bytes) {
  if (require_leader && member->leader() == 0) co_return reject(outcome::no_leader);
  if (!decode<LeaseLeasesRequest>(bytes)) co_return std::unexpected(undecodable());
  auto reply = co_await member->lease_leases(std::move(who));
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  co_return encode(*reply);
}

/// The stream of the state in pieces; the last one is the digest of the others.
Task<grpc::Status> snapshot(Member* member, grpc::ServerCall call) {
  auto request = co_await call.read();
  if (!request) co_return request.error();
  auto allowed = co_await member->require_root(credentials_of(call.context()));
  if (!allowed) co_return allowed.error();
  auto stream = co_await member->snapshot();
  if (!stream) co_return stream.error();
  std::uint64_t remaining = (*stream)->size_bytes() - Sha256::digest_bytes;
  SnapshotResponse response{.version = std::string(storage_version)};
  member->fill(response.header);
  for (;;) {
    auto piece = co_await (*stream)->read(snapshot_piece_bytes);
    if (!piece) co_return grpc::Status::from_error(piece.error());
    if (piece->empty()) co_return grpc::Status{};
    remaining -= std::min<std::uint64_t>(remaining, piece->size());
    response.remaining_bytes = remaining;
    response.blob = std::move(*piece);
    if (auto written = co_await call.write(encode(response)); !written) co_return written.error();
  }
}

Task<grpc::Status> watch(Member* member, grpc::ServerCall stream) {
  WatchStream watches(*member, stream, requires_leader(stream.context()),
                      credentials_of(stream.context()));
  co_return co_await watches.run();
}

Task<grpc::Status> keep_alive(Member* member, grpc::ServerCall stream) {
  const bool require_leader = requires_leader(stream.context());
  const Credentials who = credentials_of(stream.context());
  for (;;) {
    auto message = co_await stream.read();
    if (!message) co_return message.error();
    if (!*message) co_return grpc::Status{};
    auto request = decode<LeaseKeepAliveRequest>(**message);
    if (!request) {
      co_return grpc::Status{grpc::StatusCode::internal,
                             "grpc: failed to unmarshal the received message"};
    }
    if (require_leader && member->leader() == 0) co_return outcome::no_leader.status();
    auto reply = co_await member->lease_keep_alive(*request, who);
    if (!reply) co_return reply.error();
    if (auto written = co_await stream.write(encode(*reply)); !written) co_return written.error();
  }
}

}  // namespace

struct ClientPort::Implementation {
  explicit Implementation(Member& member)
      : metrics(member),
        health(member, metrics),
        gateway(server, health, member.options().max_request_bytes + message_overhead_bytes),
        server(member.world().clock, member.metrics(),
               {.message_bytes_max = member.options().max_request_bytes + message_overhead_bytes},
               &gateway) {
    server.count_bytes(
        member.metrics().counter("etcd_network_client_grpc_received_bytes_total",
                                 "The total number of bytes received from grpc clients."),
        member.metrics().counter("etcd_network_client_grpc_sent_bytes_total",
                                 "The total number of bytes sent to grpc clients."));
    unary(member, "KV/Range", &Member::range);
    server.add_stream("/etcdserverpb.KV/RangeStream", grpc::MethodType::server_stream,
                      [&member](grpc::ServerCall call) { return range_stream(&member, call); });
    unary(member, "KV/Put", &Member::put);
    unary(member, "KV/DeleteRange", &Member::delete_range);
    unary(member, "KV/Txn", &Member::txn);
    unary(member, "KV/Compact", &Member::compact);
    unary(member, "Lease/LeaseGrant", &Member::lease_grant);
    unary(member, "Lease/LeaseRevoke", &Member::lease_revoke);
    unary(member, "Lease/LeaseTimeToLive", &Member::lease_time_to_live);
    unary(member, "Cluster/MemberList", &Member::member_list);
    unary(member, "Cluster/MemberAdd", &Member::member_add);
    unary(member, "Cluster/MemberRemove", &Member::member_remove);
    unary(member, "Cluster/MemberUpdate", &Member::member_update);
    unary(member, "Cluster/MemberPromote", &Member::member_promote);
    server.set_guard([&member](std::string_view path) -> std::optional<grpc::Status> {
      if (!member.is_learner() || answered_by_learners(path)) return std::nullopt;
      return outcome::not_for_learners.status();
    });
    server.add_unary("/etcdserverpb.Lease/LeaseLeases", [&member](grpc::CallContext context,
                                                                  Bytes bytes) {
      return leases(&member, requires_leader(context), credentials_of(context), std::move(bytes));
    });
    add_auth_service(server, member);
    add_maintenance_service(server, member);
    server.add_stream("/etcdserverpb.Maintenance/Snapshot", grpc::MethodType::server_stream,
                      [&member](grpc::ServerCall call) { return snapshot(&member, call); });
    add_lock_service(server, member);
    add_election_service(server, member);
    server.add_stream("/etcdserverpb.Watch/Watch", grpc::MethodType::bidi_stream,
                      [&member](grpc::ServerCall stream) { return watch(&member, stream); });
    server.add_stream("/etcdserverpb.Lease/LeaseKeepAlive", grpc::MethodType::bidi_stream,
                      [&member](grpc::ServerCall stream) { return keep_alive(&member, stream); });
  }

  template <typename Request, typename Response>
  void unary(Member& member, std::string_view path, Method<Request, Response> method) {
    server.add_unary("/etcdserverpb." + std::string(path),
                     [&member, method](grpc::CallContext context, Bytes bytes) {
                       return call(&member, method, requires_leader(context),
                                   credentials_of(context), std::move(bytes));
                     });
  }

  ServiceMetrics metrics;
  HealthHandler health;
  Gateway gateway;  // in front of health
  grpc::Server server;
};

ClientPort::ClientPort(Member& member)
    : implementation_(std::make_unique<Implementation>(member)) {}
ClientPort::~ClientPort() = default;

http::Handler& ClientPort::metrics_handler() {
  return implementation_->health;
}

http::Handler& ClientPort::handler() {
  return implementation_->server;
}

}  // namespace tripod::etcd::rpc
