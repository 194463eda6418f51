#pragma once
// What the unary methods of both services share: the leader that a client may require, decoding,
// encoding, and that every failure has the code UNKNOWN: etcd's are written with its client
// library, whose errors carry the text alone.

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/rpc/coordination/queue.h"
#include "firmware/etcd/rpc/credentials.h"
#include "platform/grpc/server.h"

namespace tripod::etcd::rpc {

inline bool requires_leader(const grpc::CallContext& context) {
  return context.metadata().get("hasleader") == "true";
}

inline grpc::Status undecodable() {
  return {grpc::StatusCode::internal, "grpc: error unmarshalling request"};
}

template <typename Request, typename Response>
using UnaryFunction = Task<grpc::Reply<Response>> (*)(Session, Request);

template <typename Request, typename Response>
Task<grpc::Reply<Bytes>> call(Session session, UnaryFunction<Request, Response> method,
                              bool require_leader, Bytes bytes) {
  if (require_leader && session.member->leader() == 0) co_return reject(outcome::no_leader);
  auto request = decode<Request>(bytes);
  if (!request) co_return std::unexpected(undecodable());
  bytes = {};
  auto reply = co_await method(std::move(session), std::move(*request));
  if (!reply) {
    co_return grpc::reject(grpc::StatusCode::unknown, std::move(reply.error().message));
  }
  co_return encode(*reply);
}

template <typename Request, typename Response>
void add_unary(grpc::Server& server, std::string path, Member& member,
               UnaryFunction<Request, Response> method) {
  server.add_unary(std::move(path), [&member, method](grpc::CallContext context, Bytes bytes) {
    return call({&member, credentials_of(context)}, method, requires_leader(context),
                std::move(bytes));
  });
}

}  // namespace tripod::etcd::rpc
