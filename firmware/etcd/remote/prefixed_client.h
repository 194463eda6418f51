#pragma once
// The same store with keys under another prefix: what its user calls `from` is stored as `to`
// (kube-apiserver's --etcd-prefix). Keys that do not begin with `from` stay as they are.
//
// Lives on the loop thread; the client below outlives it, and it outlives its watches.

#include "firmware/etcd/client.h"

namespace tripod::etcd {

class PrefixedClient final : public Client {
 public:
  /// Both end with the separator: "/registry/", "/kubernetes.io/".
  PrefixedClient(Client& below, Bytes from, Bytes to)
      : below_(below), from_(std::move(from)), to_(std::move(to)) {}

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
  class PrefixedWatch;

  void there(Bytes& key) const;
  /// The end of a range may also be what follows the whole prefix.
  void end_there(Bytes& end) const;
  void back(Bytes& key) const;
  void there(RangeRequest& request) const;
  void there(PutRequest& request) const;
  void there(DeleteRangeRequest& request) const;
  void there(TxnRequest& request) const;
  void back(RangeResponse& response) const;
  void back(PutResponse& response) const;
  void back(DeleteRangeResponse& response) const;
  void back(TxnResponse& response) const;

  Client& below_;
  Bytes from_;
  Bytes to_;
};

}  // namespace tripod::etcd
