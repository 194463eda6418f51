#include "tests/sim/etcd/power.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace tripod::etcd::robustness {
namespace {

PowerResult run(const PowerOptions& options) {
  PowerResult result = cut_power_everywhere(options);
  std::printf("%s\n", to_text(options, result).c_str());
  for (const std::string& violation : result.violations) ADD_FAILURE() << violation;
  return result;
}

TEST(PowerCuts, at_every_operation_of_one_member) {
  const PowerResult result = run({.members = 1});
  EXPECT_GT(result.cuts, 1000U);
  EXPECT_GT(result.cuts_while_starting, 50U);
}

TEST(PowerCuts, while_the_log_of_the_release_before_is_taken_over) {
  const PowerResult result =
      run({.members = 1, .stride = 3, .every_loss = false, .old_format = true});
  EXPECT_GT(result.cuts, 50U);
  EXPECT_GT(result.cuts_while_starting, 5U);
  EXPECT_GT(result.logs_taken_over, 50U);
}

/// All of them take minutes: `tools/sim power`.
TEST(PowerCuts, at_some_operations_of_three_members) {
  const PowerResult result = run({.members = 3, .stride = 7, .every_loss = false});
  EXPECT_GT(result.cuts, 50U);
}

TEST(PowerCutsDeathTest, a_disk_that_ignores_syncs_is_noticed) {
  EXPECT_DEATH(
      {
        const PowerResult result = cut_power_everywhere({.syncs_ignored = true});
        if (!result.violations.empty()) {
          std::fprintf(stderr, "broken promise: %s\n", result.violations.front().c_str());
          std::_Exit(1);
        }
      },
      "broken promise|lost|corrupt|missing");
}

}  // namespace
}  // namespace tripod::etcd::robustness
