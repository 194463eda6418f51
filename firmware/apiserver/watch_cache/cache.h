#pragma once
// The watch cache of one resource: all its objects in key order, kept current by one etcd watch,
// and the recent events that let a client resume. Answers lists and watches without touching etcd;
// a consistent read waits until the cache has reached the ReadIndex revision. When its watch is
// compacted away it lists again and ends its watchers.
//
// Loop thread only. run() must have ended before it dies.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "firmware/apiserver/watch_cache/watcher.h"
#include "firmware/etcd/client.h"
#include "platform/base/metrics.h"
#include "platform/os/board.h"

namespace tripod::apiserver {

class Cache final : private etcd::WatchObserver {
 public:
  struct Limits {
    std::size_t events_max = 1000;
    std::size_t event_bytes_max = 3 * 1024 * 1024;
    std::int64_t page_size = 500;
    Duration wait_max = std::chrono::seconds(3);  // for a revision, as upstream
  };
  using Objects =
      std::map<std::string, ObjectRef, std::less<>>;  // by key behind the prefix: "default/web"

  Cache(const Resource& resource, etcd::Client& etcd, os::World world, metrics::Registry& metrics,
        Limits limits);
  ~Cache() override;

  /// Lists, then watches, for as long as its scope lives.
  Task<void> run();

  bool ready() const { return ready_; }
  const Resource& resource() const { return resource_; }
  /// Everything up to here is in the cache.
  etcd::Revision revision() const { return revision_; }
  const Objects& objects() const { return objects_; }
  /// The objects are those of `revision`: none has changed since.
  bool unchanged_since(etcd::Revision revision) const {
    return revision >= (ring_.empty() ? ring_start_ : ring_.back()->object->revision) &&
           revision <= revision_;
  }
  ObjectRef find(std::string_view name_space, std::string_view name) const;

  /// Returns when the cache holds everything up to `revision`; fails as upstream when it takes too
  /// long.
  Task<kube::Outcome<>> wait_for(etcd::Revision revision);
  /// Waits for what is committed now, anywhere in the cluster: the revision of a consistent read.
  Task<kube::Outcome<etcd::Revision>> catch_up();

  /// Calls visit(const ObjectRef&) in key order for what the selection (in terms of `row`) holds,
  /// from the key `start` on; false from visit stops.
  template <typename Visit>
  void select(const Resource& row, const Selection& selection, std::string_view start,
              const Visit& visit) const;

  /// A watcher that begins with what came after `from`. Fails with 410 when that is no longer
  /// known.
  kube::Outcome<std::shared_ptr<Watcher>> watch(const Resource& row, Selection selection,
                                                etcd::Revision from);
  /// Ends every watch, as at shutdown.
  void end_watchers();

 private:
  struct Waiter {
    etcd::Revision revision;
    async::Oneshot<void> reached;
  };

  void on_events(etcd::Revision revision, const std::vector<etcd::Event>& events) override;
  void on_cancelled(etcd::Revision compact_revision, grpc::Status status) override;

  Task<kube::Outcome<>> load();
  Task<Result<>> follow();
  void apply(const etcd::Event& event);
  void publish(EventRef event);
  void advance(etcd::Revision revision);
  std::string_view suffix_of(BytesView key) const;

  const Resource& resource_;
  etcd::Client& etcd_;
  os::World world_;
  Limits limits_;
  Logger log_;
  Objects objects_;
  std::deque<EventRef> ring_;
  std::size_t ring_bytes_ = 0;
  etcd::Revision ring_start_ = 0;  // events after this revision are in the ring
  etcd::Revision revision_ = 0;
  bool ready_ = false;
  bool compacted_ = false;
  std::unique_ptr<etcd::Watch> watch_;
  async::Signal watch_ended_;
  std::vector<Waiter> waiters_;
  std::vector<std::weak_ptr<Watcher>> watchers_;
  metrics::Counter& events_total_;
};

template <typename Visit>
void Cache::select(const Resource& row, const Selection& selection, std::string_view start,
                   const Visit& visit) const {
  std::string from(start);
  std::string prefix;
  if (resource_.namespaced && !selection.name_space.empty()) prefix = selection.name_space + "/";
  if (from < prefix) from = prefix;
  for (auto at = objects_.lower_bound(from); at != objects_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    if (selection.matches(row, *at->second) && !visit(at->second)) break;
  }
}

}  // namespace tripod::apiserver
