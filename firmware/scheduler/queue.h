#pragma once
// Pods that wait for a node: active ones by priority and age, ones that back off after a failure,
// and unschedulable ones that wait for the cluster to change. Pure; time is an argument.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "platform/base/time.h"

namespace tripod::scheduler {

class Queue {
 public:
  struct Limits {
    std::chrono::milliseconds backoff_initial{1'000};
    std::chrono::milliseconds backoff_max{10'000};
    std::chrono::seconds unschedulable_max{300};  // then tried again, whatever happened
  };

  Queue() : Queue(Limits{}) {}
  explicit Queue(Limits limits) : limits_(limits) {}

  /// A new pod, or one that changed in what scheduling looks at: tried soon.
  void add(const std::string& key, std::int64_t priority, MonotonicTime now);
  void remove(const std::string& key);
  bool contains(const std::string& key) const { return pods_.contains(key); }

  /// The next pod to try; it leaves the queue but is remembered until done() or a failure is
  /// reported.
  std::optional<std::string> pop(MonotonicTime now);
  void done(const std::string& key);
  /// No node would take it.
  void report_unschedulable(const std::string& key, MonotonicTime now);
  /// Something went wrong on the way to the node.
  void report_failure(const std::string& key, MonotonicTime now);

  /// The cluster has changed: what was unschedulable may fit now.
  void move_all(MonotonicTime now);
  /// When pop() may give something that it would not give now.
  std::optional<MonotonicTime> next_change() const;

  std::size_t active() const { return active_.size(); }
  std::size_t backing_off() const;
  std::size_t unschedulable() const;

 private:
  enum class Place : std::uint8_t { active, backoff, unschedulable, in_flight };
  struct Entry {
    Place place = Place::active;
    std::int64_t priority = 0;
    std::uint64_t age = 0;  // order of arrival
    int attempts = 0;
    MonotonicTime failed_at{};  // the last attempt
    MonotonicTime until{};      // for backoff and unschedulable
  };
  using Order = std::tuple<std::int64_t, std::uint64_t, std::string>;  // -priority, age, key

  Duration backoff_of(const Entry& entry) const;
  Entry* in_flight(const std::string& key);
  void activate(const std::string& key, Entry& entry);
  void leave(const std::string& key, const Entry& entry);
  void wake(MonotonicTime now);

  Limits limits_;
  std::map<std::string, Entry> pods_;
  std::set<Order> active_;
  std::set<std::pair<MonotonicTime, std::string>>
      waiting_;  // backoff and unschedulable, by `until`
  std::uint64_t arrivals_ = 0;
};

}  // namespace tripod::scheduler
