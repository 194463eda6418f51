#include <gtest/gtest.h>

#include <cstdio>
#include <format>

#include "tests/sim/raft/cluster.h"

namespace tripod::etcd::raft::sim {
namespace {

constexpr std::uint64_t seeds = 200;

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// Every fourth seed has five members.
RunOptions options_of(std::uint64_t seed) {
  RunOptions options;
  options.seed = seed;
  options.nodes = seed % 4 == 0 ? 5 : 3;
  return options;
}

/// Quarters of the seeds, so that they can run side by side.
class RaftSimulation : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RaftSimulation, every_seed_keeps_every_promise_and_repeats_exactly) {
  constexpr std::uint64_t share = seeds / 4;
  std::size_t acknowledged = 0;
  std::size_t reads = 0;
  std::size_t terms = 0;
  std::uint64_t first_seed = GetParam() * share + 1;
  for (std::uint64_t seed = first_seed; seed < first_seed + share; ++seed) {
    RunResult first = run(options_of(seed));
    ASSERT_TRUE(first.violations.empty()) << "raft_sim --seed " << seed << "\n"
                                          << joined(first.violations);
    acknowledged += first.acknowledged;
    reads += first.reads;
    terms += first.terms_led;
    RunResult second = run(options_of(seed));
    ASSERT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed << " does not repeat";
  }
  // The runs must have done something worth checking.
  EXPECT_GT(acknowledged, share * 20);
  EXPECT_GT(reads, share * 5);
  EXPECT_GT(terms, share * 3 / 2);
  std::printf("%zu writes acknowledged, %zu reads, %zu terms led\n", acknowledged, reads, terms);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RaftSimulation, testing::Range<std::uint64_t>(0, 4));

/// Ends the process at the first broken promise, as a CHECK in the core does.
void run_until_caught(Fault fault, std::uint64_t first_seed) {
  for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    RunOptions options = options_of(seed);
    options.fault = fault;
    options.chaos = std::chrono::seconds(6);
    RunResult result = run(options);
    if (result.violations.empty()) continue;
    std::fprintf(stderr, "seed %llu: broken promise: %s", static_cast<unsigned long long>(seed),
                 joined(result.violations).c_str());
    std::_Exit(1);
  }
}

TEST(RaftSimulationDeathTest, a_member_that_says_persisted_too_early_is_caught) {
  EXPECT_DEATH(run_until_caught(Fault::lie_about_persisted, 1),
               "broken promise|data of this member were lost");
}

TEST(RaftSimulationDeathTest, a_member_that_forgets_its_term_is_caught) {
  EXPECT_DEATH(run_until_caught(Fault::forget_hard_state, 1),
               "broken promise: .* does not start: corrupt");
}

TEST(RaftSimulationDeathTest, a_member_that_forgets_its_vote_is_caught) {
  EXPECT_DEATH(run_until_caught(Fault::forget_vote, 100), "voted twice in term|both lead term");
}

}  // namespace
}  // namespace tripod::etcd::raft::sim
