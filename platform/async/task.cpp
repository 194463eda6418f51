#include "platform/async/task.h"

#include "platform/async/oneshot.h"

namespace tripod::async {

ScopeCore::ScopeCore(os::Executor& executor) : executor_(executor) {
  head_.next_ = &head_;
  head_.previous_ = &head_;
}

ScopeCore::~ScopeCore() {
  CHECK(head_.next_ == &head_, "a coroutine still waits in this scope");
  head_.next_ = nullptr;
}

void ScopeCore::cancel() {
  cancelled_ = true;
  while (head_.next_ != &head_) {
    Cancellable& node = *head_.next_;
    unlink(node);
    node.on_cancel();
  }
}

void ScopeCore::link(Cancellable& node) {
  CHECK(node.next_ == nullptr);
  node.previous_ = head_.previous_;
  node.next_ = &head_;
  head_.previous_->next_ = &node;
  head_.previous_ = &node;
}

void ScopeCore::unlink(Cancellable& node) {
  if (node.next_ == nullptr) return;
  node.previous_->next_ = node.next_;
  node.next_->previous_ = node.previous_;
  node.next_ = nullptr;
  node.previous_ = nullptr;
}

/// The outermost coroutine of a spawned task: destroys itself when the task ends.
struct Scope::Root {
  struct promise_type {
    ScopeCore* core;
    promise_type(Scope* scope, Task<void>&) : core(&scope->core_) {}
    Root get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
};

Scope::Root Scope::run(Scope* scope, Task<void> task) {
  co_await std::move(task);
  {
    Task<void> ended = std::move(task);
  }  // its frame goes before the scope may go
  scope->finished();
}

Scope::~Scope() {
  CHECK(running_ == 0, "a scope died with tasks in it");
}

void Scope::spawn(Task<void> task) {
  ++running_;
  run(this, std::move(task));
}

void Scope::finished() {
  CHECK(running_ > 0);
  if (--running_ > 0) return;
  for (os::Callback& joiner : std::exchange(joiners_, {})) core_.executor().post(std::move(joiner));
}

void Scope::when_idle(os::Callback done) {
  if (idle()) {
    core_.executor().post(std::move(done));
  } else {
    joiners_.push_back(std::move(done));
  }
}

Task<void> Scope::join() {
  Oneshot<void> ended;
  when_idle([ended]() mutable { ended.set(); });
  co_await ended.uncancellable();
}

}  // namespace tripod::async
