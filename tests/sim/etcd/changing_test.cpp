#include "tests/sim/etcd/changing.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tripod::etcd::robustness {
namespace {

std::uint64_t seeds_wanted(std::uint64_t normally) {
  const char* wanted = std::getenv("TRIPOD_SEEDS");
  return wanted == nullptr ? normally : std::strtoull(wanted, nullptr, 10);
}

TEST(ChangingMembers, keep_what_was_acknowledged_and_agree) {
  ChangingResult total;
  for (std::uint64_t seed = 1; seed <= seeds_wanted(12); ++seed) {
    const ChangingResult result = run_changing({.seed = seed});
    for (const std::string& violation : result.violations) {
      ADD_FAILURE() << "seed " << seed << ": " << violation;
    }
    total.answered += result.answered;
    total.added += result.added;
    total.promoted += result.promoted;
    total.removed += result.removed;
    total.joined += result.joined;
    total.snapshots += result.snapshots;
    if (seed % 6 == 0) {
      EXPECT_EQ(run_changing({.seed = seed}).trace_hash, result.trace_hash) << "seed " << seed;
    }
  }
  std::printf("%zu writes, %zu added, %zu joined, %zu promoted, %zu removed, %zu snapshots\n",
              total.answered, total.added, total.joined, total.promoted, total.removed,
              total.snapshots);
  EXPECT_GT(total.joined, 5U);
  EXPECT_GT(total.removed, 5U);
  EXPECT_GT(total.snapshots, 5U);
}

}  // namespace
}  // namespace tripod::etcd::robustness
