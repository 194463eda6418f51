#include "firmware/election/elect.h"

#include <gtest/gtest.h>

#include "firmware/election/elector.h"
#include "tests/unit/firmware/support/memory_api.h"
#include "tests/unit/firmware/support/test_world.h"

namespace tripod::election {
namespace {

using namespace std::chrono_literals;

constexpr WallTime wall{std::chrono::seconds(1'790'000'000)};
constexpr MonotonicTime start{100s};

Record held_by(std::string who) {
  return {.holder_identity = std::move(who),
          .lease_duration_seconds = 15,
          .acquire_time = wall,
          .renew_time = wall,
          .transitions = 3};
}

TEST(Elect, makes_the_record_when_there_is_none) {
  Action action = elect({"a"}, std::nullopt, std::nullopt, start, wall);
  EXPECT_EQ(action.step, Step::create);
  EXPECT_EQ(action.desired.holder_identity, "a");
  EXPECT_EQ(action.desired.transitions, 0);
}

TEST(Elect, waits_until_the_lease_has_not_changed_for_its_duration) {
  Record record = held_by("b");
  std::optional<Observed> seen = observe({}, record, start);
  EXPECT_EQ(elect({"a"}, record, seen, start + 14s, wall).step, Step::wait);
  EXPECT_EQ(elect({"a"}, record, seen, start + 15s, wall).step, Step::acquire);
}

TEST(Elect, renewal_by_the_holder_restarts_the_wait) {
  Record record = held_by("b");
  std::optional<Observed> seen = observe({}, record, start);
  record.renew_time = wall + 5s;
  seen = observe(seen, record, start + 10s);
  EXPECT_EQ(elect({"a"}, record, seen, start + 20s, wall).step, Step::wait);
  seen = observe(seen, record, start + 24s);  // the same again: nothing new was seen
  EXPECT_EQ(elect({"a"}, record, seen, start + 25s, wall).step, Step::acquire);
}

TEST(Elect, does_not_trust_the_times_that_others_wrote) {
  Record record = held_by("b");
  record.renew_time = wall - 24h;
  std::optional<Observed> seen = observe({}, record, start);
  EXPECT_EQ(elect({"a"}, record, seen, start + 1s, wall).step, Step::wait);
}

TEST(Elect, takes_a_released_lease_at_once_and_counts_the_transition) {
  Record record = released(held_by("b"), wall);
  EXPECT_EQ(record.holder_identity, "");
  EXPECT_EQ(record.lease_duration_seconds, 1);
  Action action = elect({"a"}, record, observe({}, record, start), start, wall);
  EXPECT_EQ(action.step, Step::acquire);
  EXPECT_EQ(action.desired.transitions, 4);
}

TEST(Elect, renewing_keeps_acquire_time_and_transitions) {
  Record record = held_by("a");
  Action action = elect({"a"}, record, observe({}, record, start), start + 1h, wall + 1h);
  EXPECT_EQ(action.step, Step::renew);
  EXPECT_EQ(action.desired.acquire_time, wall);
  EXPECT_EQ(action.desired.renew_time, wall + 1h);
  EXPECT_EQ(action.desired.transitions, 3);
}

TEST(Elect, record_survives_lease_and_annotation) {
  Record record = held_by("a_x");
  json::Value lease = json::Object();
  to_lease(record, lease);
  EXPECT_EQ(from_lease(lease), record);
  EXPECT_EQ(json::get_string(lease, "spec", "renewTime"), to_rfc3339_micro(wall));
  EXPECT_EQ(from_annotation(to_annotation(record)), record);
}

// --- the flow, two candidates on one API ---

struct Worker final : Elected {
  explicit Worker(os::Clock& clock_) : clock(clock_) {}
  Task<void> lead() override {
    working = true;
    ++terms;
    async::Oneshot<void> never;
    (void)co_await never;
    working = false;
    stopped_at = clock.now();
  }
  os::Clock& clock;
  bool working = false;
  int terms = 0;
  MonotonicTime stopped_at{};
};

struct Board {
  Board(test::VirtualLoop& loop, http::Transport& transport, const std::string& name)
      : world(loop, name),
        client(transport, loop, {.timeout = std::chrono::seconds(5)}),
        elector(client, world.entropy, Logger(world.log, "election"),
                {.resource_name = "kube-scheduler", .identity = name + "_1"}),
        worker(loop),
        scope(loop) {
    scope.spawn(elector.run(worker, nullptr));
  }
  test::TestWorld world;
  kube::Client client;
  Elector elector;
  Worker worker;
  Scope scope;
};

struct ElectorTest : testing::Test {
  void TearDown() override {
    api.intercept = {};
    a.scope.cancel();
    b.scope.cancel();
    loop.run_for(5s);
    EXPECT_TRUE(a.scope.idle() && b.scope.idle());
  }
  Board& leader() { return a.worker.working ? a : b; }
  Board& follower() { return a.worker.working ? b : a; }

  test::VirtualLoop loop;
  test::MemoryApi api{loop, loop};
  Board a{loop, api, "a"};
  Board b{loop, api, "b"};
};

TEST_F(ElectorTest, exactly_one_leads_and_keeps_leading) {
  for (int second = 0; second < 120; ++second) {
    loop.run_for(1s);
    EXPECT_NE(a.worker.working, b.worker.working) << second;
  }
  EXPECT_EQ(a.worker.terms + b.worker.terms, 1);
  EXPECT_TRUE(leader().elector.may_write());
  EXPECT_FALSE(follower().elector.may_write());
}

TEST_F(ElectorTest, clean_stop_hands_over_at_once) {
  loop.run_for(5s);
  Board& first = leader();
  Board& second = follower();
  first.scope.cancel();
  loop.run_for(1ms);  // no retry_period
  EXPECT_FALSE(first.worker.working);
  EXPECT_TRUE(second.worker.working);
  EXPECT_EQ(from_lease(*api.find("leases", "kube-system/kube-scheduler")).transitions, 1);
}

TEST_F(ElectorTest, without_a_watch_hands_over_within_one_retry) {
  api.intercept = [&](const http::RequestHead& head) {
    return head.query.contains("watch=") ? 503 : 0;
  };
  loop.run_for(5s);
  Board& first = leader();
  Board& second = follower();
  first.scope.cancel();
  loop.run_for(1ms);
  EXPECT_EQ(from_lease(*api.find("leases", "kube-system/kube-scheduler")).holder_identity, "");
  EXPECT_FALSE(second.worker.working);
  loop.run_for(5s);  // retry_period with its jitter
  EXPECT_TRUE(second.worker.working);
}

TEST_F(ElectorTest, leader_without_api_stops_before_the_other_starts) {
  loop.run_for(5s);
  Board& first = leader();
  Board& second = follower();
  bool isolated = true;
  // Updates of the lease do not get through, reads do.
  api.intercept = [&](const http::RequestHead& head) {
    return isolated && head.method == "PUT" ? -1 : 0;
  };
  ASSERT_TRUE(loop.run_until([&] { return !first.worker.working; }, 15s));
  isolated = false;
  EXPECT_FALSE(second.worker.working);
  EXPECT_FALSE(first.elector.may_write());
  ASSERT_TRUE(loop.run_until([&] { return a.worker.working || b.worker.working; }, 30s));
}

TEST_F(ElectorTest, process_that_slept_through_its_lease_may_not_write) {
  loop.run_for(5s);
  Board& first = leader();
  EXPECT_TRUE(first.elector.may_write());
  loop.jump(11s);
  EXPECT_FALSE(first.elector.may_write());
}

TEST(ElectorConfig, refuses_periods_that_contradict) {
  EXPECT_TRUE(Config{}.validate().has_value());
  EXPECT_FALSE(Config{.renew_deadline = std::chrono::milliseconds(15'000)}.validate().has_value());
  EXPECT_FALSE(Config{.retry_period = std::chrono::milliseconds(9'000)}.validate().has_value());
}

}  // namespace
}  // namespace tripod::election
