#include "firmware/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include "firmware/kube/client/objects.h"
#include "firmware/scheduler/place.h"
#include "firmware/scheduler/queue.h"
#include "tests/unit/firmware/support/memory_api.h"
#include "tests/unit/firmware/support/test_world.h"

namespace tripod::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{100s};

json::Value parse(std::string_view text) {
  auto value = json::parse(text);
  CHECK(value.has_value(), text);
  return *value;
}

TEST(Queue, gives_the_most_important_then_the_oldest) {
  Queue queue;
  queue.add("old", 0, start);
  queue.add("new", 0, start);
  queue.add("vip", 10, start);
  EXPECT_EQ(queue.pop(start), "vip");
  EXPECT_EQ(queue.pop(start), "old");
  EXPECT_EQ(queue.pop(start), "new");
  EXPECT_EQ(queue.pop(start), std::nullopt);
}

TEST(Queue, backs_off_longer_after_each_failure) {
  Queue queue;
  queue.add("a", 0, start);
  MonotonicTime now = start;
  for (auto wait : {1s, 2s, 4s, 8s, 10s, 10s}) {
    ASSERT_EQ(queue.pop(now), "a");
    queue.report_failure("a", now);
    EXPECT_EQ(queue.pop(now + wait - 1ms), std::nullopt);
    now += wait;
  }
}

TEST(Queue, unschedulable_waits_for_a_change_or_five_minutes) {
  Queue queue;
  queue.add("a", 0, start);
  ASSERT_EQ(queue.pop(start), "a");
  queue.report_unschedulable("a", start);
  EXPECT_EQ(queue.pop(start + 60s), std::nullopt);
  queue.move_all(start + 60s);
  ASSERT_EQ(queue.pop(start + 60s), "a");
  queue.report_unschedulable("a", start + 60s);
  EXPECT_EQ(queue.pop(start + 359s), std::nullopt);
  EXPECT_EQ(queue.pop(start + 360s), "a");
}

TEST(Queue, answers_about_a_pod_that_was_replaced_meanwhile_do_not_touch_the_new_one) {
  Queue queue;
  queue.add("a", 0, start);
  ASSERT_EQ(queue.pop(start), "a");
  queue.remove("a");
  queue.add("a", 0, start);
  queue.report_failure("a", start);
  queue.done("a");
  EXPECT_EQ(queue.pop(start), "a");
}

TEST(Place, is_the_same_for_the_same_seed_and_spreads_over_seeds) {
  Nodes nodes;
  for (const char* name : {"a", "b", "c"}) {
    nodes[name].read(parse(std::format(
        R"({{"metadata":{{"name":"{}"}},"status":{{"allocatable":{{"cpu":"1","memory":"1Gi",
        "pods":"10"}}}}}})",
        name)));
  }
  PodInfo pod =
      PodInfo::parse(parse(R"({"metadata":{"name":"p","uid":"u"},"spec":{"containers":[{}]}})"));
  std::set<std::string> chosen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(place(nodes, pod, seed).node, place(nodes, pod, seed).node);
    chosen.insert(place(nodes, pod, seed).node);
  }
  EXPECT_EQ(chosen.size(), 3U);
}

TEST(Place, reads_required_and_preferred_affinity) {
  Nodes nodes;
  for (const char* name : {"a", "b"}) {
    nodes[name].read(
        parse(std::format(R"({{"metadata":{{"name":"{0}","labels":{{"zone":"{0}","cores":"4"}}}},
      "status":{{"allocatable":{{"cpu":"1","memory":"1Gi","pods":"10"}}}}}})",
                          name)));
  }
  auto with = [](std::string_view affinity) {
    return PodInfo::parse(parse(std::format(
        R"({{"metadata":{{"name":"p","uid":"u"}},"spec":{{"affinity":{{"nodeAffinity":{}}},
        "containers":[{{}}]}}}})",
        affinity)));
  };
  EXPECT_EQ(
      place(nodes, with(R"({"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
    {"matchExpressions":[{"key":"zone","operator":"NotIn","values":["a"]},{"key":"cores",
        "operator":"Gt","values":["3"]}]}]}})"),
            1)
          .node,
      "b");
  EXPECT_EQ(
      place(nodes, with(R"({"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
    {"matchFields":[{"key":"metadata.name","operator":"In","values":["a"]}]}]}})"),
            1)
          .node,
      "a");
  EXPECT_EQ(
      place(nodes, with(R"({"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
    {"matchExpressions":[{"key":"cores","operator":"Lt","values":["4"]}]}]}})"),
            1)
          .node,
      "");
  EXPECT_EQ(place(nodes, with(R"({"preferredDuringSchedulingIgnoredDuringExecution":[
    {"weight":50,"preference":{"matchExpressions":[{"key":"zone","operator":"In","values":[
        "b"]}]}}]})"),
                  1)
                .node,
            "b");
}

TEST(Resources, counts_init_containers_sidecars_and_overhead) {
  Resources sum = requests_of(parse(R"({"spec":{"overhead":{"cpu":"50m"},
    "initContainers":[{"resources":{"requests":{"cpu":"100m"}},"restartPolicy":"Always"},
        {"resources":{"requests":{"cpu":"1","memory":"1Mi"}}}],
    "containers":[{"resources":{"requests":{"cpu":"300m","example.com/gpu":"2"}}},
        {"resources":{"requests":{"cpu":"0.2"}}}]}})"));
  EXPECT_EQ(sum.cpu_milli, 1150);
  EXPECT_EQ(sum.memory_bytes, 1 << 20);
  EXPECT_EQ(sum.extended["example.com/gpu"], 2);
}

struct SchedulerTest : testing::Test {
  void SetUp() override {
    scheduler = std::make_unique<Scheduler>(api, world.world, Config{}, &metrics);
    scope = std::make_unique<Scope>(loop);
    scope->spawn(scheduler->run());
  }
  void TearDown() override {
    api.intercept = {};
    scope->cancel();
    loop.run_for(5s);
    EXPECT_TRUE(scope->idle());
  }
  void node(std::string_view name, int cpu) {
    api.put(
        "nodes",
        parse(std::format(
            R"({{"metadata":{{"name":"{}"}},"status":{{"allocatable":{{"cpu":"{}","memory":"8Gi",
        "pods":"110"}}}}}})",
            name, cpu)));
  }
  void pod(std::string_view name, std::string_view cpu) {
    api.put("pods",
            parse(std::format(
                R"({{"metadata":{{"name":"{}","namespace":"default"}},"spec":{{"containers":[
        {{"name":"c","resources":{{"requests":{{"cpu":"{}"}}}}}}]}}}})",
                name, cpu)));
  }
  std::string where(std::string_view name) {
    return std::string(
        json::get_string(*api.find("pods", std::format("default/{}", name)), "spec", "nodeName"));
  }
  std::vector<std::string> events(std::string_view reason) {
    std::vector<std::string> messages;
    for (const json::Value& event : api.list("events")) {
      if (json::get_string(event, "reason") == reason)
        messages.emplace_back(json::get_string(event, "message"));
    }
    return messages;
  }

  test::VirtualLoop loop;
  test::MemoryApi api{loop, loop};
  test::TestWorld world{loop, "board"};
  metrics::Registry metrics;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Scope> scope;
};

TEST_F(SchedulerTest, binds_pods_and_says_so) {
  node("node-1", 2);
  pod("web", "500m");
  ASSERT_TRUE(loop.run_until([&] { return where("web") == "node-1"; }, 10s));
  ASSERT_TRUE(loop.run_until([&] { return !events("Scheduled").empty(); }, 10s));
  EXPECT_EQ(events("Scheduled")[0], "Successfully assigned default/web to node-1");
}

TEST_F(SchedulerTest, never_overcommits_even_when_all_come_at_once) {
  node("node-1", 2);
  node("node-2", 2);
  for (int i = 0; i < 10; ++i) pod(std::format("p{}", i), "1");
  loop.run_for(20s);
  std::map<std::string, int> counts;
  for (int i = 0; i < 10; ++i) ++counts[where(std::format("p{}", i))];
  EXPECT_EQ(counts["node-1"], 2);
  EXPECT_EQ(counts["node-2"], 2);
  EXPECT_EQ(counts[""], 6);
}

TEST_F(SchedulerTest, explains_why_not_and_tries_again_when_a_node_comes) {
  node("node-1", 1);
  pod("big", "3");
  ASSERT_TRUE(loop.run_until([&] { return !events("FailedScheduling").empty(); }, 10s));
  EXPECT_EQ(events("FailedScheduling")[0], "0/1 nodes are available: 1 Insufficient cpu.");
  loop.run_for(2s);
  const json::Value* condition = kube::condition(*api.find("pods", "default/big"), "PodScheduled");
  ASSERT_TRUE(condition);
  EXPECT_EQ(json::get_string(*condition, "status"), "False");
  EXPECT_EQ(json::get_string(*condition, "reason"), "Unschedulable");
  node("node-2", 4);
  ASSERT_TRUE(loop.run_until([&] { return where("big") == "node-2"; }, 15s));
}

TEST_F(SchedulerTest, freed_room_is_used) {
  node("node-1", 1);
  pod("first", "1");
  ASSERT_TRUE(loop.run_until([&] { return where("first") == "node-1"; }, 10s));
  pod("second", "1");
  loop.run_for(5s);
  EXPECT_EQ(where("second"), "");
  api.remove("pods", "default/first");
  ASSERT_TRUE(loop.run_until([&] { return where("second") == "node-1"; }, 15s));
}

TEST_F(SchedulerTest, failed_and_lost_bindings_are_tried_again) {
  node("node-1", 4);
  int calls = 0;
  api.intercept = [&](const http::RequestHead& head) {
    return head.path.ends_with("/binding") && ++calls == 1 ? 500 : 0;
  };
  int lost = 0;
  api.lose_answer = [&](const http::RequestHead& head) {
    return head.path.ends_with("/binding") && ++lost == 1;
  };
  pod("a", "1");
  pod("b", "1");
  ASSERT_TRUE(
      loop.run_until([&] { return where("a") == "node-1" && where("b") == "node-1"; }, 30s));
}

TEST_F(SchedulerTest, leaves_gated_and_foreign_pods_alone) {
  node("node-1", 4);
  api.put("pods",
          parse(
              R"({"metadata":{"name":"gated","namespace":"default"},"spec":{"schedulingGates":[
        {"name":"x"}],"containers":[{}]}})"));
  api.put(
      "pods",
      parse(
          R"({"metadata":{"name":"foreign","namespace":"default"},"spec":{"schedulerName":"mine",
        "containers":[{}]}})"));
  loop.run_for(5s);
  EXPECT_EQ(where("gated") + where("foreign"), "");
  api.modify("pods", "default/gated",
             [](json::Value& object) { json::erase(object, {"spec", "schedulingGates"}); });
  ASSERT_TRUE(loop.run_until([&] { return where("gated") == "node-1"; }, 10s));
}

}  // namespace
}  // namespace tripod::scheduler
