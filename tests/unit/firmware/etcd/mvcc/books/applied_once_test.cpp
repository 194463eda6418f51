#include "firmware/etcd/mvcc/books/applied_once.h"

#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

TEST(AppliedOnce, a_command_counts_once_in_any_order) {
  AppliedOnce once;
  EXPECT_TRUE(once.first({1, 7, 1}));
  EXPECT_FALSE(once.first({1, 7, 1}));
  EXPECT_TRUE(once.first({1, 7, 4}));
  EXPECT_TRUE(once.first({1, 7, 2}));
  EXPECT_FALSE(once.first({1, 7, 2}));
  EXPECT_TRUE(once.first({1, 7, 3}));
  EXPECT_FALSE(once.first({1, 7, 4}));
  EXPECT_TRUE(once.first({2, 7, 4}));
}

TEST(AppliedOnce, a_new_life_ends_the_former_one) {
  AppliedOnce once;
  EXPECT_TRUE(once.first({1, 7, 5}));
  EXPECT_TRUE(once.first({1, 8, 1}));
  EXPECT_FALSE(once.first({1, 7, 6}));
  EXPECT_FALSE(once.first({1, 8, 1}));
  EXPECT_TRUE(once.first({1, 8, 2}));
}

TEST(AppliedOnce, gaps_are_bounded_and_the_oldest_count_as_applied) {
  AppliedOnce once;
  EXPECT_TRUE(once.first({1, 7, 1'000'000}));
  EXPECT_FALSE(once.first({1, 7, 5}));
  EXPECT_TRUE(once.first({1, 7, 999'999}));
}

TEST(AppliedOnce, what_is_stored_is_what_was) {
  AppliedOnce once;
  once.first({1, 7, 1});
  once.first({1, 8, 3});
  AppliedOnce again;
  for (const auto& [origin, stored] : once.take_changes()) again.restore(origin, stored);
  EXPECT_TRUE(once.take_changes().empty());
  EXPECT_FALSE(again.first({1, 7, 2}));
  EXPECT_FALSE(again.first({1, 8, 3}));
  EXPECT_TRUE(again.first({1, 8, 2}));
}

class RepeatTest : public StoreTest {};

TEST_F(RepeatTest, a_command_that_stands_in_the_log_twice_is_applied_once_even_across_a_restart) {
  Bytes data;
  append_command(data, {5, 1, 1}, PutRequest{.key = "a", .value = "1"});
  int done = 0;
  const auto count = [&](CommandId, CommandReply) { ++done; };
  store_->apply(++index_, 1, data, {}, count);
  store_->apply(++index_, 1, data, {}, count);
  EXPECT_EQ(done, 1);
  EXPECT_EQ(space().revision(), 2);
  reopen();
  store_->apply(++index_, 1, data, {}, count);
  EXPECT_EQ(done, 1);
  EXPECT_EQ(space().revision(), 2);
}

}  // namespace
}  // namespace tripod::etcd
