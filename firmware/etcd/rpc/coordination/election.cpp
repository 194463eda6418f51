#include "firmware/etcd/api/coordination_messages.h"
#include "firmware/etcd/rpc/coordination/coordination.h"
#include "firmware/etcd/rpc/coordination/method.h"
#include "firmware/etcd/rpc/coordination/queue.h"

namespace tripod::etcd::rpc {
namespace {

// The texts of etcd's client library and of its election server.
const grpc::Status not_leader{grpc::StatusCode::unknown, "election: not leader"};
const grpc::Status no_leader{grpc::StatusCode::unknown, "election: no leader"};
const grpc::Status missing_leader_key{grpc::StatusCode::unknown,
                                      "\"leader\" field must be provided"};

Task<grpc::Reply<TxnResponse>> put_while_leading(Session session, LeaderKey leader, Bytes value) {
  TxnRequest request;
  request.compare.push_back(created_at(leader.key, leader.rev));
  request.success.push_back(
      {PutRequest{.key = leader.key, .value = std::move(value), .lease = leader.lease}});
  auto reply = co_await session.txn(std::move(request));
  if (reply && !reply->succeeded) co_return std::unexpected(not_leader);
  co_return reply;
}

Task<grpc::Reply<TxnResponse>> delete_while_leading(Session session, LeaderKey leader) {
  TxnRequest request;
  request.compare.push_back(created_at(leader.key, leader.rev));
  request.success.push_back({DeleteRangeRequest{.key = leader.key}});
  return session.txn(std::move(request));
}

/// Who gave up waiting does not hold up the others until its lease ends.
Task<void> give_up(Session session, LeaderKey leader) {
  (void)co_await delete_while_leading(session, std::move(leader));
}

Task<grpc::Reply<CampaignResponse>> campaign(Session session, CampaignRequest request) {
  auto lease = co_await lease_or_new(session, request.lease);
  if (!lease) co_return std::unexpected(std::move(lease.error()));
  const Bytes prefix = prefix_of_name(request.name);
  LeaderKey leader{
      .name = request.name, .key = key_of_lease(prefix, *lease), .rev = 0, .lease = *lease};
  TxnRequest stand;
  stand.compare.push_back(created_at(leader.key, 0));
  stand.success.push_back(
      {PutRequest{.key = leader.key, .value = request.value, .lease = leader.lease}});
  stand.failure.push_back({RangeRequest{.key = leader.key}});
  auto queued = co_await session.txn(std::move(stand));
  if (!queued) co_return std::unexpected(std::move(queued.error()));
  leader.rev = queued->header.revision;
  if (!queued->succeeded) {
    const KeyValue& own = std::get<RangeResponse>(queued->responses.front().response).kvs.front();
    leader.rev = own.create_revision;
    if (own.value != request.value) {
      auto said = co_await put_while_leading(session, leader, std::move(request.value));
      if (!said) {
        session.member->run_in_background(give_up(session, std::move(leader)));
        co_return std::unexpected(std::move(said.error()));
      }
    }
  }
  auto waited = co_await wait_deletes(session, prefix, leader.rev - 1);
  if (!waited) {
    session.member->run_in_background(give_up(session, std::move(leader)));
    co_return std::unexpected(std::move(waited.error()));
  }
  co_return CampaignResponse{.header = queued->header, .leader = std::move(leader)};
}

Task<grpc::Reply<ProclaimResponse>> proclaim(Session session, ProclaimRequest request) {
  if (!request.leader) co_return std::unexpected(missing_leader_key);
  auto lease = co_await lease_or_new(session, request.leader->lease);
  if (!lease) co_return std::unexpected(std::move(lease.error()));
  request.leader->lease = *lease;
  auto said =
      co_await put_while_leading(session, std::move(*request.leader), std::move(request.value));
  if (!said) co_return std::unexpected(std::move(said.error()));
  co_return ProclaimResponse{.header = said->header};
}

Task<grpc::Reply<ResignResponse>> resign(Session session, ResignRequest request) {
  if (!request.leader) co_return std::unexpected(missing_leader_key);
  auto left = co_await delete_while_leading(session, std::move(*request.leader));
  if (!left) co_return std::unexpected(std::move(left.error()));
  co_return ResignResponse{.header = left->header};
}

Task<grpc::Reply<LeaderResponse>> leader(Session session, LeaderRequest request) {
  auto first = co_await session.range(oldest_under(prefix_of_name(request.name)));
  if (!first) co_return std::unexpected(std::move(first.error()));
  if (first->kvs.empty()) co_return std::unexpected(no_leader);
  co_return LeaderResponse{.header = first->header, .kv = std::move(first->kvs.front())};
}

/// The first key put under the prefix from `start` on.
Task<grpc::Reply<LeaderResponse>> next_candidate(Session session, Bytes prefix, Revision start) {
  RangeRequest all = oldest_under(std::move(prefix));
  EventQueue events(*session.member, std::move(all.key), std::move(all.range_end), start);
  for (;;) {
    auto event = co_await events.next();
    if (!event) co_return std::unexpected(std::move(event.error()));
    if ((*event)->type() != EventType::put) continue;
    LeaderResponse response{.header = {}, .kv = (*event)->event().kv};
    response.header.revision = response.kv.mod_revision;
    session.member->fill(response.header);
    co_return response;
  }
}

/// What the leader says from `start` on, until its key is gone.
Task<grpc::Reply<void>> follow(Session session, grpc::ServerCall stream, Bytes key,
                               Revision start) {
  EventQueue events(*session.member, std::move(key), {}, start);
  for (;;) {
    auto event = co_await events.next();
    if (!event) co_return std::unexpected(std::move(event.error()));
    if ((*event)->type() == EventType::remove) co_return grpc::Reply<void>{};
    LeaderResponse response{.header = {}, .kv = (*event)->event().kv};
    session.member->fill(response.header);
    if (auto written = co_await stream.write(encode(response)); !written) co_return written;
  }
}

/// Tells of every leader and what it says, as long as the client listens. When history was
/// compacted away the stream ends well, and the client asks again, as in etcd.
Task<grpc::Status> observe(Session session, grpc::ServerCall stream) {
  auto message = co_await stream.read();
  if (!message) co_return message.error();
  auto request = decode<LeaderRequest>(*message ? **message : Bytes());
  if (!request) co_return undecodable();
  const Bytes prefix = prefix_of_name(request->name);
  for (;;) {
    auto first = co_await session.range(oldest_under(prefix));
    if (!first) co_return grpc::Status{};
    LeaderResponse found{.header = first->header, .kv = {}};
    if (!first->kvs.empty()) {
      found.kv = std::move(first->kvs.front());
    } else {
      auto candidate = co_await next_candidate(session, prefix, first->header.revision);
      if (!candidate) co_return grpc::Status{};
      found = std::move(*candidate);
    }
    const Bytes key = found.kv.key;
    if (auto written = co_await stream.write(encode(found)); !written) co_return written.error();
    auto followed = co_await follow(session, stream, key, found.header.revision + 1);
    if (!followed) co_return grpc::Status{};
  }
}

}  // namespace

void add_election_service(grpc::Server& server, Member& member) {
  add_unary<CampaignRequest, CampaignResponse>(server, "/v3electionpb.Election/Campaign", member,
                                               &campaign);
  add_unary<ProclaimRequest, ProclaimResponse>(server, "/v3electionpb.Election/Proclaim", member,
                                               &proclaim);
  add_unary<LeaderRequest, LeaderResponse>(server, "/v3electionpb.Election/Leader", member,
                                           &leader);
  add_unary<ResignRequest, ResignResponse>(server, "/v3electionpb.Election/Resign", member,
                                           &resign);
  server.add_stream("/v3electionpb.Election/Observe", grpc::MethodType::server_stream,
                    [&member](grpc::ServerCall stream) {
                      return observe({&member, credentials_of(stream.context())}, stream);
                    });
}

}  // namespace tripod::etcd::rpc
