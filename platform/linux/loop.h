#pragma once
// The one event loop of a process, on libuv: posted callbacks, time, and signals. Everything is on
// the thread that calls run().

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "platform/linux/uv_handle.h"
#include "platform/os/clock.h"

namespace tripod::linux_os {

class Loop final : public os::Executor, public os::Clock {
 public:
  Loop();
  /// Nothing that lives on the loop may be left.
  ~Loop() override;

  /// Turns until stop(); not at all when stop() came first.
  void run();
  void stop();

  void post(os::Callback callback) override;
  MonotonicTime now() const override;
  WallTime wall_now() const override;
  std::unique_ptr<os::Operation> call_at(MonotonicTime when, os::Callback callback) override;

  /// Calls back on each such signal, in place of its default.
  void on_signal(int number, std::function<void()> callback);

  /// Calls back whenever `descriptor` has something to read, or has ended, until the operation is
  /// destroyed. The descriptor stays the caller's and outlives the operation.
  [[nodiscard]] std::unique_ptr<os::Operation> on_readable(int descriptor,
                                                           std::function<void()> callback);

  uv_loop_t* uv() { return &uv_; }
  /// One read buffer for all streams: they read one after another.
  uv_buf_t read_buffer() {
    return uv_buf_init(read_buffer_.data(), static_cast<unsigned>(read_buffer_.size()));
  }

 private:
  class Timer;
  class Watch;
  struct Signal;
  using Timers = std::multimap<MonotonicTime, Timer*>;

  void run_posted();
  void run_timers();
  void arm();

  uv_loop_t uv_;
  std::vector<char> read_buffer_;
  std::deque<os::Callback> posted_;
  Timers timers_;
  std::unique_ptr<UvHandle<uv_idle_t>> idle_;
  std::unique_ptr<UvHandle<uv_timer_t>> timer_;
  std::unique_ptr<UvHandle<uv_async_t>> awake_;  // never rings: libuv waits instead of spinning
  std::vector<std::unique_ptr<Signal>> signals_;
  std::optional<MonotonicTime> armed_for_;
  bool idle_active_ = false;
  bool stopping_ = false;
};

}  // namespace tripod::linux_os
