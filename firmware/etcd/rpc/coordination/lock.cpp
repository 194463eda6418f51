#include "firmware/etcd/api/coordination_messages.h"
#include "firmware/etcd/rpc/coordination/coordination.h"
#include "firmware/etcd/rpc/coordination/method.h"
#include "firmware/etcd/rpc/coordination/queue.h"

namespace tripod::etcd::rpc {
namespace {

const grpc::Status session_expired{grpc::StatusCode::unknown, "mutex: session is expired"};

/// Who gave up waiting does not hold up the others until its lease ends.
Task<void> give_up(Session session, Bytes key) {
  (void)co_await session.delete_range({.key = std::move(key)});
}

TxnRequest acquire(const Bytes& prefix, const Bytes& key, LeaseId lease) {
  TxnRequest request;
  request.compare.push_back(created_at(key, 0));
  request.success.push_back({PutRequest{.key = key, .lease = lease}});
  request.success.push_back({oldest_under(prefix)});
  request.failure.push_back({RangeRequest{.key = key}});
  request.failure.push_back({oldest_under(prefix)});
  return request;
}

Task<grpc::Reply<LockResponse>> lock(Session session, LockRequest request) {
  auto lease = co_await lease_or_new(session, request.lease);
  if (!lease) co_return std::unexpected(std::move(lease.error()));
  const Bytes prefix = prefix_of_name(request.name);
  const Bytes key = key_of_lease(prefix, *lease);
  auto queued = co_await session.txn(acquire(prefix, key, *lease));
  if (!queued) co_return std::unexpected(std::move(queued.error()));
  Revision created = queued->header.revision;
  if (!queued->succeeded) {
    created = std::get<RangeResponse>(queued->responses[0].response).kvs.front().create_revision;
  }
  const auto& owners = std::get<RangeResponse>(queued->responses[1].response).kvs;
  if (owners.empty() || owners.front().create_revision == created) {
    co_return LockResponse{.header = queued->header, .key = key};
  }
  auto waited = co_await wait_deletes(session, prefix, created - 1);
  if (!waited) {
    session.member->run_in_background(give_up(session, key));
    co_return std::unexpected(std::move(waited.error()));
  }
  auto own = co_await session.range({.key = key});
  if (!own) {
    session.member->run_in_background(give_up(session, key));
    co_return std::unexpected(std::move(own.error()));
  }
  if (own->kvs.empty()) co_return std::unexpected(session_expired);
  co_return LockResponse{.header = own->header, .key = key};
}

Task<grpc::Reply<UnlockResponse>> unlock(Session session, UnlockRequest request) {
  auto deleted = co_await session.delete_range({.key = std::move(request.key)});
  if (!deleted) co_return std::unexpected(std::move(deleted.error()));
  co_return UnlockResponse{.header = deleted->header};
}

}  // namespace

void add_lock_service(grpc::Server& server, Member& member) {
  add_unary<LockRequest, LockResponse>(server, "/v3lockpb.Lock/Lock", member, &lock);
  add_unary<UnlockRequest, UnlockResponse>(server, "/v3lockpb.Lock/Unlock", member, &unlock);
}

}  // namespace tripod::etcd::rpc
