#include "firmware/etcd/local_client.h"

#include "firmware/etcd/mvcc/watch_hub.h"

namespace tripod::etcd {
namespace {

/// Hands events on as they come: the observer takes them at once, so the watch is always ready.
class LocalWatch final : public Watch, WatchSink {
 public:
  LocalWatch(Member& member, const WatchCreateRequest& request, WatchObserver& observer)
      : prev_kv_(request.prev_kv),
        observer_(observer),
        watch_(member.watches().add(WatchParameters::of(request), *this)) {}

  void request_progress() override { watch_->request_progress(); }

 private:
  bool ready() const override { return true; }
  void on_events(Revision revision, const Events& events) override {
    std::vector<Event> out;
    out.reserve(events.size());
    for (const SharedEvent& event : events) {
      out.push_back(event->event());
      if (!prev_kv_) out.back().prev_kv.reset();
    }
    // What is told of is complete up to the last event, or, of progress, up to the store's
    // revision.
    observer_.on_events(events.empty() ? revision : events.back()->revision(), out);
  }
  void on_compacted(Revision compact_revision) override {
    observer_.on_cancelled(compact_revision, outcome::compacted.status());
  }

  bool prev_kv_;
  WatchObserver& observer_;
  std::unique_ptr<HubWatch> watch_;
};

}  // namespace

Task<Reply<RangeResponse>> LocalClient::range(RangeRequest request) {
  return member_.range(std::move(request));
}
Task<Reply<PutResponse>> LocalClient::put(PutRequest request) {
  return member_.put(std::move(request));
}
Task<Reply<DeleteRangeResponse>> LocalClient::delete_range(DeleteRangeRequest request) {
  return member_.delete_range(std::move(request));
}
Task<Reply<TxnResponse>> LocalClient::txn(TxnRequest request) {
  return member_.txn(std::move(request));
}
Task<Reply<CompactionResponse>> LocalClient::compact(CompactionRequest request) {
  return member_.compact(std::move(request));
}
Task<Reply<LeaseGrantResponse>> LocalClient::lease_grant(LeaseGrantRequest request) {
  return member_.lease_grant(std::move(request));
}
Task<Reply<LeaseRevokeResponse>> LocalClient::lease_revoke(LeaseRevokeRequest request) {
  return member_.lease_revoke(std::move(request));
}
Task<Reply<LeaseKeepAliveResponse>> LocalClient::lease_keep_alive(LeaseKeepAliveRequest request) {
  return member_.lease_keep_alive(request);
}
Task<Reply<StatusResponse>> LocalClient::status() {
  co_return member_.status();
}
Task<Reply<Revision>> LocalClient::read_revision() {
  return member_.read_revision();
}

std::unique_ptr<Watch> LocalClient::watch(WatchCreateRequest request, WatchObserver& observer) {
  return std::make_unique<LocalWatch>(member_, request, observer);
}

}  // namespace tripod::etcd
