#pragma once
// What coroutines wait on: time, lanes, connections, signals and channels. All return `cancelled`
// when the waiting scope is cancelled, unless they say otherwise.

#include <deque>
#include <list>
#include <memory>
#include <vector>

#include "platform/async/oneshot.h"
#include "platform/async/task.h"
#include "platform/os/network.h"
#include "platform/os/storage.h"

namespace tripod::async {

Task<Result<>> sleep_until(os::Clock& clock, MonotonicTime when);
Task<Result<>> sleep_for(os::Clock& clock, Duration duration);
Task<Result<std::unique_ptr<os::Stream>>> connect(os::Network& network, os::Address address);
Task<Result<std::vector<std::string>>> resolve(os::Network& network, std::string host);

/// Runs `work` on the lane and returns what it returned. Not cancellable: the work may be running
/// already. `work` shares no state with the loop.
template <typename Work>
Task<std::invoke_result_t<Work>> run_on(os::Lane& lane, Work work) {
  using T = std::invoke_result_t<Work>;
  Oneshot<void> finished;
  std::optional<T> value;
  lane.run([&] { value.emplace(work()); }, [finished]() mutable { finished.set(); });
  co_await finished.uncancellable();
  co_return std::move(*value);
}

/// Runs `task` in a scope of its own that is cancelled after `limit`, or with the caller's scope. A
/// task that ended with `cancelled` because time ran out reports `timeout` instead. Returns when
/// the task has ended.
template <typename T>
Task<Result<T>> with_timeout(os::Clock& clock, Duration limit, Task<Result<T>> task);

/// Wakes whoever waits now; a notify that nobody waits for is kept for the next wait.
class Signal {
 public:
  void notify();
  Task<Result<>> wait();

 private:
  bool pending_ = false;
  std::vector<Oneshot<void>> waiters_;
};

/// A bounded queue with one or more readers. Closing lets readers drain what is queued, then fail
/// with `closed`.
template <typename T>
class Channel {
 public:
  explicit Channel(std::size_t size_max) : size_max_(size_max) {}

  /// False when full or closed; the value is then dropped.
  bool try_push(T value) {
    if (closed_ || queue_.size() >= size_max_) return false;
    queue_.push_back(std::move(value));
    readable_.notify();
    return true;
  }
  Task<Result<T>> pop() {
    while (queue_.empty()) {
      if (closed_) co_return fail(ErrorCode::closed, "channel closed");
      if (auto woken = co_await readable_.wait(); !woken) co_return std::unexpected(woken.error());
    }
    T value = std::move(queue_.front());
    queue_.pop_front();
    if (!queue_.empty()) readable_.notify();
    co_return value;
  }
  void close() {
    closed_ = true;
    readable_.notify();
  }
  std::size_t size() const { return queue_.size(); }
  bool closed() const { return closed_; }

 private:
  std::size_t size_max_;
  std::deque<T> queue_;
  Signal readable_;
  bool closed_ = false;
};

// --- implementation ---

namespace detail {

/// Forwards the cancellation of a parent scope to a child scope while it is alive.
class CancelLink final : public Cancellable {
 public:
  CancelLink(ScopeCore& parent, Scope& child) : child_(child) {
    if (parent.cancelled()) {
      child_.cancel();
    } else {
      parent.link(*this);
    }
  }
  ~CancelLink() { ScopeCore::unlink(*this); }
  void on_cancel() override { child_.cancel(); }

 private:
  Scope& child_;
};

template <typename T>
Task<void> store(Task<Result<T>> task, std::optional<Result<T>>* out) {
  out->emplace(co_await std::move(task));
}

}  // namespace detail

template <typename T>
Task<Result<T>> with_timeout(os::Clock& clock, Duration limit, Task<Result<T>> task) {
  ScopeCore& parent = co_await current_scope();
  Scope child(parent.executor());
  std::optional<Result<T>> value;
  bool timed_out = false;
  {
    detail::CancelLink link(parent, child);
    auto timer = clock.call_at(clock.now() + limit, [&] {
      timed_out = true;
      child.cancel();
    });
    child.spawn(detail::store(std::move(task), &value));
    co_await child.join();
  }
  if (timed_out && !*value && value->error() == ErrorCode::cancelled) {
    co_return fail(ErrorCode::timeout, "timed out");
  }
  co_return std::move(*value);
}

}  // namespace tripod::async
