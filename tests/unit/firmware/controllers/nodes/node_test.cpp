#include "firmware/controllers/garbage/pod_gc.h"
#include "firmware/controllers/nodes/node_health.h"
#include "tests/unit/firmware/controllers/cluster.h"

namespace tripod::controllers {
namespace {

struct NodeTest : ClusterTest {
  void node(const std::string& name) {
    api.put("nodes", parse(std::format(R"({{"metadata":{{"name":"{}"}},"status":{{"conditions":[
      {{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"{}"}}]}}}})",
                                       name, to_rfc3339(loop.wall_now()))));
    api.put("leases", parse(std::format(
                          R"({{"metadata":{{"name":"{}","namespace":"kube-node-lease"}},
        "spec":{{"renewTime":"x"}}}})",
                          name)));
  }
  void pod(const std::string& name, const std::string& on, int seconds) {
    api.put("pods",
            parse(std::format(
                R"({{"metadata":{{"name":"{}","namespace":"default"}},"spec":{{"nodeName":"{}",
        "containers":[{{"name":"c"}}],
      "tolerations":[{{"key":"node.kubernetes.io/unreachable","operator":"Exists",
        "effect":"NoExecute","tolerationSeconds":{}}}]}},
      "status":{{"phase":"Running","conditions":[{{"type":"Ready","status":"True"}}]}}}})",
                name, on, seconds)));
  }
  /// The kubelets of these nodes renew their leases for so long.
  void live(Duration span, std::vector<std::string> names) {
    const MonotonicTime end = loop.now() + span;
    while (loop.now() < end) {
      for (const std::string& name : names) {
        api.modify("leases", "kube-node-lease/" + name, [&](json::Value& lease) {
          json::set(lease, {"spec", "renewTime"}, json::Value(to_rfc3339_micro(loop.wall_now())));
        });
      }
      loop.run_for(10s);
    }
  }
  std::string ready(const std::string& name) {
    return std::string(kube::condition_status(*api.find("nodes", name), "Ready"));
  }
  std::string taints(const std::string& name) {
    std::string text;
    if (const json::Array* all = json::get_array(*api.find("nodes", name), "spec", "taints")) {
      for (const json::Value& each : *all)
        text +=
            std::format("{}:{} ", json::get_string(each, "key"), json::get_string(each, "effect"));
    }
    return text;
  }
};

TEST_F(NodeTest, silent_node_is_tainted_and_its_pods_are_evicted_in_time) {
  node("a");
  node("b");
  pod("short", "a", 60);
  pod("long", "a", 100'000);
  pod("elsewhere", "b", 0);
  start("a", Config{});
  live(40s, {"a", "b"});
  EXPECT_EQ(ready("a"), "True");
  live(40s, {"b"});
  EXPECT_EQ(ready("a"), "True");  // not yet: the grace period is 50 s
  live(30s, {"b"});
  EXPECT_EQ(ready("a"), "Unknown");
  EXPECT_EQ(taints("a"),
            "node.kubernetes.io/unreachable:NoSchedule node.kubernetes.io/unreachable:NoExecute ");
  EXPECT_EQ(kube::condition_status(*api.find("pods", "default/short"), "Ready"), "False");
  EXPECT_FALSE(kube::is_deleting(*api.find("pods", "default/short")));
  live(90s, {"b"});
  EXPECT_TRUE(kube::is_deleting(*api.find("pods", "default/short")));
  EXPECT_FALSE(kube::is_deleting(*api.find("pods", "default/long")));
  EXPECT_FALSE(kube::is_deleting(*api.find("pods", "default/elsewhere")));
  EXPECT_EQ(count_events("NodeNotReady") > 0, true);
  // The node comes back: its taints go.
  api.modify("nodes", "a", [&](json::Value& object) {
    json::find(object, "status", "conditions")->as_array()[0].as_object()["status"] = "True";
  });
  live(20s, {"a", "b"});
  EXPECT_EQ(taints("a"), "");
}

TEST_F(NodeTest, when_all_nodes_are_silent_nothing_is_evicted) {
  node("a");
  node("b");
  pod("p", "a", 0);
  start("a", Config{});
  live(30s, {"a", "b"});
  loop.run_for(300s);
  EXPECT_EQ(ready("a"), "Unknown");
  EXPECT_EQ(ready("b"), "Unknown");
  EXPECT_EQ(taints("a"), "node.kubernetes.io/unreachable:NoSchedule ");
  EXPECT_FALSE(kube::is_deleting(*api.find("pods", "default/p")));
}

TEST_F(NodeTest, cordon_is_a_taint) {
  node("a");
  start("a", Config{});
  live(20s, {"a"});
  api.modify("nodes", "a",
             [](json::Value& object) { json::set(object, {"spec", "unschedulable"}, true); });
  live(20s, {"a"});
  EXPECT_EQ(taints("a"), "node.kubernetes.io/unschedulable:NoSchedule ");
}

TEST_F(NodeTest, pods_of_a_vanished_node_are_removed) {
  node("a");
  pod("p", "a", 1000);
  pod("q", "gone", 1000);
  start("a", Config{});
  live(120s, {"a"});
  EXPECT_TRUE(api.find("pods", "default/p") != nullptr);
  EXPECT_TRUE(api.find("pods", "default/q") == nullptr);
}

TEST(NodeHealth, tolerations_bound_the_stay) {
  const WallTime now{std::chrono::seconds(1'790'000'000)};
  auto value = [](std::string_view text) { return *json::parse(text); };
  const json::Value node = value(std::format(
      R"({{"spec":{{"taints":[{{"key":"k","effect":"NoExecute","timeAdded":"{}"}},{{"key":"n",
        "effect":"NoSchedule"}}]}}}})",
      to_rfc3339(now)));
  auto stay = [&](std::string_view tolerations) {
    return tolerated_for(value(std::format(R"({{"spec":{{"tolerations":{}}}}})", tolerations)),
                         node, now + 10s);
  };
  EXPECT_EQ(stay("[]"), Duration::zero());
  EXPECT_EQ(stay(R"([{"operator":"Exists"}])"), std::nullopt);
  EXPECT_EQ(stay(R"([{"key":"k","operator":"Exists","tolerationSeconds":30}])"), Duration(20s));
  EXPECT_EQ(stay(R"([{"key":"k","operator":"Exists","tolerationSeconds":5}])"), Duration::zero());
  EXPECT_EQ(stay(R"([{"key":"k","operator":"Equal","value":"x"}])"), Duration::zero());
}

TEST(PodGc, removes_the_oldest_finished_pods_above_the_threshold) {
  PodGcView view{.pods = {}, .nodes = {}, .missing_since = {}, .terminated_max = 2};
  for (int i = 0; i < 4; ++i) {
    view.pods.push_back(std::make_shared<const json::Value>(*json::parse(std::format(
        R"({{"metadata":{{"name":"p{0}","uid":"{0}",
        "creationTimestamp":"2026-01-0{1}T00:00:00Z"}},"status":{{"phase":"Succeeded"}}}})",
        i, 4 - i))));
  }
  Decision decision = collect_pods(view, MonotonicTime{});
  ASSERT_EQ(decision.writes.size(), 2U);
  EXPECT_EQ(decision.writes[0].name, "p3");
  EXPECT_EQ(decision.writes[1].name, "p2");
}

}  // namespace
}  // namespace tripod::controllers
