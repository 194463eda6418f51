#include "firmware/etcd/mvcc/key_space/key_space.h"

#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

class KeySpaceTest : public StoreTest {};

TEST_F(KeySpaceTest, revisions_rise_by_one_per_writing_request) {
  EXPECT_EQ(space().revision(), 1);
  EXPECT_EQ(put("a", "1"), 2);
  EXPECT_EQ(put("a", "2"), 3);
  EXPECT_EQ(erase("missing").header.revision, 3);
  EXPECT_EQ(erase("a").header.revision, 4);
  EXPECT_EQ(space().revision(), 4);
}

TEST_F(KeySpaceTest, keys_carry_creation_modification_and_version) {
  put("a", "1");
  put("b", "x");
  put("a", "2");
  auto kv = space().range({.key = "a"})->kvs.at(0);
  EXPECT_EQ(kv.create_revision, 2);
  EXPECT_EQ(kv.mod_revision, 4);
  EXPECT_EQ(kv.version, 2);
  erase("a");
  put("a", "3");
  kv = space().range({.key = "a"})->kvs.at(0);
  EXPECT_EQ(kv.create_revision, 6);
  EXPECT_EQ(kv.version, 1);
}

TEST_F(KeySpaceTest, ranges_are_half_open_and_zero_byte_means_everything) {
  for (const char* key : {"a", "b", "c", "d"}) put(key, "v");
  EXPECT_EQ(list("b", "d"), "b=v c=v #2");
  EXPECT_EQ(list("b", everything), "b=v c=v d=v #3");
  EXPECT_EQ(list(everything, everything), "a=v b=v c=v d=v #4");
  EXPECT_EQ(list("d", "b"), " #0");
  EXPECT_EQ(list("b"), "b=v #1");
}

TEST_F(KeySpaceTest, rows_far_apart_and_close_together_come_in_the_order_of_keys) {
  // Key i was written at place (7 * i) % 31, others between them, and every third once more.
  for (int place = 0; place < 31; ++place) {
    const int key = place * 9 % 31;  // 7 * 9 is 1 modulo 31
    put(std::format("k{:02}", key), std::format("v{}", key));
    for (int other = 0; other < place % 13; ++other) put("other", "x");
  }
  for (int key = 0; key < 31; key += 3) put(std::format("k{:02}", key), std::format("w{}", key));
  RangeRequest request{.key = "k", .range_end = "l"};
  const auto found = space().range(request);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->kvs.size(), 31U);
  for (std::size_t key = 0; key < 31; ++key) {
    EXPECT_EQ(found->kvs[key].key, std::format("k{:02}", key));
    EXPECT_EQ(found->kvs[key].value, std::format("{}{}", key % 3 == 0 ? 'w' : 'v', key));
    EXPECT_EQ(found->kvs[key].version, key % 3 == 0 ? 2 : 1);
  }
}

TEST_F(KeySpaceTest, the_past_stays_readable) {
  put("a", "1");
  put("a", "2");
  erase("a");
  put("a", "3");
  EXPECT_EQ(list("a", "", 2), "a=1 #1");
  EXPECT_EQ(list("a", "", 3), "a=2 #1");
  EXPECT_EQ(list("a", "", 4), " #0");
  EXPECT_EQ(list("a", "", 5), "a=3 #1");
  EXPECT_EQ(list("a", "", 1), " #0");
  EXPECT_EQ(list("a", "", 6), "etcdserver: mvcc: required revision is a future revision");
}

TEST_F(KeySpaceTest, limit_count_and_more_tell_of_the_whole_range) {
  for (const char* key : {"a", "b", "c", "d"}) put(key, "v");
  EXPECT_EQ(list({.key = "a", .range_end = everything, .limit = 2}), "a=v b=v more #4");
  EXPECT_EQ(list({.key = "a", .range_end = everything, .limit = 4}), "a=v b=v c=v d=v #4");
  EXPECT_EQ(list({.key = "a", .range_end = everything, .count_only = true}), " #4");
  EXPECT_EQ(list({.key = "b", .range_end = everything, .keys_only = true}), "b= c= d= #3");
}

TEST_F(KeySpaceTest, every_sort_target_works_both_ways) {
  put("a", "3");  // 2
  put("b", "1");  // 3
  put("c", "2");  // 4
  put("a", "5");  // 5, version 2
  const auto sorted = [&](SortTarget target, SortOrder order, std::int64_t limit = 0) {
    return list({.key = "a",
                 .range_end = everything,
                 .limit = limit,
                 .sort_order = order,
                 .sort_target = target});
  };
  EXPECT_EQ(sorted(SortTarget::key, SortOrder::descend), "c=2 b=1 a=5 #3");
  EXPECT_EQ(sorted(SortTarget::version, SortOrder::descend, 1), "a=5 more #3");
  EXPECT_EQ(sorted(SortTarget::create, SortOrder::descend), "c=2 b=1 a=5 #3");
  EXPECT_EQ(sorted(SortTarget::mod, SortOrder::ascend), "b=1 c=2 a=5 #3");
  EXPECT_EQ(sorted(SortTarget::mod, SortOrder::none), "b=1 c=2 a=5 #3");
  EXPECT_EQ(sorted(SortTarget::value, SortOrder::ascend, 2), "b=1 c=2 more #3");
  // Without an order, the first keys and one more are what is sorted.
  EXPECT_EQ(sorted(SortTarget::mod, SortOrder::none, 1), "b=1 more #3");
  EXPECT_EQ(sorted(SortTarget::value, SortOrder::none, 2), "b=1 c=2 more #3");
  EXPECT_EQ(sorted(SortTarget::mod, SortOrder::none, 3), "b=1 c=2 a=5 #3");
  put("d", "0");
  EXPECT_EQ(sorted(SortTarget::value, SortOrder::none, 1), "b=1 more #4");
  EXPECT_EQ(sorted(SortTarget::value, SortOrder::ascend, 1), "d=0 more #4");
  EXPECT_EQ(list({.key = "a",
                  .range_end = everything,
                  .sort_order = SortOrder::descend,
                  .sort_target = SortTarget::value,
                  .keys_only = true}),
            "a= c= b= d= #4");
}

TEST_F(KeySpaceTest, revision_filters_choose_before_the_limit) {
  put("a", "1");  // 2
  put("b", "1");  // 3
  put("c", "1");  // 4
  put("a", "2");  // 5
  EXPECT_EQ(list({.key = "a", .range_end = everything, .min_mod_revision = 4}), "a=2 c=1 #3");
  EXPECT_EQ(list({.key = "a", .range_end = everything, .max_mod_revision = 4}), "b=1 c=1 #3");
  EXPECT_EQ(list({.key = "a", .range_end = everything, .limit = 1, .min_create_revision = 3}),
            "b=1 more #3");
  EXPECT_EQ(list({.key = "a", .range_end = everything, .max_create_revision = 2}), "a=2 #3");
}

TEST_F(KeySpaceTest, put_returns_and_reuses_what_was_there) {
  put("a", "1");
  auto response = must<PutResponse>(PutRequest{.key = "a", .value = "2", .prev_kv = true});
  ASSERT_TRUE(response.prev_kv);
  EXPECT_EQ(response.prev_kv->value, "1");
  must<PutResponse>(PutRequest{.key = "a", .ignore_value = true});
  EXPECT_EQ(list("a"), "a=2 #1");
  EXPECT_TRUE(
      outcome::key_not_found.is(apply(PutRequest{.key = "missing", .ignore_value = true}).error()));
  EXPECT_EQ(space().revision(), 4);
}

TEST_F(KeySpaceTest, delete_range_reports_what_went) {
  for (const char* key : {"a", "b", "c"}) put(key, key);
  auto response = erase("a", "c");
  EXPECT_EQ(response.deleted, 2);
  ASSERT_EQ(response.prev_kvs.size(), 2U);
  EXPECT_EQ(response.prev_kvs[1].value, "b");
  EXPECT_EQ(list("a", everything), "c=c #1");
}

TEST_F(KeySpaceTest, compaction_keeps_the_present_and_forgets_the_past) {
  put("a", "1");  // 2
  put("a", "2");  // 3
  put("b", "1");  // 4
  erase("b");     // 5
  put("a", "3");  // 6
  compact(5);
  EXPECT_EQ(list("a", "", 4), "etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(list("a", everything, 5), "a=2 #1");
  EXPECT_EQ(list("a", everything), "a=3 #1");
  EXPECT_TRUE(outcome::compacted.is(apply(CompactionRequest{.revision = 5}).error()));
  EXPECT_TRUE(outcome::future_revision.is(apply(CompactionRequest{.revision = 7}).error()));
  compact(6);
  EXPECT_EQ(list("a", everything), "a=3 #1");
  EXPECT_EQ(space().key_count(), 1U);
}

TEST_F(KeySpaceTest, a_restart_finds_everything_again) {
  put("a", "1");
  put("a", "2");
  put("b", "1");
  erase("b");
  const auto before = space().hash(0);
  reopen();
  EXPECT_EQ(space().revision(), 5);
  EXPECT_EQ(list("a", everything), "a=2 #1");
  EXPECT_EQ(list("a", everything, 4), "a=2 b=1 #2");
  EXPECT_EQ(space().hash(0)->hash, before->hash);
  EXPECT_EQ(put("a", "3"), 6);
  EXPECT_EQ(space().range({.key = "a"})->kvs.at(0).version, 3);
}

TEST_F(KeySpaceTest, a_compaction_cut_short_anywhere_by_a_restart_is_finished) {
  for (int i = 0; i < 15; ++i) {
    put(std::format("k{}", i % 3), std::to_string(i));
    if (i % 5 == 4) erase("k1");
  }
  const Revision newest = space().revision();
  const Revision at = newest - 4;
  must<CompactionResponse>(CompactionRequest{.revision = at});
  const auto hash = space().hash(0);
  const std::string then = list("k", "l", at);
  const std::string now = list("k", "l");
  const std::size_t rows_before = rows_in_file();
  int restarts = 0;
  for (; !space().compact_some(2); ++restarts) {
    reopen();
    ASSERT_TRUE(space().compacting());
    EXPECT_EQ(space().hash(0)->hash, hash->hash);
    // Each life takes the work a step further, or nothing would ever come to an end.
    for (int slice = 0; slice < restarts; ++slice) space().compact_some(2);
    EXPECT_EQ(list("k", "l", at), then);
    EXPECT_EQ(list("k", "l"), now);
  }
  EXPECT_GT(restarts, 4);
  EXPECT_LT(rows_in_file(), rows_before);
  EXPECT_EQ(list("k", "l", at - 1), "etcdserver: mvcc: required revision has been compacted");
  EXPECT_EQ(space().hash(0)->hash, hash->hash);
  reopen();
  EXPECT_FALSE(space().compacting());
  EXPECT_EQ(list("k", "l", at), then);
  EXPECT_EQ(list("k", "l"), now);
}

TEST_F(KeySpaceTest, a_compaction_that_comes_during_another_follows_it) {
  for (int i = 0; i < 30; ++i) put(std::format("k{}", i % 3), std::to_string(i));
  must<CompactionResponse>(CompactionRequest{.revision = 12});
  for (int slice = 0; slice < 3; ++slice) space().compact_some(2);
  must<CompactionResponse>(CompactionRequest{.revision = 25});
  EXPECT_EQ(list("k", "l", 24), outcome::compacted.text);
  const std::string then = list("k", "l", 25);
  while (!space().compact_some(2)) EXPECT_EQ(list("k", "l", 25), then);
  EXPECT_FALSE(space().compacting());
  EXPECT_EQ(list("k", "l", 25), then);
  EXPECT_EQ(rows_in_file(), 9U) << "three at the revision, six behind it";
}

TEST_F(KeySpaceTest, a_compaction_of_many_rows_leaves_none_behind) {
  constexpr std::size_t rows = 40'000;  // more than two batches
  for (std::size_t i = 0; i < rows; ++i) put(std::format("k{}", i * 7919 % 1000), "v");
  const Revision newest = space().revision();
  compact(newest);
  EXPECT_EQ(rows_in_file(), 1000U);
  EXPECT_EQ(space().range({.key = "k", .range_end = "l", .count_only = true})->count, 1000);
  erase("k", "l");
  compact(space().revision());
  EXPECT_EQ(rows_in_file(), 1000U) << "tombstones at the compact revision stay for watches from it";
  put("z", "1");
  compact(space().revision());
  EXPECT_EQ(rows_in_file(), 1U);
}

TEST_F(KeySpaceTest, the_revision_does_not_fall_back_when_everything_is_compacted_away) {
  put("a", "1");
  erase("a");  // 3
  put("b", "1");
  erase("b");  // 5
  compact(5);
  reopen();
  EXPECT_EQ(space().revision(), 5);
  EXPECT_EQ(put("a", "1"), 6);
}

TEST_F(KeySpaceTest, hashes_at_a_revision_do_not_depend_on_the_progress_of_compaction) {
  for (int i = 0; i < 20; ++i) put(std::format("k{}", i % 5), std::to_string(i));
  erase("k1");
  must<CompactionResponse>(CompactionRequest{.revision = 15});
  const auto unfinished = space().hash(0);
  while (!space().compact_some(1)) continue;
  const auto finished = space().hash(0);
  EXPECT_EQ(unfinished->hash, finished->hash);
  EXPECT_EQ(finished->compact_revision, 15);
  EXPECT_EQ(finished->revision, 22);
  put("k1", "changed");
  EXPECT_NE(space().hash(0)->hash, finished->hash);
  EXPECT_EQ(space().hash(22)->hash, finished->hash);
  EXPECT_TRUE(outcome::compacted.is(space().hash(14).error()));
}

}  // namespace
}  // namespace tripod::etcd
