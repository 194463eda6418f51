#pragma once
// Task<T>: a coroutine that starts when awaited, runs on the loop thread and always runs to its
// end. Scope: the owner of running tasks; it is cancelled and joined before it dies.
//
//   Task<Result<int>> answer(std::string question);  // parameters are values, never references
//   scope.spawn(serve(std::move(connection)));       // runs until done or cancelled
//   auto value = co_await answer("...");             // same scope as the awaiting coroutine
//
//
// Cancelling a scope makes every operation pending in it return ErrorCode::cancelled; so does every
// later one.

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "platform/base/check.h"
#include "platform/base/result.h"
#include "platform/os/clock.h"

namespace tripod::async {

/// Something suspended that a cancelled scope must wake. Linked into its ScopeCore while it waits.
class Cancellable {
 public:
  Cancellable() = default;
  Cancellable(const Cancellable&) = delete;
  Cancellable& operator=(const Cancellable&) = delete;
  virtual void on_cancel() = 0;

 protected:
  ~Cancellable() { CHECK(next_ == nullptr); }

 private:
  friend class ScopeCore;
  Cancellable* previous_ = nullptr;
  Cancellable* next_ = nullptr;
};

/// What every coroutine of one scope shares: where to resume, and whether to give up.
class ScopeCore {
 public:
  explicit ScopeCore(os::Executor& executor);
  ~ScopeCore();
  ScopeCore(const ScopeCore&) = delete;
  ScopeCore& operator=(const ScopeCore&) = delete;

  os::Executor& executor() const { return executor_; }
  bool cancelled() const { return cancelled_; }
  void cancel();
  void link(Cancellable& node);
  static void unlink(Cancellable& node);

 private:
  class Head final : public Cancellable {
   public:
    void on_cancel() override {}
  };

  os::Executor& executor_;
  Head head_;
  bool cancelled_ = false;
};

namespace detail {

struct PromiseBase {
  ScopeCore* core = nullptr;
  std::coroutine_handle<> continuation = std::noop_coroutine();

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      return handle.promise().continuation;
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
};

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> value;
  auto get_return_object() { return std::coroutine_handle<Promise>::from_promise(*this); }
  template <typename U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  auto get_return_object() { return std::coroutine_handle<Promise>::from_promise(*this); }
  void return_void() {}
  void take() {}
};

}  // namespace detail

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task(Handle handle) : handle_(handle) {}  // NOLINT: coroutines convert implicitly
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  /// Runs the task to its end inside the awaiting coroutine's scope.
  auto operator co_await() && { return Awaiter{handle_}; }

 private:
  struct Awaiter {
    Handle handle;
    bool await_ready() const { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> waiting) {
      handle.promise().core = waiting.promise().core;
      handle.promise().continuation = waiting;
      return handle;
    }
    T await_resume() { return handle.promise().take(); }
  };

  Handle handle_;
};

/// Owns running tasks. Lives on the loop thread; outlives everything its tasks borrow nothing from.
class Scope {
 public:
  explicit Scope(os::Executor& executor) : core_(executor) {}
  /// CHECKs that no task is left: cancel() and await join() first, or run the loop until idle() is
  /// true.
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Starts `task` at once, on this stack, up to its first suspension.
  void spawn(Task<void> task);
  void cancel() { core_.cancel(); }
  bool cancelled() const { return core_.cancelled(); }
  bool idle() const { return running_ == 0; }
  std::size_t running() const { return running_; }
  /// Returns when the last task has ended. Not cancelled by anyone; await it from another scope.
  Task<void> join();
  /// Calls `done` (posted) when the last task has ended: for owners that are not coroutines.
  void when_idle(os::Callback done);
  os::Executor& executor() const { return core_.executor(); }

 private:
  struct Root;
  static Root run(Scope* scope, Task<void> task);
  void finished();

  ScopeCore core_;
  std::size_t running_ = 0;
  std::vector<os::Callback> joiners_;
};

/// co_await current_scope() -> ScopeCore&: for primitives, and for coroutines that ask whether to
/// stop early.
struct CurrentScope {
  ScopeCore* core = nullptr;
  bool await_ready() const { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    core = handle.promise().core;
    return false;
  }
  ScopeCore& await_resume() const { return *core; }
};
inline CurrentScope current_scope() {
  return {};
}

}  // namespace tripod::async

namespace tripod {
using async::Scope;
using async::Task;
}  // namespace tripod
