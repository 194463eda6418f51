#include "platform/async/task.h"

#include <gtest/gtest.h>

#include <deque>

#include "platform/async/sync.h"

namespace tripod::async {
namespace {

class QueueExecutor final : public os::Executor {
 public:
  void post(os::Callback callback) override { queue_.push_back(std::move(callback)); }
  void run() {
    while (!queue_.empty()) {
      auto next = std::move(queue_.front());
      queue_.pop_front();
      next();
    }
  }

 private:
  std::deque<os::Callback> queue_;
};

Task<Result<int>> doubled(Oneshot<int> input) {
  auto value = co_await input;
  if (!value) co_return std::unexpected(value.error());
  co_return *value * 2;
}

Task<void> keep(Oneshot<int> input, std::optional<Result<int>>* out) {
  out->emplace(co_await doubled(input));
}

TEST(Task, carries_a_value_from_a_callback_to_the_caller) {
  QueueExecutor executor;
  Scope scope(executor);
  Oneshot<int> input;
  std::optional<Result<int>> out;
  scope.spawn(keep(input, &out));
  executor.run();
  EXPECT_FALSE(out.has_value());
  input.set(21);
  executor.run();
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->value(), 42);
  EXPECT_TRUE(scope.idle());
}

TEST(Task, cancelled_scope_ends_what_waits_and_what_comes_later) {
  QueueExecutor executor;
  Scope scope(executor);
  std::optional<Result<int>> first;
  std::optional<Result<int>> second;
  scope.spawn(keep(Oneshot<int>(), &first));
  scope.cancel();
  scope.spawn(keep(Oneshot<int>(), &second));
  executor.run();
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->error() == ErrorCode::cancelled);
  EXPECT_TRUE(second->error() == ErrorCode::cancelled);
  EXPECT_TRUE(scope.idle());
}

TEST(TaskDeathTest, scope_with_a_running_task_must_not_die) {
  EXPECT_DEATH(
      {
        QueueExecutor executor;
        std::optional<Result<int>> out;
        Scope scope(executor);
        scope.spawn(keep(Oneshot<int>(), &out));
        scope.~Scope();
      },
      "CHECK failed");
}

Task<void> drain(Channel<int>* channel, std::vector<int>* out) {
  while (true) {
    auto value = co_await channel->pop();
    if (!value) co_return;
    out->push_back(*value);
  }
}

TEST(Channel, delivers_in_order_and_drops_above_its_bound) {
  QueueExecutor executor;
  Scope scope(executor);
  Channel<int> channel(2);
  std::vector<int> out;
  EXPECT_TRUE(channel.try_push(1));
  EXPECT_TRUE(channel.try_push(2));
  EXPECT_FALSE(channel.try_push(3));
  scope.spawn(drain(&channel, &out));
  channel.close();
  executor.run();
  EXPECT_EQ(out, (std::vector<int>{1, 2}));
  EXPECT_TRUE(scope.idle());
}

}  // namespace
}  // namespace tripod::async
