#pragma once
// etcd::Client over the member in this board: no network, no encoding.
//
// Lives on the loop thread; the member outlives it, and it outlives its watches.

#include "firmware/etcd/client.h"
#include "firmware/etcd/member.h"

namespace tripod::etcd {

class LocalClient final : public Client {
 public:
  explicit LocalClient(Member& member) : member_(member) {}

  Task<Reply<RangeResponse>> range(RangeRequest request) override;
  Task<Reply<PutResponse>> put(PutRequest request) override;
  Task<Reply<DeleteRangeResponse>> delete_range(DeleteRangeRequest request) override;
  Task<Reply<TxnResponse>> txn(TxnRequest request) override;
  Task<Reply<CompactionResponse>> compact(CompactionRequest request) override;
  Task<Reply<LeaseGrantResponse>> lease_grant(LeaseGrantRequest request) override;
  Task<Reply<LeaseRevokeResponse>> lease_revoke(LeaseRevokeRequest request) override;
  Task<Reply<LeaseKeepAliveResponse>> lease_keep_alive(LeaseKeepAliveRequest request) override;
  Task<Reply<StatusResponse>> status() override;
  Task<Reply<Revision>> read_revision() override;
  std::unique_ptr<Watch> watch(WatchCreateRequest request, WatchObserver& observer) override;

 private:
  Member& member_;
};

}  // namespace tripod::etcd
