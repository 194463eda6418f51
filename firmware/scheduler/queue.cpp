#include "firmware/scheduler/queue.h"

#include "platform/base/check.h"

namespace tripod::scheduler {

Duration Queue::backoff_of(const Entry& entry) const {
  Duration delay = limits_.backoff_initial;
  for (int i = 1; i < entry.attempts && delay < limits_.backoff_max; ++i) delay *= 2;
  return std::min<Duration>(delay, limits_.backoff_max);
}

void Queue::leave(const std::string& key, const Entry& entry) {
  if (entry.place == Place::active) active_.erase({-entry.priority, entry.age, key});
  if (entry.place == Place::backoff || entry.place == Place::unschedulable)
    waiting_.erase({entry.until, key});
}

void Queue::activate(const std::string& key, Entry& entry) {
  leave(key, entry);
  entry.place = Place::active;
  active_.insert({-entry.priority, entry.age, key});
}

void Queue::add(const std::string& key, std::int64_t priority, MonotonicTime now) {
  auto [found, fresh] = pods_.try_emplace(key);
  Entry& entry = found->second;
  if (fresh) {
    entry.age = arrivals_++;
    entry.place = Place::in_flight;
  }
  if (!fresh && entry.place == Place::in_flight) return;
  leave(key, entry);
  entry.priority = priority;
  entry.place = Place::in_flight;
  if (entry.attempts > 0 && entry.failed_at + backoff_of(entry) > now) {
    entry.place = Place::backoff;
    entry.until = entry.failed_at + backoff_of(entry);
    waiting_.insert({entry.until, key});
  } else {
    activate(key, entry);
  }
}

void Queue::remove(const std::string& key) {
  auto found = pods_.find(key);
  if (found == pods_.end()) return;
  leave(key, found->second);
  pods_.erase(found);
}

void Queue::wake(MonotonicTime now) {
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const std::string key = waiting_.begin()->second;
    activate(key, pods_.at(key));
  }
}

std::optional<std::string> Queue::pop(MonotonicTime now) {
  wake(now);
  if (active_.empty()) return std::nullopt;
  std::string key = std::get<2>(*active_.begin());
  Entry& entry = pods_.at(key);
  leave(key, entry);
  entry.place = Place::in_flight;
  ++entry.attempts;
  return key;
}

void Queue::done(const std::string& key) {
  if (Entry* entry = in_flight(key)) {
    CHECK(entry->place == Place::in_flight);
    pods_.erase(key);
  }
}

/// Null when the pod has gone meanwhile, or another of the same name has come.
Queue::Entry* Queue::in_flight(const std::string& key) {
  auto found = pods_.find(key);
  return found == pods_.end() || found->second.place != Place::in_flight ? nullptr : &found->second;
}

void Queue::report_unschedulable(const std::string& key, MonotonicTime now) {
  Entry* flown = in_flight(key);
  if (!flown) return;
  Entry& entry = *flown;
  entry.place = Place::unschedulable;
  entry.failed_at = now;
  entry.until = now + limits_.unschedulable_max;
  waiting_.insert({entry.until, key});
}

void Queue::report_failure(const std::string& key, MonotonicTime now) {
  Entry* flown = in_flight(key);
  if (!flown) return;
  Entry& entry = *flown;
  entry.place = Place::backoff;
  entry.failed_at = now;
  entry.until = now + backoff_of(entry);
  waiting_.insert({entry.until, key});
}

void Queue::move_all(MonotonicTime now) {
  for (auto& [key, entry] : pods_) {
    if (entry.place != Place::unschedulable) continue;
    const MonotonicTime until = entry.failed_at + backoff_of(entry);
    if (until <= now) {
      activate(key, entry);
      continue;
    }
    leave(key, entry);
    entry.place = Place::backoff;
    entry.until = until;
    waiting_.insert({until, key});
  }
}

std::optional<MonotonicTime> Queue::next_change() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.begin()->first;
}

std::size_t Queue::backing_off() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      pods_, [](const auto& each) { return each.second.place == Place::backoff; }));
}
std::size_t Queue::unschedulable() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      pods_, [](const auto& each) { return each.second.place == Place::unschedulable; }));
}

}  // namespace tripod::scheduler
