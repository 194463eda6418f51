#pragma once
// One Watch stream of the gRPC API: many watches, their control messages, and progress. What is to
// be sent waits in a short queue; while it is full, the watches of this stream are not ready, and
// fall back on history (mvcc/watch_hub.h).
//
// Lives on the loop thread, in the frame of the stream's method.

#include <deque>
#include <map>
#include <memory>

#include "firmware/etcd/member.h"
#include "firmware/etcd/mvcc/watch_hub.h"
#include "platform/async/oneshot.h"
#include "platform/async/sync.h"
#include "platform/grpc/server.h"

namespace tripod::etcd::rpc {

class WatchStream {
 public:
  struct Limits {
    std::size_t queue_messages_max = 64;
    std::size_t queue_bytes_max = 1024 * 1024;
    std::size_t watches_max = 10'000;
  };

  WatchStream(Member& member, grpc::ServerCall call, bool require_leader, Credentials who);
  ~WatchStream();
  /// Until the client is done or gone, or the leader is.
  Task<grpc::Status> run();

 private:
  struct Entry;

  Task<void> read_loop();
  Task<void> write_loop();
  Task<void> progress_loop();
  Task<void> leader_loop();
  Task<void> create(WatchCreateRequest request);
  void refuse(std::string reason);
  void cancel(std::int64_t id);
  void request_progress();
  void on_progress(Entry& entry, Revision revision);
  void answer_progress_when_complete();
  void send_events(Entry& entry, Revision revision, const Events& events);
  void send(WatchResponse response, Revision revision);
  void push(Bytes message);
  void retire(std::int64_t id);
  bool has_room() const;
  WatchResponse head(std::int64_t id, Revision revision) const;

  Member& member_;
  grpc::ServerCall call_;
  Limits limits_;
  bool require_leader_;
  Credentials who_;
  metrics::Gauge& streams_;
  metrics::Counter& events_sent_;
  std::map<std::int64_t, std::unique_ptr<Entry>> watches_;
  std::vector<std::unique_ptr<Entry>> retired_;  // destroyed outside of their own calls
  std::int64_t next_id_ = 0;
  std::size_t progress_missing_ =
      0;  // watches that have not answered the stream's progress request
  std::optional<Revision> progress_revision_;
  std::deque<Bytes> queue_;
  std::size_t queued_bytes_ = 0;
  mutable bool blocked_ = false;  // a watch was told to wait
  async::Signal writable_;
  async::Signal drained_;
  async::Oneshot<grpc::Status> end_;
  Scope scope_;
};

}  // namespace tripod::etcd::rpc
