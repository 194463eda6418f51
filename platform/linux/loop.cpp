#include "platform/linux/loop.h"

#include <time.h>

#include "platform/base/check.h"

namespace tripod::linux_os {
namespace {

constexpr std::size_t read_buffer_bytes = 64 * 1024;
constexpr int posted_per_turn_max = 4096;  // then sockets and timers get their turn

}  // namespace

class Loop::Timer final : public os::Operation {
 public:
  Timer(Loop& loop, MonotonicTime when, os::Callback callback)
      : loop_(loop), place_(loop.timers_.emplace(when, this)), callback_(std::move(callback)) {}
  ~Timer() override {
    if (armed_) loop_.timers_.erase(place_);
  }
  /// Out of the queue; what is to be called.
  os::Callback fire() {
    armed_ = false;
    loop_.timers_.erase(place_);
    return std::move(callback_);
  }

 private:
  Loop& loop_;
  Timers::iterator place_;
  os::Callback callback_;
  bool armed_ = true;
};

class Loop::Watch final : public os::Operation {
 public:
  Watch(uv_loop_t* loop, int descriptor, std::function<void()> callback)
      : handle_(this), callback_(std::move(callback)) {
    int status = uv_poll_init(loop, handle_.get(), descriptor);
    CHECK(status == 0, uv_strerror(status));
    status =
        uv_poll_start(handle_.get(), UV_READABLE | UV_DISCONNECT, [](uv_poll_t* poll, int, int) {
          auto callback = owner_of<Watch>(poll)->callback_;  // which may destroy the watch
          callback();
        });
    CHECK(status == 0, uv_strerror(status));
  }

 private:
  UvHandle<uv_poll_t> handle_;
  std::function<void()> callback_;
};

struct Loop::Signal {
  explicit Signal(std::function<void()> wanted) : handle(this), callback(std::move(wanted)) {}
  UvHandle<uv_signal_t> handle;
  std::function<void()> callback;
};

Loop::Loop() : read_buffer_(read_buffer_bytes) {
  CHECK(uv_loop_init(&uv_) == 0);
  idle_ = std::make_unique<UvHandle<uv_idle_t>>(this);
  timer_ = std::make_unique<UvHandle<uv_timer_t>>(this);
  awake_ = std::make_unique<UvHandle<uv_async_t>>(this);
  CHECK(uv_async_init(&uv_, awake_->get(), nullptr) == 0);
  CHECK(uv_idle_init(&uv_, idle_->get()) == 0);
  CHECK(uv_timer_init(&uv_, timer_->get()) == 0);
}

Loop::~Loop() {
  while (!posted_.empty()) std::exchange(posted_, {}).clear();  // what dies may post
  CHECK(timers_.empty(), "a timer outlived its loop");
  signals_.clear();
  idle_.reset();
  timer_.reset();
  awake_.reset();
  // Close callbacks; the first one only takes notice of a stop() that no run() has seen.
  while (uv_run(&uv_, UV_RUN_DEFAULT) != 0) {
  }
  CHECK(uv_loop_close(&uv_) == 0, "a handle outlived its loop");
}

void Loop::run() {
  while (!stopping_) uv_run(&uv_, UV_RUN_DEFAULT);
  stopping_ = false;
}

void Loop::stop() {
  stopping_ = true;
  uv_stop(&uv_);
}

void Loop::post(os::Callback callback) {
  posted_.push_back(std::move(callback));
  if (idle_active_) return;
  idle_active_ = true;
  uv_idle_start(idle_->get(), [](uv_idle_t* idle) { owner_of<Loop>(idle)->run_posted(); });
}

void Loop::run_posted() {
  for (int i = 0; i < posted_per_turn_max && !posted_.empty(); ++i) {
    os::Callback next = std::move(posted_.front());
    posted_.pop_front();
    next();
  }
  if (posted_.empty()) {
    uv_idle_stop(idle_->get());
    idle_active_ = false;
  }
}

MonotonicTime Loop::now() const {
  return MonotonicTime(Duration(static_cast<std::int64_t>(uv_hrtime())));
}

WallTime Loop::wall_now() const {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return WallTime(std::chrono::seconds(time.tv_sec) +
                  std::chrono::microseconds(time.tv_nsec / 1000));
}

std::unique_ptr<os::Operation> Loop::call_at(MonotonicTime when, os::Callback callback) {
  auto timer = std::make_unique<Timer>(*this, when, std::move(callback));
  arm();
  return timer;
}

void Loop::arm() {
  if (timers_.empty()) {
    if (armed_for_) uv_timer_stop(timer_->get());
    armed_for_.reset();
    return;
  }
  MonotonicTime earliest = timers_.begin()->first;
  if (armed_for_ == earliest) return;
  armed_for_ = earliest;
  Duration left = std::max(earliest - now(), Duration(0));
  auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  uv_update_time(&uv_);
  uv_timer_start(
      timer_->get(), [](uv_timer_t* timer) { owner_of<Loop>(timer)->run_timers(); },
      static_cast<std::uint64_t>(milliseconds), 0);
}

void Loop::run_timers() {
  armed_for_.reset();
  MonotonicTime until = now();
  while (!timers_.empty() && timers_.begin()->first <= until) {
    os::Callback callback = timers_.begin()->second->fire();
    callback();
  }
  arm();
}

std::unique_ptr<os::Operation> Loop::on_readable(int descriptor, std::function<void()> callback) {
  return std::make_unique<Watch>(&uv_, descriptor, std::move(callback));
}

void Loop::on_signal(int number, std::function<void()> callback) {
  auto signal = std::make_unique<Signal>(std::move(callback));
  CHECK(uv_signal_init(&uv_, signal->handle.get()) == 0);
  int status = uv_signal_start(
      signal->handle.get(), [](uv_signal_t* handle, int) { owner_of<Signal>(handle)->callback(); },
      number);
  CHECK(status == 0, uv_strerror(status));
  uv_unref(signal->handle.base());
  signals_.push_back(std::move(signal));
}

}  // namespace tripod::linux_os
