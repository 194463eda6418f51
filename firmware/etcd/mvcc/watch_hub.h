#pragma once
// Watches over the key space: each sees every event of its range from its start revision on, in
// order, once, revisions never torn apart. A watch whose sink is not ready() costs no memory: it
// falls behind, and is served from the recent events, or from the rows, when it is ready again. A
// start that was compacted away ends the watch.
//
// Lives on the loop thread. Sinks may add and destroy watches from within their calls.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>

#include "firmware/etcd/mvcc/key_space/key_space.h"

namespace tripod::etcd {

/// Receives one watch; outlives it.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  /// False: nothing more, please, until HubWatch::wake().
  virtual bool ready() const = 0;
  /// Whole revisions in order; empty events are an answer to request_progress(). `revision` is the
  /// store's: everything up to it has been delivered only when events are empty.
  virtual void on_events(Revision revision, const Events& events) = 0;
  /// The last call.
  virtual void on_compacted(Revision compact_revision) = 0;
};

struct WatchParameters {
  Bytes key;
  Bytes range_end;
  Revision start_revision = 0;  // 0: after what is there now
  bool prev_kv = false;
  bool no_put = false;
  bool no_delete = false;

  static WatchParameters of(const WatchCreateRequest& request);
};

class WatchHub;

/// A running watch; destroying it ends it.
class HubWatch {
 public:
  ~HubWatch();
  HubWatch(const HubWatch&) = delete;
  HubWatch& operator=(const HubWatch&) = delete;

  /// The sink is ready again.
  void wake();
  /// One empty on_events() once everything up to now was delivered; asking again before changes
  /// nothing.
  void request_progress();
  bool prev_kv() const { return parameters_.prev_kv; }
  /// Everything up to the newest revision was delivered.
  bool synced() const { return place_ == Place::synced; }

 private:
  friend class WatchHub;
  enum class Place : std::uint8_t { synced, behind, ended };

  HubWatch(WatchHub& hub, WatchParameters parameters, WatchSink& sink);
  bool matches(const StoredEvent& event) const;

  WatchHub& hub_;
  WatchParameters parameters_;
  KeyRange range_;
  WatchSink& sink_;
  Place place_ = Place::behind;
  Revision next_ =
      0;  // the first revision not delivered; while synced, no event before it is wanted
  bool progress_wanted_ = false;
  Events batch_;
};

class WatchHub {
 public:
  struct Limits {
    std::size_t recent_events_max = 4096;
    std::size_t recent_bytes_max = 2 * 1024 * 1024;
    std::size_t batch_events_max = 1000;  // of a watch that catches up
    std::size_t batch_bytes_max = 1024 * 1024;
    std::size_t slice_rows_max = 2000;  // read from the rows before others get a turn
  };

  /// `later` runs work() soon, from outside; the hub asks once until work() came.
  WatchHub(KeySpace& space, Limits limits, std::function<void()> later);
  ~WatchHub();
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;

  [[nodiscard]] std::unique_ptr<HubWatch> add(WatchParameters parameters, WatchSink& sink);

  /// Events that were just applied, in order. They go out with flush(), which ends each turn that
  /// applied something.
  void publish(const Events& events);
  void flush();
  /// Serves watches that are behind, and those that wait for progress. Bounded.
  void work();
  /// The key space is another one now. Watches that were synced have been told everything up to
  /// `delivered`, and go on from there.
  void restart(Revision delivered);

  std::size_t watch_count() const { return watch_count_; }
  std::size_t behind_count() const { return behind_.size(); }

 private:
  friend class HubWatch;
  struct Group {
    Bytes begin;
    Bytes end;
    KeyRange::Kind kind;
    std::vector<HubWatch*> watches;
  };

  void insert_synced(HubWatch& watch);
  void erase_synced(HubWatch& watch);
  void fall_behind(HubWatch& watch, Revision next);
  void distribute(const SharedEvent& event);
  void offer(HubWatch& watch, const SharedEvent& event);
  void catch_up(HubWatch& watch);
  bool catch_up_from_recent(HubWatch& watch);
  void add_to_batch(HubWatch& watch, const SharedEvent& event);
  void deliver(HubWatch& watch);
  void remember(const SharedEvent& event);
  void want_work();
  void forget(HubWatch& watch);

  KeySpace& space_;
  Limits limits_;
  std::function<void()> later_;
  bool work_wanted_ = false;

  std::map<Bytes, std::vector<HubWatch*>, std::less<>> by_key_;  // synced watches of one key
  std::vector<Group> groups_;                                    // of ranges, by begin
  std::vector<HubWatch*> touched_;                               // got events in this flush
  std::deque<HubWatch*> behind_;
  std::vector<HubWatch*> progress_;
  std::deque<SharedEvent> recent_;  // the newest, without a gap
  std::size_t recent_bytes_ = 0;
  Revision recent_from_ = 0;  // recent_ holds every event from this revision on
  Events pending_;            // published, not flushed
  std::size_t watch_count_ = 0;
};

}  // namespace tripod::etcd
