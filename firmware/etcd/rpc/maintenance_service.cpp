#include "firmware/etcd/rpc/maintenance_service.h"

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/rpc/credentials.h"

namespace tripod::etcd::rpc {
namespace {

grpc::Status undecodable() {
  return {grpc::StatusCode::internal, "grpc: error unmarshalling request"};
}

/// What is asked of one member, by whoever may administrate it.
template <typename Request, typename Response>
Task<grpc::Reply<Bytes>> call(Member* member,
                              Task<grpc::Reply<Response>> (Member::*method)(Request),
                              Credentials who, Bytes bytes) {
  auto request = decode<Request>(bytes);
  if (!request) co_return std::unexpected(undecodable());
  auto allowed = co_await member->require_root(std::move(who));
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  auto reply = co_await (member->*method)(std::move(*request));
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  co_return encode(*reply);
}

Task<grpc::Reply<Bytes>> status(Member* member, Credentials who, Bytes bytes) {
  if (!decode<StatusRequest>(bytes)) co_return std::unexpected(undecodable());
  auto allowed = co_await member->require_root(std::move(who));
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  auto reply = member->status();
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  co_return encode(*reply);
}

/// Every user may look at the alarms.
Task<grpc::Reply<Bytes>> alarm(Member* member, Credentials who, Bytes bytes) {
  auto request = decode<AlarmRequest>(bytes);
  if (!request) co_return std::unexpected(undecodable());
  auto allowed =
      co_await (request->action == AlarmAction::get ? member->require_user(std::move(who))
                                                    : member->require_root(std::move(who)));
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  auto reply = co_await member->alarm(*request);
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  co_return encode(*reply);
}

}  // namespace

void add_maintenance_service(grpc::Server& server, Member& member) {
  const auto add = [&](std::string_view name, auto handle) {
    server.add_unary("/etcdserverpb.Maintenance/" + std::string(name),
                     [&member, handle](grpc::CallContext context, Bytes bytes) {
                       return handle(&member, credentials_of(context), std::move(bytes));
                     });
  };
  const auto add_method = [&](std::string_view name, auto method) {
    add(name, [method](Member* called, Credentials who, Bytes bytes) {
      return call(called, method, std::move(who), std::move(bytes));
    });
  };
  add("Status", [](Member* asked, Credentials who, Bytes bytes) {
    return status(asked, std::move(who), std::move(bytes));
  });
  add("Alarm", [](Member* asked, Credentials who, Bytes bytes) {
    return alarm(asked, std::move(who), std::move(bytes));
  });
  add_method("HashKV", &Member::hash_kv);
  add_method("MoveLeader", &Member::move_leader);
  add_method("Hash", &Member::hash_state);
  add_method("Defragment", &Member::defragment);
  add_method("Downgrade", &Member::downgrade);
}

}  // namespace tripod::etcd::rpc
