#pragma once
// Runs one task of a command on the machine's loop, to its end.

#include "platform/async/task.h"
#include "platform/linux/machine.h"

namespace tripod::cli {

namespace detail {

template <typename T>
Task<void> store(Task<Result<T>> task, Result<T>* out, linux_os::Loop* loop) {
  *out = co_await std::move(task);
  loop->stop();
}

}  // namespace detail

/// Runs the loop until the task has ended.
template <typename T>
Result<T> run_task(linux_os::Machine& machine, Task<Result<T>> task) {
  Result<T> result = fail(ErrorCode::cancelled, "interrupted");
  Scope scope(machine.loop());
  scope.spawn(detail::store(std::move(task), &result, &machine.loop()));
  machine.loop().run();  // not at all when the task has ended already
  return result;
}

}  // namespace tripod::cli
