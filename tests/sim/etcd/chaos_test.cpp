#include "tests/sim/etcd/chaos.h"

#include <gtest/gtest.h>

#include <format>

namespace tripod::etcd::robustness {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// Shares of the seeds, so that they can run side by side.
class EtcdSimulation : public testing::TestWithParam<std::uint64_t> {};

TEST_P(EtcdSimulation, every_seed_keeps_every_promise_and_repeats_exactly) {
  constexpr std::uint64_t share = 5;
  RunResult sum;
  for (std::uint64_t seed = GetParam() * share + 1; seed <= (GetParam() + 1) * share; ++seed) {
    const RunResult first = run({.seed = seed});
    ASSERT_TRUE(first.violations.empty()) << "etcd_sim --seed " << seed << "\n"
                                          << joined(first.violations);
    sum.answered += first.answered;
    sum.crashes += first.crashes;
    sum.crashes_in_a_write += first.crashes_in_a_write;
    sum.disk_errors += first.disk_errors;
    sum.hand_overs += first.hand_overs;
    sum.comparisons += first.comparisons;
    sum.logs_taken_over += first.logs_taken_over;
    sum.compacted = std::max(sum.compacted, first.compacted);
    if (seed % 5 != 0) continue;
    ASSERT_EQ(run({.seed = seed}).trace_hash, first.trace_hash) << seed << " does not repeat";
  }
  // The runs must have done something worth checking.
  EXPECT_GT(sum.answered, share * 50);
  EXPECT_GT(sum.crashes, share);
  // Five seeds may well do without one of these.
  EXPECT_GT(sum.crashes_in_a_write + sum.disk_errors + sum.hand_overs, 2U);
  EXPECT_GT(sum.comparisons, share);
  EXPECT_GT(sum.logs_taken_over, 0U);
  EXPECT_GT(sum.compacted, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, EtcdSimulation, testing::Range<std::uint64_t>(0, 4));

/// Ends the process at the first broken promise, as a CHECK in a member does.
void run_until_caught(Fault fault) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const RunResult result = run({.seed = seed, .fault = fault});
    if (result.violations.empty()) continue;
    std::fprintf(stderr, "seed %llu: broken promise: %s", static_cast<unsigned long long>(seed),
                 joined(result.violations).c_str());
    std::_Exit(1);
  }
}

TEST(EtcdSimulationDeathTest, a_disk_that_ignores_syncs_is_noticed) {
  EXPECT_DEATH(run_until_caught(Fault::disk_ignores_syncs), "broken promise|lost|corrupt|missing");
}

TEST(EtcdSimulationDeathTest, reads_from_one_member_alone_are_noticed) {
  EXPECT_DEATH(run_until_caught(Fault::reads_are_stale), "had been told of");
}

TEST(EtcdSimulationDeathTest, an_event_dropped_at_reconnect_is_noticed) {
  EXPECT_DEATH(run_until_caught(Fault::watch_resumes_too_late), "was never told|told of");
}

}  // namespace
}  // namespace tripod::etcd::robustness
