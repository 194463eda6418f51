#pragma once
// The queue behind locks and elections: keys under one prefix, in the order of their creation.
//
// Lives on the loop thread.

#include "firmware/etcd/member.h"
#include "firmware/etcd/mvcc/watch_hub.h"
#include "platform/async/sync.h"

namespace tripod::etcd::rpc {

/// A watch whose events a coroutine takes one by one.
class EventQueue final : public WatchSink {
 public:
  /// `range_end` empty: of one key.
  EventQueue(Member& member, Bytes key, Bytes range_end, Revision start);

  /// Fails with "compacted" when the start was compacted away, "canceled" when the caller is gone.
  Task<grpc::Reply<SharedEvent>> next();

  bool ready() const override { return events_.size() < events_max; }
  void on_events(Revision revision, const Events& events) override;
  void on_compacted(Revision compact_revision) override;

 private:
  static constexpr std::size_t events_max = 64;

  std::deque<SharedEvent> events_;
  bool compacted_ = false;
  async::Signal arrived_;
  std::unique_ptr<HubWatch> watch_;  // the first to go
};

/// Who asks, and the member that is asked: the calls of it that locks and elections need.
struct Session {
  Member* member;
  Credentials who;

  Task<grpc::Reply<RangeResponse>> range(RangeRequest request) const {
    return member->range(std::move(request), who);
  }
  Task<grpc::Reply<TxnResponse>> txn(TxnRequest request) const {
    return member->txn(std::move(request), who);
  }
  Task<grpc::Reply<DeleteRangeResponse>> delete_range(DeleteRangeRequest request) const {
    return member->delete_range(std::move(request), who);
  }
  Task<grpc::Reply<LeaseGrantResponse>> lease_grant(LeaseGrantRequest request) const {
    return member->lease_grant(std::move(request), who);
  }
};

/// "name/": what keys of that name begin with.
Bytes prefix_of_name(BytesView name);
/// "prefix" + the lease in hexadecimal.
Bytes key_of_lease(BytesView prefix, LeaseId lease);

/// All keys under `prefix`: the oldest, or the youngest not created after `created_max`.
RangeRequest oldest_under(Bytes prefix);
RangeRequest youngest_under(Bytes prefix, Revision created_max);

/// If `key` was created at `created` (0: does not exist).
Compare created_at(Bytes key, Revision created);

/// The caller's lease, or one of a minute.
Task<grpc::Reply<LeaseId>> lease_or_new(Session session, LeaseId lease);

/// Returns when no key under `prefix` is left that was created at `created_max` or before.
Task<grpc::Reply<void>> wait_deletes(Session session, Bytes prefix, Revision created_max);

}  // namespace tripod::etcd::rpc
