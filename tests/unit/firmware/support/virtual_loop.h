#pragma once
// A loop whose time moves only when nothing is left to do: executor, clock and entropy for tests of
// flows.

#include <deque>
#include <map>
#include <memory>

#include "platform/async/task.h"
#include "platform/base/log.h"
#include "platform/os/clock.h"

namespace tripod::test {

class VirtualLoop final : public os::Executor, public os::Clock {
 public:
  void post(os::Callback callback) override { queue_.push_back(std::move(callback)); }
  MonotonicTime now() const override { return now_; }
  WallTime wall_now() const override {
    return WallTime(std::chrono::seconds(1'790'000'000)) +
           std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch());
  }
  std::unique_ptr<os::Operation> call_at(MonotonicTime when, os::Callback callback) override {
    auto alive = std::make_shared<bool>(true);
    timers_.emplace(when, Timer{alive, std::move(callback)});
    return std::make_unique<Cancel>(alive);
  }

  /// Runs what is due, moving time on for at most `span`.
  void run_for(Duration span) {
    const MonotonicTime end = now_ + span;
    while (true) {
      drain();
      if (timers_.empty() || timers_.begin()->first > end) break;
      auto next = timers_.extract(timers_.begin());
      now_ = std::max(now_, next.key());
      if (*next.mapped().alive) next.mapped().callback();
    }
    now_ = end;
  }
  /// Until `done` says so, or `span` has passed; false in that case.
  template <typename Done>
  bool run_until(const Done& done, Duration span) {
    const MonotonicTime end = now_ + span;
    while (!done()) {
      if (now_ >= end) return false;
      run_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  /// As if the process had been stopped for so long.
  void jump(Duration span) { now_ += span; }

 private:
  struct Timer {
    std::shared_ptr<bool> alive;
    os::Callback callback;
  };
  class Cancel final : public os::Operation {
   public:
    explicit Cancel(std::shared_ptr<bool> alive) : alive_(std::move(alive)) {}
    ~Cancel() override { *alive_ = false; }

   private:
    std::shared_ptr<bool> alive_;
  };

  void drain() {
    while (!queue_.empty()) {
      os::Callback next = std::move(queue_.front());
      queue_.pop_front();
      next();
    }
  }

  std::deque<os::Callback> queue_;
  std::multimap<MonotonicTime, Timer> timers_;
  MonotonicTime now_{std::chrono::seconds(1000)};
};

class CountingEntropy final : public os::Entropy {
 public:
  void fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::byte>(state_ >> 56);
    }
  }

 private:
  std::uint64_t state_ = 42;
};

class QuietLog final : public LogSink {
 public:
  LogLevel level() const override { return LogLevel::error; }
  void write(LogLevel, std::string_view, std::string_view) override {}
};

}  // namespace tripod::test
