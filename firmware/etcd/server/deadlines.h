#pragma once
// Many waiters with the same patience: a queue of deadlines in the order they came, behind one
// timer. Who is done leaves the queue once all before him are: it is about as long as what waits,
// not as what came within the patience.
//
// Lives on the loop thread.

#include <deque>
#include <functional>
#include <memory>

#include "platform/os/clock.h"

namespace tripod::etcd {

template <typename Key>
class Deadlines {
 public:
  /// `expired` hears of each key whose time has come; it must bear keys that are `done` already.
  Deadlines(os::Clock& clock, Duration patience, std::function<bool(const Key&)> done,
            std::function<void(Key)> expired)
      : clock_(clock), patience_(patience), done_(std::move(done)), expired_(std::move(expired)) {}

  void add(Key key) {
    while (!queue_.empty() && done_(queue_.front().second)) queue_.pop_front();
    queue_.push_back({clock_.now() + patience_, std::move(key)});
    if (!timer_) arm();
  }
  void clear() {
    queue_.clear();
    timer_.reset();
  }
  Duration patience() const { return patience_; }
  std::size_t size() const { return queue_.size(); }

 private:
  void arm() {
    timer_ = clock_.call_at(queue_.front().first, [this] { run(); });
  }
  void run() {
    const MonotonicTime now = clock_.now();
    // Coarse on purpose: one timer event takes all that end within a few milliseconds.
    while (!queue_.empty() && queue_.front().first <= now + Milliseconds(10)) {
      Key key = std::move(queue_.front().second);
      queue_.pop_front();
      expired_(std::move(key));
    }
    timer_.reset();
    if (!queue_.empty()) arm();
  }

  os::Clock& clock_;
  Duration patience_;
  std::function<bool(const Key&)> done_;
  std::function<void(Key)> expired_;
  std::deque<std::pair<MonotonicTime, Key>> queue_;
  std::unique_ptr<os::Operation> timer_;
};

}  // namespace tripod::etcd
