#include "firmware/etcd/mvcc/key_space/key_space_hash.h"

#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

class KeySpaceHashTest : public StoreTest {
 protected:
  void fill() {
    for (int i = 0; i < 30; ++i) put(std::format("k{}", i % 7), std::to_string(i));
    erase("k3");
    put("k3", "again");
    erase("k4");
  }
  KeySpaceHasher begin(Revision revision) {
    auto hasher = KeySpaceHasher::begin(space(), revision);
    CHECK(hasher.has_value(), hasher ? "" : hasher.error().message);
    return *hasher;
  }
  static std::uint32_t finish(KeySpaceHasher& hasher) {
    for (;;) {
      auto done = hasher.step(2);
      CHECK(done.has_value(), done ? "" : done.error().message);
      if (*done) return hasher.value().hash;
    }
  }
};

TEST_F(KeySpaceHashTest, slices_give_what_one_go_gives) {
  fill();
  for (const Revision revision : {0, 5, 20}) {
    auto hasher = begin(revision);
    EXPECT_EQ(finish(hasher), space().hash(revision)->hash);
  }
  EXPECT_NE(space().hash(5)->hash, space().hash(6)->hash);
}

TEST_F(KeySpaceHashTest, writes_between_slices_do_not_show) {
  fill();
  const auto before = space().hash(0);
  auto hasher = begin(0);
  ASSERT_FALSE(*hasher.step(3));
  put("k1", "later");
  erase("k2");
  EXPECT_EQ(finish(hasher), before->hash);
  EXPECT_EQ(hasher.value().revision, before->revision);
}

TEST_F(KeySpaceHashTest, a_compaction_between_slices_gives_the_hash_after_it) {
  fill();
  const Revision newest = space().revision();
  auto hasher = begin(newest);
  ASSERT_FALSE(*hasher.step(3));
  must<CompactionResponse>(CompactionRequest{.revision = 20});
  ASSERT_FALSE(*hasher.step(3));
  space().compact_some(4);
  const std::uint32_t between = finish(hasher);
  EXPECT_EQ(hasher.value().compact_revision, 20);
  while (!space().compact_some(3)) continue;
  EXPECT_EQ(space().hash(newest)->hash, between) << "whether the rows are gone or not";
}

TEST_F(KeySpaceHashTest, a_compaction_past_the_revision_ends_it) {
  fill();
  auto hasher = begin(10);
  ASSERT_FALSE(*hasher.step(3));
  compact(11);
  auto done = hasher.step(3);
  ASSERT_FALSE(done);
  EXPECT_TRUE(outcome::compacted.is(done.error()));
}

TEST_F(KeySpaceHashTest, refuses_as_etcd_does) {
  fill();
  compact(9);
  EXPECT_TRUE(outcome::future_revision.is(space().hash(space().revision() + 1).error()));
  EXPECT_TRUE(outcome::compacted.is(space().hash(8).error()));
  EXPECT_TRUE(space().hash(9)) << "the compact revision itself can be read";
}

}  // namespace
}  // namespace tripod::etcd
