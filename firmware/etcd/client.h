#pragma once
// The one door to etcd: for the API server, and for nothing else above it. Implemented by the
// member inside this board (local_client.h) and, for an external cluster, by a set of remote
// endpoints (remote/remote_client.h). Both give etcd's own answers and errors; linearizable unless
// a request says serializable.
//
// Lives on the loop thread. Every call belongs to the scope of the awaiting coroutine.

#include <functional>
#include <memory>
#include <vector>

#include "firmware/etcd/api/messages.h"
#include "platform/async/task.h"
#include "platform/grpc/status.h"

namespace tripod::etcd {

template <typename T>
using Reply = grpc::Reply<T>;

/// Receives one watch. Calls come in revision order on the loop thread, never from within watch().
class WatchObserver {
 public:
  virtual ~WatchObserver() = default;
  /// All events of one or more whole revisions; `revision` is the store's when they were sent.
  /// Empty events are a progress notification: everything up to `revision` has been seen. The
  /// events are shared by all watches they match.
  virtual void on_events(Revision revision, const std::vector<Event>& events) = 0;
  /// The last call. compact_revision > 0: the start revision was compacted away; list again.
  /// Otherwise the connection to the store was lost beyond repair and `status` says why; watch
  /// again from the last revision seen + 1.
  virtual void on_cancelled(Revision compact_revision, grpc::Status status) = 0;
};

/// A running watch; destroying it ends it without a further call.
class Watch {
 public:
  virtual ~Watch() = default;
  /// Asks for a progress notification as soon as everything up to now has been sent.
  virtual void request_progress() = 0;
};

class Client {
 public:
  virtual ~Client() = default;

  virtual Task<Reply<RangeResponse>> range(RangeRequest request) = 0;
  virtual Task<Reply<PutResponse>> put(PutRequest request) = 0;
  virtual Task<Reply<DeleteRangeResponse>> delete_range(DeleteRangeRequest request) = 0;
  virtual Task<Reply<TxnResponse>> txn(TxnRequest request) = 0;
  virtual Task<Reply<CompactionResponse>> compact(CompactionRequest request) = 0;
  virtual Task<Reply<LeaseGrantResponse>> lease_grant(LeaseGrantRequest request) = 0;
  virtual Task<Reply<LeaseRevokeResponse>> lease_revoke(LeaseRevokeRequest request) = 0;
  /// Renews the lease once; ttl 0 in the answer: it is gone.
  virtual Task<Reply<LeaseKeepAliveResponse>> lease_keep_alive(LeaseKeepAliveRequest request) = 0;
  virtual Task<Reply<StatusResponse>> status() = 0;
  /// The revision that a linearizable read would see now: one ReadIndex round, no data.
  virtual Task<Reply<Revision>> read_revision() = 0;
  /// `observer` outlives the watch.
  [[nodiscard]] virtual std::unique_ptr<Watch> watch(WatchCreateRequest request,
                                                     WatchObserver& observer) = 0;
};

}  // namespace tripod::etcd
