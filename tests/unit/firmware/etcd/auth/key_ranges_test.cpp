#include "firmware/etcd/auth/key_ranges.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace tripod::etcd {
namespace {

const Bytes from_key_on(1, '\0');

TEST(KeyRanges, a_key_is_itself_alone) {
  KeyRanges ranges;
  ranges.add("foo", "");
  EXPECT_TRUE(ranges.contains("foo", ""));
  EXPECT_FALSE(ranges.contains("fo", ""));
  EXPECT_FALSE(ranges.contains("foo1", ""));
  EXPECT_FALSE(ranges.contains(Bytes("foo\0", 4), ""));
  EXPECT_TRUE(ranges.contains("foo", Bytes("foo\0", 4)));
  EXPECT_FALSE(ranges.contains("foo", "fop"));
  EXPECT_FALSE(ranges.contains("foo", from_key_on));
}

TEST(KeyRanges, a_range_ends_before_its_end) {
  KeyRanges ranges;
  ranges.add("b", "d");
  EXPECT_FALSE(ranges.contains("a", ""));
  EXPECT_TRUE(ranges.contains("b", ""));
  EXPECT_TRUE(ranges.contains("czz", ""));
  EXPECT_FALSE(ranges.contains("d", ""));
  EXPECT_TRUE(ranges.contains("b", "d"));
  EXPECT_TRUE(ranges.contains("bb", "c"));
  EXPECT_FALSE(ranges.contains("a", "c"));
  EXPECT_FALSE(ranges.contains("c", "dd"));
  EXPECT_FALSE(ranges.contains("c", from_key_on));
}

TEST(KeyRanges, everything_from_a_key_on) {
  KeyRanges ranges;
  ranges.add("x", from_key_on);
  EXPECT_TRUE(ranges.contains("x", from_key_on));
  EXPECT_TRUE(ranges.contains("y", from_key_on));
  EXPECT_TRUE(ranges.contains("xa", "zz"));
  EXPECT_TRUE(ranges.contains("\xff\xff", ""));
  EXPECT_FALSE(ranges.contains("w", from_key_on));
  KeyRanges all;
  all.add(from_key_on, from_key_on);
  EXPECT_TRUE(all.contains(from_key_on, from_key_on));
  EXPECT_TRUE(all.contains("a", ""));
}

TEST(KeyRanges, neighbours_count_as_one) {
  KeyRanges ranges;
  ranges.add("a", "c");
  ranges.add("e", "g");
  EXPECT_EQ(ranges.size(), 2U);
  EXPECT_FALSE(ranges.contains("a", "g"));
  ranges.add("c", "e");
  EXPECT_EQ(ranges.size(), 1U);
  EXPECT_TRUE(ranges.contains("a", "g"));
  ranges.add("f", from_key_on);
  EXPECT_EQ(ranges.size(), 1U);
  EXPECT_TRUE(ranges.contains("b", from_key_on));
}

TEST(KeyRanges, agree_with_a_set_of_keys) {
  // Keys are single letters and a range covers the letters in it.
  std::mt19937 random(5);
  const auto letter = [&] { return static_cast<char>('a' + random() % 26); };
  for (int round = 0; round < 300; ++round) {
    KeyRanges ranges;
    std::set<char> model;
    for (unsigned count = random() % 6; count > 0; --count) {
      const char begin = letter();
      const char end = letter();
      if (begin >= end) continue;
      ranges.add(Bytes(1, begin), Bytes(1, end));
      for (char key = begin; key < end; ++key) model.insert(key);
    }
    for (char begin = 'a'; begin < 'z'; ++begin) {
      bool whole = true;
      for (char end = static_cast<char>(begin + 1); end <= 'z'; ++end) {
        whole = whole && model.contains(static_cast<char>(end - 1));
        EXPECT_EQ(ranges.contains(Bytes(1, begin), Bytes(1, end)), whole) << begin << end;
      }
    }
  }
}

TEST(KeyRanges, what_a_role_may_be_granted) {
  EXPECT_TRUE(is_valid_permission_range("a", ""));
  EXPECT_TRUE(is_valid_permission_range("a", "b"));
  EXPECT_TRUE(is_valid_permission_range("a", from_key_on));
  EXPECT_TRUE(is_valid_permission_range(from_key_on, from_key_on));
  EXPECT_FALSE(is_valid_permission_range("", ""));
  EXPECT_FALSE(is_valid_permission_range("b", "a"));
  EXPECT_FALSE(is_valid_permission_range("a", "a"));
}

}  // namespace
}  // namespace tripod::etcd
