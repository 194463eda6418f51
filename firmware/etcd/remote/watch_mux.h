#pragma once
// All watches of a remote client on one gRPC Watch stream. When the stream ends, every watch is
// made again on the next one from the revision after the last it has told of, so that nothing is
// lost and nothing told twice. Events are told by whole revisions, whatever pieces they came in.
//
// Lives on the loop thread. run() must have ended, and every watch be gone, before it dies.

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "firmware/etcd/client.h"
#include "firmware/etcd/remote/endpoints.h"
#include "platform/async/oneshot.h"
#include "platform/async/sync.h"

namespace tripod::etcd {

class WatchMux {
 public:
  /// All given outlive it.
  WatchMux(const os::World& world, const RemoteOptions& options, Endpoints& endpoints);
  ~WatchMux();

  std::unique_ptr<Watch> add(WatchCreateRequest request, WatchObserver& observer);
  /// Keeps a stream while there are watches, until its scope is cancelled.
  Task<void> run();

 private:
  using Id = std::int64_t;  // never used twice, so that what comes late finds nobody
  class RemoteWatch;
  struct Entry;

  void remove(Id id);
  void request_progress(Id id);

  Task<grpc::Status> follow(Endpoint* endpoint);
  Task<void> read_loop();
  Task<void> write_loop();
  Task<void> guard_loop(const Endpoint* endpoint);
  void begin_stream();
  void end_stream();

  void push(WatchRequest request);
  void create(Id id, Entry& entry);
  void ask_progress();
  void forget_old_questions();

  void handle(WatchResponse response);
  void on_created(const WatchResponse& response);
  void on_stream_progress(Revision revision);
  void on_events(Id id, WatchResponse response);
  void tell(Id id, std::vector<Event> events);
  void tell_progress(Id id, Revision revision);
  void cancelled(Id id, Revision compact_revision, std::string reason);

  os::World world_;
  const RemoteOptions& options_;
  Endpoints& endpoints_;
  std::map<Id, std::unique_ptr<Entry>> entries_;
  Id last_id_ = 0;
  async::Signal added_;

  // The stream that is open:

  struct Creation {
    Id id;
    MonotonicTime since;
  };

  std::unique_ptr<grpc::ClientCall> call_;
  std::optional<async::Oneshot<grpc::Status>> end_;
  std::deque<Bytes> outbox_;
  async::Signal writable_;
  std::deque<Creation> creations_;       // not acknowledged yet, in the order asked
  std::deque<MonotonicTime> questions_;  // for progress, maybe not answered yet
  std::unique_ptr<os::Operation> question_timer_;
  bool useful_ = false;  // it has told something
};

}  // namespace tripod::etcd
