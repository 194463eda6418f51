#include "platform/http/message.h"

#include <gtest/gtest.h>

namespace tripod::http {
namespace {

TEST(Message, headers_keep_order_and_replace_by_name) {
  Headers headers{{"a", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(headers.get("a"), "1");
  EXPECT_FALSE(headers.has("c"));
  headers.set("a", "4");
  EXPECT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers.get("a"), "4");
}

TEST(Message, percent_coding_round_trips_and_refuses_broken_escapes) {
  Bytes all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(percent_decode(percent_encode(all), false), all);
  EXPECT_EQ(percent_decode("a%2Fb+c", false), "a/b+c");
  EXPECT_EQ(percent_decode("a%2fb+c", true), "a/b c");
  EXPECT_EQ(percent_decode("%41", false), "A");
  for (const char* bad : {"%", "%4", "x%zz", "%4%41"}) {
    EXPECT_FALSE(percent_decode(bad, false).has_value()) << bad;
  }
}

TEST(Message, queries_are_pairs_in_order) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(parse_query("b=2&a=%3D1&&c&=x&d=1=2"),
            (Pairs{{"b", "2"}, {"a", "=1"}, {"c", ""}, {"", "x"}, {"d", "1=2"}}));
  EXPECT_EQ(parse_query(""), Pairs{});
  EXPECT_FALSE(parse_query("a=%").has_value());
}

}  // namespace
}  // namespace tripod::http
