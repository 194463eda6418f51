#include "tests/unit/firmware/apiserver/memory_etcd.h"

#include <algorithm>

#include "platform/base/check.h"

namespace tripod::test {

namespace {

bool in_range(const Bytes& key, const Bytes& from, const Bytes& end) {
  if (end.empty()) return key == from;
  return key >= from && (end == Bytes(1, '\0') || key < end);
}

}  // namespace

class MemoryEtcd::MemoryWatch final : public etcd::Watch {
 public:
  MemoryWatch(MemoryEtcd& store, etcd::WatchCreateRequest request, etcd::WatchObserver& observer)
      : store_(store), request_(std::move(request)), observer_(observer) {
    next_ = request_.start_revision > 0 ? request_.start_revision : store.revision_ + 1;
    store_.watches_.push_back(this);
    schedule();
  }
  ~MemoryWatch() override {
    *alive_ = false;
    std::erase(store_.watches_, this);
  }
  void request_progress() override {
    progress_ = true;
    schedule();
  }

  void schedule() {
    store_.executor_.post([this, alive = alive_] {
      if (*alive) run();
    });
  }
  void cancel(etcd::Revision compact_revision) {
    store_.executor_.post([this, alive = alive_, compact_revision] {
      if (!*alive || std::exchange(cancelled_, true)) return;
      observer_.on_cancelled(compact_revision, {});
    });
  }

 private:
  void run() {
    if (cancelled_ || store_.held_) return;
    if (next_ <= store_.compacted_) {
      cancelled_ = true;
      observer_.on_cancelled(store_.compacted_, {});
      return;
    }
    std::vector<etcd::Event> events;
    for (const etcd::Event& event : store_.log_) {
      if (event.kv.mod_revision >= next_ &&
          in_range(event.kv.key, request_.key, request_.range_end)) {
        events.push_back(event);
      }
    }
    next_ = store_.revision_ + 1;
    if (events.empty() && !std::exchange(progress_, false)) return;
    observer_.on_events(store_.revision_, events);
  }

  MemoryEtcd& store_;
  etcd::WatchCreateRequest request_;
  etcd::WatchObserver& observer_;
  etcd::Revision next_ = 0;
  bool progress_ = false;
  bool cancelled_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

const std::optional<etcd::KeyValue>* MemoryEtcd::at(const History& history,
                                                    etcd::Revision revision) const {
  auto next = history.upper_bound(revision);
  return next == history.begin() ? nullptr : &std::prev(next)->second;
}

etcd::ResponseHeader MemoryEtcd::header() const {
  etcd::ResponseHeader header;
  header.revision = revision_;
  return header;
}

etcd::Reply<etcd::RangeResponse> MemoryEtcd::do_range(const etcd::RangeRequest& request) const {
  if (request.revision > 0 && request.revision < compacted_) {
    return grpc::reject(grpc::StatusCode::out_of_range,
                        "etcdserver: mvcc: required revision has been compacted");
  }
  etcd::RangeResponse response;
  response.header = header();
  const etcd::Revision revision = request.revision > 0 ? request.revision : revision_;
  for (auto key = keys_.lower_bound(request.key); key != keys_.end(); ++key) {
    if (!in_range(key->first, request.key, request.range_end)) break;
    const auto* found = at(key->second, revision);
    if (!found || !found->has_value()) continue;
    ++response.count;
    if (request.limit > 0 && std::cmp_greater_equal(response.kvs.size(), request.limit)) {
      response.more = true;
      continue;
    }
    if (request.count_only) continue;
    response.kvs.push_back(**found);
    if (request.keys_only) response.kvs.back().value.clear();
  }
  return response;
}

void MemoryEtcd::do_put(const etcd::PutRequest& request, etcd::Revision revision) {
  History& history = keys_[request.key];
  etcd::KeyValue kv;
  if (const auto* current = at(history, revision); current && current->has_value()) kv = **current;
  kv.key = request.key;
  kv.value = request.value;
  kv.lease = request.lease;
  kv.mod_revision = revision;
  if (kv.version++ == 0) kv.create_revision = revision;
  history[revision] = kv;
  log_.push_back({etcd::EventType::put, kv, {}});
}

std::int64_t MemoryEtcd::do_delete(const etcd::DeleteRangeRequest& request,
                                   etcd::Revision revision) {
  std::int64_t deleted = 0;
  for (auto& [key, history] : keys_) {
    if (!in_range(key, request.key, request.range_end)) continue;
    const auto* current = at(history, revision);
    if (!current || !current->has_value()) continue;
    history[revision] = std::nullopt;
    etcd::KeyValue kv;
    kv.key = key;
    kv.mod_revision = revision;
    log_.push_back({etcd::EventType::remove, kv, {}});
    ++deleted;
  }
  return deleted;
}

bool MemoryEtcd::holds(const etcd::Compare& compare) const {
  CHECK(compare.result == etcd::CompareResult::equal && compare.range_end.empty());
  const auto history = keys_.find(compare.key);
  const auto* found = history == keys_.end() ? nullptr : at(history->second, revision_);
  const etcd::KeyValue kv = found && found->has_value() ? **found : etcd::KeyValue();
  switch (compare.target) {
    case etcd::CompareTarget::version: return kv.version == compare.number;
    case etcd::CompareTarget::create: return kv.create_revision == compare.number;
    case etcd::CompareTarget::mod: return kv.mod_revision == compare.number;
    case etcd::CompareTarget::value: return kv.value == compare.value;
    case etcd::CompareTarget::lease: return kv.lease == compare.number;
  }
  return false;
}

void MemoryEtcd::deliver() {
  for (MemoryWatch* watch : watches_) watch->schedule();
}

Task<etcd::Reply<etcd::RangeResponse>> MemoryEtcd::range(etcd::RangeRequest request) {
  if (failure) co_return std::unexpected(*failure);
  co_return do_range(request);
}

Task<etcd::Reply<etcd::PutResponse>> MemoryEtcd::put(etcd::PutRequest request) {
  if (failure) co_return std::unexpected(*failure);
  do_put(request, ++revision_);
  deliver();
  co_return etcd::PutResponse{header(), {}};
}

Task<etcd::Reply<etcd::DeleteRangeResponse>> MemoryEtcd::delete_range(
    etcd::DeleteRangeRequest request) {
  if (failure) co_return std::unexpected(*failure);
  const std::int64_t deleted = do_delete(request, revision_ + 1);
  if (deleted > 0) ++revision_;
  deliver();
  co_return etcd::DeleteRangeResponse{header(), deleted, {}};
}

Task<etcd::Reply<etcd::TxnResponse>> MemoryEtcd::txn(etcd::TxnRequest request) {
  if (failure) co_return std::unexpected(*failure);
  ++txns;
  etcd::TxnResponse response;
  response.succeeded =
      std::ranges::all_of(request.compare, [&](const auto& compare) { return holds(compare); });
  const etcd::Revision revision = revision_ + 1;
  bool wrote = false;
  for (const etcd::RequestOp& op : response.succeeded ? request.success : request.failure) {
    if (const auto* range = std::get_if<etcd::RangeRequest>(&op.request)) {
      response.responses.push_back({*do_range(*range)});
    } else if (const auto* put = std::get_if<etcd::PutRequest>(&op.request)) {
      do_put(*put, revision);
      wrote = true;
      response.responses.push_back({etcd::PutResponse{}});
    } else if (const auto* remove = std::get_if<etcd::DeleteRangeRequest>(&op.request)) {
      wrote = do_delete(*remove, revision) > 0 || wrote;
      response.responses.push_back({etcd::DeleteRangeResponse{}});
    }
  }
  if (wrote) revision_ = revision;
  response.header = header();
  deliver();
  co_return response;
}

Task<etcd::Reply<etcd::CompactionResponse>> MemoryEtcd::compact(etcd::CompactionRequest request) {
  if (failure) co_return std::unexpected(*failure);
  compacted_ = request.revision;
  co_return etcd::CompactionResponse{header()};
}

Task<etcd::Reply<etcd::LeaseGrantResponse>> MemoryEtcd::lease_grant(
    etcd::LeaseGrantRequest request) {
  if (failure) co_return std::unexpected(*failure);
  leases_.emplace(next_lease_, request.ttl);
  co_return etcd::LeaseGrantResponse{header(), next_lease_++, request.ttl, {}};
}

Task<etcd::Reply<etcd::LeaseKeepAliveResponse>> MemoryEtcd::lease_keep_alive(
    etcd::LeaseKeepAliveRequest request) {
  if (failure) co_return std::unexpected(*failure);
  ++keep_alives;
  const bool alive = leases_.contains(request.id);
  co_return etcd::LeaseKeepAliveResponse{header(), request.id, alive ? leases_.at(request.id) : 0};
}

Task<etcd::Reply<etcd::LeaseRevokeResponse>> MemoryEtcd::lease_revoke(
    etcd::LeaseRevokeRequest request) {
  leases_.erase(request.id);
  bool wrote = false;
  for (auto& [key, history] : keys_) {
    const auto* current = at(history, revision_);
    if (!current || !current->has_value() || (*current)->lease != request.id) continue;
    etcd::DeleteRangeRequest removal;
    removal.key = key;
    wrote = do_delete(removal, revision_ + 1) > 0 || wrote;
  }
  if (wrote) ++revision_;
  deliver();
  co_return etcd::LeaseRevokeResponse{header()};
}

Task<etcd::Reply<etcd::StatusResponse>> MemoryEtcd::status() {
  co_return grpc::reject(grpc::StatusCode::unimplemented, "not in memory");
}

Task<etcd::Reply<etcd::Revision>> MemoryEtcd::read_revision() {
  if (failure) co_return std::unexpected(*failure);
  co_return revision_;
}

std::unique_ptr<etcd::Watch> MemoryEtcd::watch(etcd::WatchCreateRequest request,
                                               etcd::WatchObserver& observer) {
  return std::make_unique<MemoryWatch>(*this, std::move(request), observer);
}

std::optional<Bytes> MemoryEtcd::value_of(const Bytes& key) const {
  const auto history = keys_.find(key);
  const auto* found = history == keys_.end() ? nullptr : at(history->second, revision_);
  if (!found || !found->has_value()) return std::nullopt;
  return (*found)->value;
}

void MemoryEtcd::cancel_watches(etcd::Revision compact_revision) {
  for (MemoryWatch* watch : watches_) watch->cancel(compact_revision);
}

void MemoryEtcd::hold_watches(bool hold) {
  held_ = hold;
  if (!hold) deliver();
}

}  // namespace tripod::test
