#include "platform/sim/simulation.h"

#include "platform/base/bytes.h"

namespace tripod::sim {

Simulation::EventId Simulation::at(MonotonicTime when, os::Callback callback) {
  EventId id{std::max(when, now_), ++sequence_};
  events_.emplace(id, std::move(callback));
  return id;
}

bool Simulation::step() {
  if (events_.empty()) return false;
  auto node = events_.extract(events_.begin());
  CHECK(node.key().first >= now_, "time goes forward");
  now_ = node.key().first;
  node.mapped()();
  return true;
}

void Simulation::run_until(MonotonicTime when) {
  while (!events_.empty() && events_.begin()->first.first <= when) step();
  now_ = std::max(now_, when);
}

bool Simulation::run_until(const std::function<bool()>& done, Duration limit) {
  MonotonicTime end = now_ + limit;
  while (!done()) {
    if (events_.empty() || events_.begin()->first.first > end) {
      now_ = std::max(now_, end);
      return done();
    }
    step();
  }
  return true;
}

void Simulation::trace(std::string_view line) {
  auto time = static_cast<std::uint64_t>(now_.time_since_epoch().count());
  trace_hash_ = fnv1a(line, (trace_hash_ ^ time) * 0x100000001b3ULL);
  if (observer_) observer_(now_, line);
}

}  // namespace tripod::sim
