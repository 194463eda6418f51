#include "firmware/etcd/server/upkeep/corruption.h"

#include <gtest/gtest.h>

namespace tripod::etcd {
namespace {

constexpr KeySpaceHash at_ten{.hash = 7, .compact_revision = 3, .revision = 10};
constexpr KeySpaceHash later{.hash = 9, .compact_revision = 3, .revision = 12};

std::vector<MemberId> check(PeerHash peer) {
  return find_corrupt(1, {at_ten, later}, {peer});
}

TEST(Corruption, equal_members_are_well) {
  EXPECT_TRUE(check({2, at_ten, 10}).empty());
  EXPECT_TRUE(check({2, at_ten, 12}).empty()) << "it went on meanwhile, as the leader did";
}

TEST(Corruption, another_hash_of_the_same_revision_is_found) {
  EXPECT_EQ(check({2, {8, 3, 10}, 10}), (std::vector<MemberId>{2}));
}

TEST(Corruption, another_compact_revision_cannot_be_compared) {
  EXPECT_TRUE(check({2, {8, 2, 10}, 10}).empty());
}

TEST(Corruption, nobody_is_ahead_of_the_leader) {
  EXPECT_EQ(check({2, at_ten, 13}), (std::vector<MemberId>{2}));
  EXPECT_EQ(check({2, {7, 4, 10}, 10}), (std::vector<MemberId>{2}));
}

TEST(Corruption, a_leader_whose_hash_changes_by_itself_is_found) {
  const KeySpaceHash other{.hash = 8, .compact_revision = 3, .revision = 10};
  EXPECT_EQ(find_corrupt(1, {at_ten, other}, {}), (std::vector<MemberId>{1}));
  EXPECT_TRUE(find_corrupt(1, {at_ten, at_ten}, {}).empty());
}

TEST(Corruption, a_member_that_starts_compares_its_own_revision_alone) {
  EXPECT_EQ(find_different(at_ten, {{2, at_ten, 20}, {3, {8, 3, 10}, 20}, {4, {8, 5, 10}, 20}}),
            (std::vector<MemberId>{3}));
}

}  // namespace
}  // namespace tripod::etcd
