#include "firmware/etcd/server/deadlines.h"

#include <gtest/gtest.h>

#include <set>

#include "platform/sim/board.h"

namespace tripod::etcd {
namespace {

using std::chrono::seconds;

class DeadlinesTest : public testing::Test {
 protected:
  sim::Simulation simulation_{1};
  sim::BoardQueue queue_{simulation_};
  sim::DriftingClock clock_{queue_};
  std::set<int> done_;
  std::vector<int> expired_;
  Deadlines<int> deadlines_{clock_, seconds(5), [this](int key) { return done_.contains(key); },
                            [this](int key) { expired_.push_back(key); }};
};

TEST_F(DeadlinesTest, each_is_told_of_once_its_patience_is_over) {
  deadlines_.add(1);
  simulation_.run_for(seconds(3));
  deadlines_.add(2);
  simulation_.run_for(seconds(3));
  EXPECT_EQ(expired_, std::vector<int>{1});
  simulation_.run_for(seconds(3));
  EXPECT_EQ(expired_, (std::vector<int>{1, 2}));
}

TEST_F(DeadlinesTest, the_queue_is_as_long_as_what_waits) {
  for (int key = 0; key < 1000; ++key) {
    deadlines_.add(key);
    if (key >= 10) done_.insert(key - 10);
  }
  EXPECT_LT(deadlines_.size(), 15U);
  deadlines_.add(1000);
  // One that waits holds those behind it, and is told of in its own time though the timer was made
  // for one that is gone.
  simulation_.run_for(seconds(4));
  for (int key = 1001; key < 1100; ++key) {
    deadlines_.add(key);
    done_.insert(key);
  }
  EXPECT_GT(deadlines_.size(), 99U);
  simulation_.run_for(seconds(2));
  EXPECT_EQ(expired_.back(), 1000);
  deadlines_.add(2000);
  EXPECT_EQ(deadlines_.size(), 1U);
  simulation_.run_for(seconds(6));
  EXPECT_EQ(expired_.back(), 2000);
}

}  // namespace
}  // namespace tripod::etcd
