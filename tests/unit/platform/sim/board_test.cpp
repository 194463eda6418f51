#include "platform/sim/board.h"

#include <gtest/gtest.h>

namespace tripod::sim {
namespace {

class BoardTest : public testing::Test {
 protected:
  Simulation simulation_{7};
  Links links_{simulation_};
  SimFabric fabric_{simulation_, links_};
  SimBoard board_{simulation_, fabric_, "board", "10.0.0.1"};
};

TEST_F(BoardTest, timers_follow_the_boards_own_clock) {
  board_.clock().set_rate(2);
  MonotonicTime start = simulation_.now();
  bool fired = false;
  auto timer = board_.clock().call_at(board_.clock().now() + std::chrono::seconds(10),
                                      [&] { fired = true; });
  simulation_.run_for(std::chrono::milliseconds(4999));
  EXPECT_FALSE(fired);
  simulation_.run_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(fired);
  EXPECT_EQ(simulation_.now() - start, std::chrono::milliseconds(5001));
}

TEST_F(BoardTest, a_clock_that_slows_down_delays_what_is_set) {
  bool fired = false;
  auto timer =
      board_.clock().call_at(board_.clock().now() + std::chrono::seconds(1), [&] { fired = true; });
  board_.clock().set_rate(0.5);
  simulation_.run_for(std::chrono::milliseconds(1900));
  EXPECT_FALSE(fired);
  simulation_.run_for(std::chrono::milliseconds(200));
  EXPECT_TRUE(fired);
}

TEST_F(BoardTest, a_destroyed_timer_and_a_powered_off_board_stay_silent) {
  int fired = 0;
  auto first =
      board_.clock().call_at(board_.clock().now() + std::chrono::seconds(1), [&] { ++fired; });
  auto second =
      board_.clock().call_at(board_.clock().now() + std::chrono::seconds(1), [&] { ++fired; });
  first.reset();
  simulation_.run_for(std::chrono::seconds(2));
  EXPECT_EQ(fired, 1);
  board_.queue().post([&] { ++fired; });
  board_.power_off();
  simulation_.run_for(std::chrono::seconds(2));
  EXPECT_EQ(fired, 1);
}

TEST_F(BoardTest, a_paused_board_catches_up_when_it_resumes) {
  int fired = 0;
  board_.queue().set_paused(true);
  board_.queue().post([&] { ++fired; });
  simulation_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(fired, 0);
  board_.queue().set_paused(false);
  simulation_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(fired, 1);
}

TEST_F(BoardTest, a_lane_works_one_job_at_a_time_and_answers_on_the_loop) {
  std::string order;
  board_.storage_lane().run([&] { order += "a"; }, [&] { order += "A"; });
  board_.storage_lane().run([&] { order += "b"; }, [&] { order += "B"; });
  simulation_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(order, "aAbB");
}

TEST_F(BoardTest, storage_replaces_reads_and_lists) {
  os::World world = board_.world();
  ASSERT_TRUE(world.storage.replace_file("/etc/a", "one", 0600));
  ASSERT_TRUE(world.storage.replace_file("/etc/b/c", "two", 0600));
  EXPECT_EQ(world.storage.read_file("/etc/a", 100).value(), "one");
  EXPECT_EQ(world.storage.read_file("/etc/a", 2).error().code, ErrorCode::too_large);
  EXPECT_EQ(world.storage.list("/etc").value(), (std::vector<std::string>{"a", "b"}));
  board_.disk().crash();
  EXPECT_EQ(world.storage.read_file("/etc/a", 100).value(), "one");
}

TEST(Simulation, the_same_seed_gives_the_same_trace) {
  auto run = [](std::uint64_t seed) {
    Simulation simulation(seed);
    for (int i = 0; i < 100; ++i) {
      simulation.at(simulation.now() + simulation.random().between(Duration(0), Duration(1000)),
                    [&simulation, i] { simulation.trace(std::format("event {}", i)); });
    }
    simulation.run_for(std::chrono::seconds(1));
    return simulation.trace_hash();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace tripod::sim
