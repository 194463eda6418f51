#include "firmware/etcd/rpc/coordination/queue.h"

#include <format>

namespace tripod::etcd::rpc {
namespace {

constexpr std::int64_t session_ttl_seconds = 60;

/// The end of the range of all keys that begin with `prefix`, which ends with '/'.
Bytes end_of_prefix(Bytes prefix) {
  prefix.back() = '/' + 1;
  return prefix;
}

RangeRequest by_creation(Bytes prefix, SortOrder order) {
  RangeRequest request{.key = prefix, .range_end = end_of_prefix(prefix), .limit = 1};
  request.sort_order = order;
  request.sort_target = SortTarget::create;
  return request;
}

}  // namespace

EventQueue::EventQueue(Member& member, Bytes key, Bytes range_end, Revision start)
    : watch_(member.watches().add(
          {.key = std::move(key), .range_end = std::move(range_end), .start_revision = start},
          *this)) {}

void EventQueue::on_events(Revision /*revision*/, const Events& events) {
  events_.insert(events_.end(), events.begin(), events.end());
  arrived_.notify();
}

void EventQueue::on_compacted(Revision /*compact_revision*/) {
  compacted_ = true;
  arrived_.notify();
}

Task<grpc::Reply<SharedEvent>> EventQueue::next() {
  while (events_.empty()) {
    if (compacted_) co_return reject(outcome::compacted);
    if (!co_await arrived_.wait()) co_return reject(outcome::canceled);
  }
  SharedEvent event = std::move(events_.front());
  events_.pop_front();
  watch_->wake();
  co_return event;
}

Bytes prefix_of_name(BytesView name) {
  return Bytes(name) + '/';
}

Bytes key_of_lease(BytesView prefix, LeaseId lease) {
  return std::format("{}{:x}", prefix, lease);
}

RangeRequest oldest_under(Bytes prefix) {
  return by_creation(std::move(prefix), SortOrder::ascend);
}

RangeRequest youngest_under(Bytes prefix, Revision created_max) {
  RangeRequest request = by_creation(std::move(prefix), SortOrder::descend);
  request.max_create_revision = created_max;
  return request;
}

Compare created_at(Bytes key, Revision created) {
  return {.result = CompareResult::equal,
          .target = CompareTarget::create,
          .key = std::move(key),
          .number = created};
}

Task<grpc::Reply<LeaseId>> lease_or_new(Session session, LeaseId lease) {
  if (lease != 0) co_return lease;
  auto granted = co_await session.lease_grant({.ttl = session_ttl_seconds});
  if (!granted) co_return std::unexpected(std::move(granted.error()));
  co_return granted->id;
}

Task<grpc::Reply<void>> wait_deletes(Session session, Bytes prefix, Revision created_max) {
  if (created_max <= 0) co_return grpc::Reply<void>{};  // 0 would mean any
  for (;;) {
    auto before = co_await session.range(youngest_under(prefix, created_max));
    if (!before) co_return std::unexpected(std::move(before.error()));
    if (before->kvs.empty()) co_return grpc::Reply<void>{};
    EventQueue events(*session.member, before->kvs.front().key, {}, before->header.revision);
    for (bool gone = false; !gone;) {
      auto event = co_await events.next();
      if (!event) co_return std::unexpected(std::move(event.error()));
      gone = (*event)->type() == EventType::remove;
    }
  }
}

}  // namespace tripod::etcd::rpc
