#pragma once
// The simulated world's time, order and chance. Everything that happens is an event in one queue;
// the seed decides all the rest, so a run can be repeated exactly. The trace hash tells whether two
// runs were the same.
//
// One thread. Outlives every board and network that lives in it.

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>

#include "platform/os/clock.h"
#include "platform/sim/random.h"

namespace tripod::sim {

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed) {}
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// True time, which no board sees: each has its own clock.
  MonotonicTime now() const { return now_; }
  Random& random() { return random_; }

  using EventId = std::pair<MonotonicTime, std::uint64_t>;
  EventId at(MonotonicTime when, os::Callback callback);
  void cancel(const EventId& event) { events_.erase(event); }

  /// Runs the next event; false when there is none.
  bool step();
  /// Runs everything up to `when` and leaves the time there.
  void run_until(MonotonicTime when);
  void run_for(Duration duration) { run_until(now_ + duration); }
  /// Runs until `done` or the limit; true when `done`.
  bool run_until(const std::function<bool()>& done, Duration limit);

  /// Goes into the hash, and to the observer, with the time in front.
  void trace(std::string_view line);
  std::uint64_t trace_hash() const { return trace_hash_; }
  void set_trace_observer(std::function<void(MonotonicTime, std::string_view)> observer) {
    observer_ = std::move(observer);
  }

 private:
  MonotonicTime now_{std::chrono::hours(1)};
  Random random_;
  std::map<EventId, os::Callback> events_;
  std::uint64_t sequence_ = 0;
  std::uint64_t trace_hash_ = 0;
  std::function<void(MonotonicTime, std::string_view)> observer_;
};

}  // namespace tripod::sim
