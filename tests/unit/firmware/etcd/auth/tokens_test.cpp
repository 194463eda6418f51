#include "firmware/etcd/auth/tokens.h"

#include <gtest/gtest.h>

#include <format>

namespace tripod::etcd {
namespace {

using std::chrono::seconds;

constexpr MonotonicTime start{};

TEST(Tokens, last_as_long_as_they_are_used) {
  Tokens tokens(seconds(10));
  tokens.assign("t.1", "ann", start);
  ASSERT_NE(tokens.use("t.1", start + seconds(9)), nullptr);
  EXPECT_EQ(*tokens.use("t.1", start + seconds(18)), "ann");
  EXPECT_EQ(tokens.use("t.1", start + seconds(29)), nullptr);
  EXPECT_EQ(tokens.use("t.2", start), nullptr);
}

TEST(Tokens, those_that_are_over_are_let_go) {
  Tokens tokens(seconds(10));
  tokens.assign("t.1", "ann", start);
  tokens.assign("t.2", "ann", start + seconds(5));
  tokens.expire(start + seconds(11));
  EXPECT_EQ(tokens.size(), 1U);
  EXPECT_NE(tokens.use("t.2", start + seconds(11)), nullptr);
}

TEST(Tokens, a_user_takes_all_of_its_own_along) {
  Tokens tokens(seconds(10));
  tokens.assign("t.1", "ann", start);
  tokens.assign("t.2", "bob", start);
  tokens.assign("t.3", "ann", start);
  tokens.forget_user("ann");
  EXPECT_EQ(tokens.size(), 1U);
  EXPECT_EQ(tokens.use("t.1", start), nullptr);
  EXPECT_NE(tokens.use("t.2", start), nullptr);
}

TEST(Tokens, are_bounded_in_number) {
  Tokens tokens(seconds(10));
  for (std::size_t i = 0; i <= Tokens::tokens_max; ++i) {
    tokens.assign(std::format("t.{}", i), "ann", start + Milliseconds(i));
  }
  EXPECT_EQ(tokens.size(), Tokens::tokens_max);
  EXPECT_EQ(tokens.use("t.0", start), nullptr);
  EXPECT_NE(tokens.use("t.1", start), nullptr);
}

TEST(Tokens, name_the_log_entry_that_made_them) {
  EXPECT_EQ(index_of_token(make_token("abc", 42)), 42U);
  for (const std::string_view other : {"", "abc", "abc.", "abc.x", "abc.1x", "abc.1.2", "abc.-1"}) {
    EXPECT_FALSE(index_of_token(other)) << other;
  }
}

TEST(Tokens, prefixes_hold_no_dot_whatever_the_random_bytes) {
  Bytes all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  const std::string prefix = token_prefix(all);
  EXPECT_EQ(prefix.size(), 256U);
  EXPECT_EQ(prefix.find_first_of(". \n"), std::string::npos);
}

}  // namespace
}  // namespace tripod::etcd
