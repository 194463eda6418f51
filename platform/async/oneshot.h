#pragma once
// Oneshot<T>: one value from a callback to one coroutine. The bridge between callbacks and tasks,
// and the one primitive that suspends; everything else in this folder is built on it.

#include <memory>
#include <optional>

#include "platform/async/task.h"

namespace tripod::async {

/// Copies share one slot. set() may come before, during or without a wait; the first set wins and
/// the rest are ignored. The waiting coroutine is resumed through its executor, never from within
/// set().
template <typename T>
class Oneshot {
 public:
  Oneshot() : state_(std::make_shared<State>()) {}

  void set(Result<T> value) { state_->deliver(std::move(value)); }
  void set()
    requires std::is_void_v<T>
  {
    state_->deliver(Result<T>{});
  }
  void fail(Error error) { state_->deliver(std::unexpected(std::move(error))); }
  /// True once a value arrived or the waiter was cancelled: nobody needs set() any more.
  bool done() const { return state_->value.has_value(); }

  /// co_await oneshot -> Result<T>; `cancelled` when the waiter's scope is cancelled first.
  auto operator co_await() const { return Awaiter{state_, true}; }
  /// Waits even in a cancelled scope: for work that borrows the waiter's memory, and for clean-up.
  auto uncancellable() const { return Awaiter{state_, false}; }

 private:
  struct State final : Cancellable, std::enable_shared_from_this<State> {
    std::optional<Result<T>> value;
    std::coroutine_handle<> waiter;
    os::Executor* executor = nullptr;

    void deliver(Result<T> result) {
      if (value) return;
      value.emplace(std::move(result));
      ScopeCore::unlink(*this);
      if (waiter) executor->post([handle = std::exchange(waiter, {})] { handle.resume(); });
    }
    void on_cancel() override {
      auto self = this->shared_from_this();
      deliver(std::unexpected(Error{ErrorCode::cancelled, "cancelled"}));
    }
  };

  struct Awaiter {
    std::shared_ptr<State> state;
    bool cancellable;

    bool await_ready() const { return state->value.has_value(); }
    template <typename Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle) {
      ScopeCore& core = *handle.promise().core;
      if (cancellable && core.cancelled()) {
        state->value.emplace(std::unexpected(Error{ErrorCode::cancelled, "cancelled"}));
        return false;
      }
      CHECK(!state->waiter, "a Oneshot has one waiter");
      state->waiter = handle;
      state->executor = &core.executor();
      if (cancellable) core.link(*state);
      return true;
    }
    Result<T> await_resume() { return std::move(*state->value); }
  };

  std::shared_ptr<State> state_;
};

}  // namespace tripod::async
