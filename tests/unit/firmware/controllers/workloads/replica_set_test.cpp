#include "firmware/controllers/workloads/replica_set.h"

#include "firmware/controllers/ownership/names.h"
#include "firmware/controllers/workloads/pod_ranking.h"
#include "tests/unit/firmware/controllers/cluster.h"

namespace tripod::controllers {
namespace {

struct ReplicaSetTest : ClusterTest {
  void make(int replicas, std::string_view name = "web") {
    api.put("replicasets", parse(std::format(R"({{"metadata":{{"name":"{}","namespace":"default"}},
      "spec":{{"replicas":{},"selector":{{"matchLabels":{{"app":"web"}}}},
      "template":{{"metadata":{{"labels":{{"app":"web"}}}},"spec":{{"containers":[{{"name":"c",
        "image":"nginx"}}]}}}}}}}})",
                                             name, replicas)));
  }
  void scale(int replicas) {
    api.modify("replicasets", "default/web", [&](json::Value& set) {
      json::set(set, {"spec", "replicas"}, json::Value(replicas));
    });
  }
  std::string uid() { return std::string(kube::uid_of(*api.find("replicasets", "default/web"))); }
};

TEST_F(ReplicaSetTest, makes_pods_and_reports_them) {
  make(3);
  start();
  ASSERT_TRUE(
      settle([&] { return status("replicasets", "default/web", "availableReplicas") == 3; }));
  EXPECT_EQ(api.list("pods").size(), 3U);
  EXPECT_EQ(status("replicasets", "default/web", "replicas"), 3);
  EXPECT_EQ(status("replicasets", "default/web", "fullyLabeledReplicas"), 3);
  EXPECT_EQ(status("replicasets", "default/web", "observedGeneration"), 1);
  EXPECT_EQ(count_events("SuccessfulCreate"), 3U);
  const json::Value pod = api.list("pods")[0];
  EXPECT_EQ(json::get_string(pod, "metadata", "generateName"), "web-");
  EXPECT_EQ(kube::controller_of(pod)->kind, "ReplicaSet");
  EXPECT_TRUE(kube::controller_of(pod)->block_owner_deletion);
  EXPECT_EQ(api.most_pods[uid()], 3);
}

TEST_F(ReplicaSetTest, replaces_deleted_pods_and_scales_both_ways) {
  make(2);
  start();
  ASSERT_TRUE(settle([&] { return status("replicasets", "default/web", "readyReplicas") == 2; }));
  const std::string victim = kube::key_of(api.list("pods")[0]);
  api.remove("pods", victim);
  ASSERT_TRUE(settle([&] {
    return api.list("pods").size() == 2 &&
           status("replicasets", "default/web", "readyReplicas") == 2;
  }));
  scale(5);
  ASSERT_TRUE(settle([&] { return status("replicasets", "default/web", "readyReplicas") == 5; }));
  scale(1);
  ASSERT_TRUE(settle([&] {
    return status("replicasets", "default/web", "replicas") == 1 && api.list("pods").size() == 1;
  }));
  EXPECT_EQ(api.most_pods[uid()], 5);
}

TEST_F(ReplicaSetTest, names_of_deleted_pods_do_not_come_back) {
  make(3);
  start();
  std::set<std::string> seen;
  const auto meet = [&](std::size_t count) {
    ASSERT_TRUE(settle([&] { return api.list("pods").size() == count; }));
    for (const json::Value& pod : api.list("pods")) {
      EXPECT_TRUE(seen.insert(std::string(kube::name_of(pod))).second) << kube::name_of(pod);
    }
  };
  meet(3);
  for (int round = 0; round < 3; ++round) {
    for (const json::Value& pod : api.list("pods")) api.remove("pods", kube::key_of(pod));
    meet(3);
  }
  scale(0);
  meet(0);
  scale(4);
  meet(4);
}

TEST(GoneNames, keeps_the_latest) {
  GoneNames gone;
  for (std::size_t i = 0; i <= GoneNames::count_max; ++i) gone.add(std::format("default/p-{}", i));
  EXPECT_FALSE(gone.contains("default/p-0"));
  EXPECT_TRUE(gone.contains("default/p-1"));
  EXPECT_TRUE(gone.contains(std::format("default/p-{}", GoneNames::count_max)));
}

TEST_F(ReplicaSetTest, adopts_matching_orphans_and_releases_relabelled_pods) {
  api.put("pods", parse(R"({"metadata":{"name":"lone","namespace":"default","labels":{"app":"web"}},
    "spec":{"containers":[{"name":"c","image":"nginx"}]}})"));
  make(2);
  start();
  ASSERT_TRUE(settle([&] { return status("replicasets", "default/web", "readyReplicas") == 2; }));
  EXPECT_EQ(api.list("pods").size(), 2U);
  EXPECT_EQ(kube::controller_uid(*api.find("pods", "default/lone")), uid());
  api.modify("pods", "default/lone",
             [](json::Value& pod) { kube::set_label(pod, "app", "other"); });
  ASSERT_TRUE(settle([&] {
    return api.list("pods").size() == 3 &&
           kube::controller_uid(*api.find("pods", "default/lone")).empty();
  }));
}

TEST_F(ReplicaSetTest, reports_refused_creations_and_recovers) {
  make(2);
  bool refuse = true;
  api.intercept = [&](const http::RequestHead& head) {
    return refuse && head.method == "POST" && head.path.ends_with("/pods") ? 403 : 0;
  };
  start();
  auto failed = [&] {
    return kube::condition(*api.find("replicasets", "default/web"), "ReplicaFailure") != nullptr;
  };
  ASSERT_TRUE(settle(failed));
  EXPECT_GT(count_events("FailedCreate"), 0U);
  refuse = false;
  ASSERT_TRUE(settle(
      [&] { return status("replicasets", "default/web", "readyReplicas") == 2 && !failed(); },
      120s));
}

TEST_F(ReplicaSetTest, lost_answers_do_not_make_pods_twice) {
  make(20);
  // The pod is made, but its answer is lost.
  int posts = 0;
  api.lose_answer = [&](const http::RequestHead& head) {
    return head.method == "POST" && head.path.ends_with("/pods") && ++posts % 3 == 0;
  };
  start();
  ASSERT_TRUE(
      settle([&] { return status("replicasets", "default/web", "readyReplicas") == 20; }, 300s));
  EXPECT_EQ(api.most_pods[uid()], 20);
}

TEST_F(ReplicaSetTest, change_of_leader_during_creation_makes_no_pod_too_many) {
  make(200);
  start("a");
  start("b");
  loop.run_until([&] { return api.list("pods").size() > 5; }, 60s);
  ManagerBoard& first = *boards[boards[0]->manager.elector().leading() ? 0 : 1];
  first.scope.cancel();
  ASSERT_TRUE(
      settle([&] { return status("replicasets", "default/web", "readyReplicas") == 200; }, 300s));
  EXPECT_EQ(api.most_pods[uid()], 200);
}

TEST_F(ReplicaSetTest, two_leaders_with_the_same_view_choose_the_same_names) {
  make(3);
  auto set = std::make_shared<const json::Value>(*api.find("replicasets", "default/web"));
  ReplicaView view{.resource = kube::resources::replica_sets,
                   .owner = set,
                   .candidates = {},
                   .related = {},
                   .name_taken = [](const std::string&) { return false; }};
  Decision one = reconcile_replicas(view, loop.wall_now());
  Decision two = reconcile_replicas(view, loop.wall_now());
  ASSERT_EQ(one.writes.size(), two.writes.size());
  for (std::size_t i = 0; i < one.writes.size(); ++i)
    EXPECT_EQ(one.writes[i].name, two.writes[i].name);
}

TEST(PodRanking, prefers_pods_that_matter_least) {
  const WallTime now{std::chrono::seconds(1'790'000'000)};
  auto pod = [&](std::string_view name, std::string_view node, bool ready, int cost) {
    json::Value value = json::Object();
    json::set(value, {"metadata", "name"}, json::Value(name));
    json::set(value, {"spec", "nodeName"}, json::Value(node));
    json::set(value, {"status", "phase"}, json::Value("Running"));
    kube::set_condition(value, {"Ready", ready ? "True" : "False", {}, {}},
                        now - std::chrono::hours(1));
    if (cost != 0)
      kube::set_annotation(value, "controller.kubernetes.io/pod-deletion-cost",
                           std::to_string(cost));
    return std::make_shared<const json::Value>(std::move(value));
  };
  std::vector<kube::ObjectPtr> pods{pod("a", "n1", true, 0),  pod("b", "n1", true, 0),
                                    pod("c", "n2", true, 0),  pod("d", "", true, 0),
                                    pod("e", "n3", false, 0), pod("f", "n4", true, -1)};
  std::vector<std::string> order;
  for (const auto& each : pods_to_delete(pods, pods, 4, now))
    order.emplace_back(kube::name_of(*each));
  EXPECT_EQ(order,
            (std::vector<std::string>{"d", "e", "f", "b"}));  // f is cheap; b and a share a node
}

TEST(Names, follow_from_owner_and_slot_and_fit) {
  EXPECT_EQ(slot_name("web", "u", 1), slot_name("web", "u", 1));
  EXPECT_NE(slot_name("web", "u", 1), slot_name("web", "u", 2));
  EXPECT_NE(slot_name("web", "u", 1), slot_name("web", "v", 1));
  EXPECT_EQ(slot_name(std::string(100, 'x'), "u", 1).size(), 63U);
  std::set<std::string> names;
  for (std::uint64_t slot = 0; slot < 1000; ++slot) names.insert(name_suffix("uid", slot));
  EXPECT_EQ(names.size(), 1000U);
}

}  // namespace
}  // namespace tripod::controllers
