#include "firmware/balancer/backends.h"

#include <gtest/gtest.h>

namespace tripod::balancer {
namespace {

Backends three(HealthRule rule = {2, 2}) {
  return Backends({{"127.0.0.1", 1}, {"127.0.0.1", 2}, {"127.0.0.1", 3}}, rule);
}

TEST(Backends, first_good_probe_brings_a_backend_up) {
  Backends backends = three();
  EXPECT_FALSE(backends.up(0));
  EXPECT_TRUE(backends.probed(0, true));
  EXPECT_TRUE(backends.up(0));
}

TEST(Backends, changes_sides_only_after_a_streak) {
  Backends backends = three({3, 2});
  backends.probed(0, true);
  EXPECT_FALSE(backends.probed(0, false));
  EXPECT_FALSE(backends.probed(0, true)) << "the streak starts again";
  EXPECT_FALSE(backends.probed(0, false));
  EXPECT_TRUE(backends.probed(0, false));
  EXPECT_FALSE(backends.up(0));
  EXPECT_FALSE(backends.probed(0, true));
  EXPECT_FALSE(backends.probed(0, true));
  EXPECT_TRUE(backends.probed(0, true));
}

TEST(Backends, chooses_the_healthy_one_with_fewest_connections) {
  Backends backends = three();
  backends.probed(0, true);
  backends.probed(1, true);
  backends.opened(0);
  EXPECT_EQ(backends.choose({}), 1U);
  backends.opened(1);
  backends.opened(1);
  EXPECT_EQ(backends.choose({}), 0U) << "2 has none, but is down";
}

TEST(Backends, spreads_ties) {
  Backends backends = three();
  for (std::size_t i = 0; i < 3; ++i) backends.probed(i, true);
  EXPECT_EQ(backends.choose({}), 0U);
  EXPECT_EQ(backends.choose({}), 1U);
  EXPECT_EQ(backends.choose({}), 2U);
  EXPECT_EQ(backends.choose({}), 0U);
}

TEST(Backends, falls_back_to_one_that_is_down_and_ends_when_all_were_tried) {
  Backends backends = three();
  backends.probed(2, true);
  std::vector<Backends::Index> tried;
  tried.push_back(*backends.choose(tried));
  EXPECT_EQ(tried[0], 2U);
  tried.push_back(*backends.choose(tried));
  tried.push_back(*backends.choose(tried));
  EXPECT_FALSE(backends.choose(tried).has_value());
}

}  // namespace
}  // namespace tripod::balancer
