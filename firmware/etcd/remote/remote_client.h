#pragma once
// etcd::Client over the network: a cluster elsewhere, real etcd or member-only boards.
//
// Reads are repeated on other endpoints until one answers or time is up. A write is repeated only
// when the server certainly has not seen it; otherwise its failure goes up, and the caller does not
// know whether it happened.
//
// Lives on the loop thread; outlives its watches. stop() before it dies.

#include "firmware/etcd/client.h"
#include "firmware/etcd/remote/endpoints.h"
#include "firmware/etcd/remote/watch_mux.h"

namespace tripod::etcd {

class RemoteClient final : public Client {
 public:
  RemoteClient(const os::World& world, RemoteOptions options);
  ~RemoteClient() override;

  /// Ends the watch stream and all connections; calls under way fail.
  Task<void> stop();

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
  Task<Reply<LeaseLeasesResponse>> lease_leases();
  Task<Reply<LeaseTimeToLiveResponse>> lease_time_to_live(LeaseTimeToLiveRequest request);
  /// The state of one member as a file (Maintenance.Snapshot), piece by piece; an error of `take`
  /// ends it. Not repeated. Returns the size.
  Task<Result<std::uint64_t>> snapshot(std::function<Result<>(BytesView)> take);
  std::unique_ptr<Watch> watch(WatchCreateRequest request, WatchObserver& observer) override;

 private:
  struct Plan {
    Duration attempt_max{};
    bool repeatable = false;
    bool needs_leader = true;  // a member without one is to say so at once
    bool streamed = false;     // one message each way on a bidirectional stream
  };

  template <typename Response, typename Request>
  Task<Reply<Response>> call(std::string method, Request request, Plan plan);
  Task<Reply<Bytes>> send(std::string method, Bytes request, Plan plan);
  Task<grpc::Attempt> attempt(Endpoint* endpoint, std::string method, Bytes request, Plan plan,
                              Duration limit);
  Plan reading(bool linearizable) const;
  Plan writing() const;

  os::World world_;
  RemoteOptions options_;
  Endpoints endpoints_;
  WatchMux watches_;
  Scope scope_;
};

}  // namespace tripod::etcd
