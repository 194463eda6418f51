#pragma once
// An etcd in memory for tests of the API server: true semantics of revisions, transactions, reads
// of the past, compaction and watches; no leases that expire, no consensus. Test double only.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "firmware/etcd/client.h"
#include "platform/os/clock.h"

namespace tripod::test {

class MemoryEtcd final : public etcd::Client {
 public:
  explicit MemoryEtcd(os::Executor& executor) : executor_(executor) {}

  Task<etcd::Reply<etcd::RangeResponse>> range(etcd::RangeRequest request) override;
  Task<etcd::Reply<etcd::PutResponse>> put(etcd::PutRequest request) override;
  Task<etcd::Reply<etcd::DeleteRangeResponse>> delete_range(
      etcd::DeleteRangeRequest request) override;
  Task<etcd::Reply<etcd::TxnResponse>> txn(etcd::TxnRequest request) override;
  Task<etcd::Reply<etcd::CompactionResponse>> compact(etcd::CompactionRequest request) override;
  Task<etcd::Reply<etcd::LeaseGrantResponse>> lease_grant(etcd::LeaseGrantRequest request) override;
  Task<etcd::Reply<etcd::LeaseRevokeResponse>> lease_revoke(
      etcd::LeaseRevokeRequest request) override;
  Task<etcd::Reply<etcd::LeaseKeepAliveResponse>> lease_keep_alive(
      etcd::LeaseKeepAliveRequest request) override;
  Task<etcd::Reply<etcd::StatusResponse>> status() override;
  Task<etcd::Reply<etcd::Revision>> read_revision() override;
  std::unique_ptr<etcd::Watch> watch(etcd::WatchCreateRequest request,
                                     etcd::WatchObserver& observer) override;

  etcd::Revision revision() const { return revision_; }
  std::optional<Bytes> value_of(const Bytes& key) const;
  void compact_now(etcd::Revision revision) { compacted_ = revision; }
  /// Ends every watch as compaction does to one that fell behind.
  void cancel_watches(etcd::Revision compact_revision);
  /// Watches see nothing new until it is false again.
  void hold_watches(bool hold);
  /// As if every lease had run out, keys and all.
  void lose_leases() {
    leases_.clear();
    etcd::DeleteRangeRequest removal;
    removal.key = "/registry/masterleases/";
    removal.range_end = "/registry/masterleases0";
    if (do_delete(removal, revision_ + 1) > 0) ++revision_;
  }
  /// Every call fails with this, if set.
  std::optional<grpc::Status> failure;
  int txns = 0;
  int keep_alives = 0;

 private:
  class MemoryWatch;
  using History = std::map<etcd::Revision, std::optional<etcd::KeyValue>>;

  const std::optional<etcd::KeyValue>* at(const History& history, etcd::Revision revision) const;
  etcd::Reply<etcd::RangeResponse> do_range(const etcd::RangeRequest& request) const;
  void do_put(const etcd::PutRequest& request, etcd::Revision revision);
  std::int64_t do_delete(const etcd::DeleteRangeRequest& request, etcd::Revision revision);
  bool holds(const etcd::Compare& compare) const;
  etcd::ResponseHeader header() const;
  void deliver();

  os::Executor& executor_;
  std::map<Bytes, History> keys_;
  std::vector<etcd::Event> log_;
  std::vector<MemoryWatch*> watches_;
  etcd::Revision revision_ = 1;
  etcd::Revision compacted_ = 0;
  std::map<etcd::LeaseId, std::int64_t> leases_;  // their TTLs
  etcd::LeaseId next_lease_ = 1;
  bool held_ = false;
};

}  // namespace tripod::test
