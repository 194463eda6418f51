#include "firmware/etcd/remote/prefixed_client.h"

namespace tripod::etcd {

class PrefixedClient::PrefixedWatch final : public Watch, WatchObserver {
 public:
  PrefixedWatch(PrefixedClient& client, WatchCreateRequest request, WatchObserver& observer)
      : client_(client),
        observer_(observer),
        watch_(client.below_.watch(std::move(request), *this)) {}
  void request_progress() override { watch_->request_progress(); }

 private:
  void on_events(Revision revision, const std::vector<Event>& events) override {
    std::vector<Event> renamed = events;
    for (Event& event : renamed) {
      client_.back(event.kv.key);
      if (event.prev_kv) client_.back(event.prev_kv->key);
    }
    observer_.on_events(revision, renamed);
  }
  void on_cancelled(Revision compact_revision, grpc::Status status) override {
    observer_.on_cancelled(compact_revision, std::move(status));
  }

  PrefixedClient& client_;
  WatchObserver& observer_;
  std::unique_ptr<Watch> watch_;
};

// --- names ---

void PrefixedClient::there(Bytes& key) const {
  if (key.starts_with(from_)) key.replace(0, from_.size(), to_);
}
void PrefixedClient::end_there(Bytes& end) const {
  const bool whole = end.size() == from_.size() &&
                     end.starts_with(BytesView(from_).substr(0, end.size() - 1)) &&
                     end.back() == static_cast<char>(from_.back() + 1);
  if (!whole) return there(end);
  end = to_;
  ++end.back();
}
void PrefixedClient::back(Bytes& key) const {
  if (key.starts_with(to_)) key.replace(0, to_.size(), from_);
}
void PrefixedClient::there(RangeRequest& request) const {
  there(request.key);
  end_there(request.range_end);
}
void PrefixedClient::there(PutRequest& request) const {
  there(request.key);
}
void PrefixedClient::there(DeleteRangeRequest& request) const {
  there(request.key);
  end_there(request.range_end);
}
void PrefixedClient::there(TxnRequest& request) const {
  for (Compare& compare : request.compare) {
    there(compare.key);
    end_there(compare.range_end);
  }
  for (auto* operations : {&request.success, &request.failure}) {
    for (RequestOp& operation : *operations) {
      std::visit([this](auto& one) { there(one); }, operation.request);
    }
  }
}
void PrefixedClient::back(RangeResponse& response) const {
  for (KeyValue& kv : response.kvs) back(kv.key);
}
void PrefixedClient::back(PutResponse& response) const {
  if (response.prev_kv) back(response.prev_kv->key);
}
void PrefixedClient::back(DeleteRangeResponse& response) const {
  for (KeyValue& kv : response.prev_kvs) back(kv.key);
}
void PrefixedClient::back(TxnResponse& response) const {
  for (ResponseOp& operation : response.responses) {
    std::visit([this](auto& one) { back(one); }, operation.response);
  }
}

// --- calls ---

Task<Reply<RangeResponse>> PrefixedClient::range(RangeRequest request) {
  there(request);
  auto reply = co_await below_.range(std::move(request));
  if (reply) back(*reply);
  co_return reply;
}
Task<Reply<PutResponse>> PrefixedClient::put(PutRequest request) {
  there(request);
  auto reply = co_await below_.put(std::move(request));
  if (reply) back(*reply);
  co_return reply;
}
Task<Reply<DeleteRangeResponse>> PrefixedClient::delete_range(DeleteRangeRequest request) {
  there(request);
  auto reply = co_await below_.delete_range(std::move(request));
  if (reply) back(*reply);
  co_return reply;
}
Task<Reply<TxnResponse>> PrefixedClient::txn(TxnRequest request) {
  there(request);
  auto reply = co_await below_.txn(std::move(request));
  if (reply) back(*reply);
  co_return reply;
}
Task<Reply<CompactionResponse>> PrefixedClient::compact(CompactionRequest request) {
  return below_.compact(request);
}
Task<Reply<LeaseGrantResponse>> PrefixedClient::lease_grant(LeaseGrantRequest request) {
  return below_.lease_grant(request);
}
Task<Reply<LeaseRevokeResponse>> PrefixedClient::lease_revoke(LeaseRevokeRequest request) {
  return below_.lease_revoke(request);
}
Task<Reply<LeaseKeepAliveResponse>> PrefixedClient::lease_keep_alive(
    LeaseKeepAliveRequest request) {
  return below_.lease_keep_alive(request);
}
Task<Reply<StatusResponse>> PrefixedClient::status() {
  return below_.status();
}
Task<Reply<Revision>> PrefixedClient::read_revision() {
  return below_.read_revision();
}
std::unique_ptr<Watch> PrefixedClient::watch(WatchCreateRequest request, WatchObserver& observer) {
  there(request.key);
  end_there(request.range_end);
  return std::make_unique<PrefixedWatch>(*this, std::move(request), observer);
}

}  // namespace tripod::etcd
