#include "firmware/controllers/workloads/deployment/deployment.h"

#include "tests/unit/firmware/controllers/cluster.h"

namespace tripod::controllers {
namespace {

constexpr std::string_view key = "default/web";

struct DeploymentTest : ClusterTest {
  void make(
      int replicas,
      std::string_view strategy =
          R"({"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}})") {
    api.put("deployments", parse(std::format(R"({{"metadata":{{"name":"web","namespace":"default",
      "annotations":{{"note":"x","kubectl.kubernetes.io/last-applied-configuration":"y"}}}},
      "spec":{{"replicas":{},"revisionHistoryLimit":2,"progressDeadlineSeconds":600,"strategy":{},
      "selector":{{"matchLabels":{{"app":"web"}}}},
      "template":{{"metadata":{{"labels":{{"app":"web"}}}},"spec":{{"containers":[{{"name":"c",
        "image":"nginx:1"}}]}}}}}}}})",
                                             replicas, strategy)));
  }
  void set_image(std::string_view image) {
    api.modify("deployments", key, [&](json::Value& object) {
      json::find(object, "spec", "template", "spec", "containers")
          ->as_array()[0]
          .as_object()["image"] = image;
    });
  }
  void set(json::Path path, json::Value value) {
    api.modify("deployments", key, [&](json::Value& object) { json::set(object, path, value); });
  }
  /// As kubectl rollout status decides it.
  bool rolled_out() {
    const json::Value& object = *api.find("deployments", key);
    const std::int64_t wanted = *json::get_int(object, "spec", "replicas");
    return json::get_int(object, "status", "observedGeneration").value_or(0) >=
               kube::generation_of(object) &&
           status("deployments", key, "updatedReplicas") == wanted &&
           status("deployments", key, "replicas") == wanted &&
           status("deployments", key, "availableReplicas") == wanted &&
           reason("Progressing") == "NewReplicaSetAvailable";
  }
  std::string reason(std::string_view type) {
    const json::Value* condition = kube::condition(*api.find("deployments", key), type);
    return condition ? std::string(json::get_string(*condition, "reason")) : "";
  }
  std::string revision(const json::Value& object) {
    return std::string(kube::annotation(object, "deployment.kubernetes.io/revision"));
  }
  json::Value active_set() {
    for (const json::Value& each : api.list("replicasets")) {
      if (json::get_int(each, "spec", "replicas").value_or(0) > 0) return each;
    }
    return json::Object();
  }
};

TEST_F(DeploymentTest, makes_a_replica_set_and_becomes_available) {
  make(3);
  start();
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  ASSERT_EQ(api.list("replicasets").size(), 1U);
  const json::Value replica_set = api.list("replicasets")[0];
  const std::string hash(kube::label(replica_set, "pod-template-hash"));
  EXPECT_FALSE(hash.empty());
  EXPECT_EQ(kube::name_of(replica_set), "web-" + hash);
  EXPECT_EQ(json::get_string(replica_set, "spec", "selector", "matchLabels", "pod-template-hash"),
            hash);
  EXPECT_EQ(revision(replica_set), "1");
  EXPECT_EQ(kube::annotation(replica_set, "deployment.kubernetes.io/desired-replicas"), "3");
  EXPECT_EQ(kube::annotation(replica_set, "deployment.kubernetes.io/max-replicas"), "4");
  EXPECT_EQ(kube::annotation(replica_set, "note"), "x");
  EXPECT_EQ(kube::annotation(replica_set, "kubectl.kubernetes.io/last-applied-configuration"), "");
  EXPECT_EQ(revision(*api.find("deployments", key)), "1");
  EXPECT_EQ(kube::annotation(*api.find("deployments", key),
                             "kubectl.kubernetes.io/last-applied-configuration"),
            "y");
  EXPECT_EQ(reason("Available"), "MinimumReplicasAvailable");
  EXPECT_EQ(count_events("ScalingReplicaSet"), 1U);
  EXPECT_EQ(kube::label(api.list("pods")[0], "pod-template-hash"), hash);
}

TEST_F(DeploymentTest, rolls_within_surge_and_unavailable) {
  make(4);
  start();
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  set_image("nginx:2");
  std::int64_t fewest = 100;
  std::int64_t most = 0;
  ASSERT_TRUE(settle([&] {
    std::int64_t ready = 0;
    std::int64_t alive = 0;
    for (const json::Value& pod : api.list("pods")) {
      alive += kube::is_pod_active(pod);
      ready += kube::is_pod_active(pod) && kube::is_pod_ready(pod);
    }
    fewest = std::min(fewest, ready);
    most = std::max(most, alive);
    return rolled_out();
  }));
  EXPECT_GE(fewest, 3);
  EXPECT_LE(most, 5);
  EXPECT_EQ(api.list("replicasets").size(), 2U);
  EXPECT_EQ(revision(*api.find("deployments", key)), "2");
}

TEST_F(DeploymentTest, undo_reuses_the_old_set_under_a_new_revision) {
  make(2);
  start();
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  const std::string first(kube::name_of(active_set()));
  set_image("nginx:2");
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  set_image("nginx:1");
  ASSERT_TRUE(
      settle([&] { return rolled_out() && revision(*api.find("deployments", key)) == "3"; }));
  EXPECT_EQ(kube::name_of(active_set()), first);
  EXPECT_EQ(revision(active_set()), "3");
  EXPECT_EQ(kube::annotation(active_set(), "deployment.kubernetes.io/revision-history"), "1");
  EXPECT_EQ(api.list("replicasets").size(), 2U);
}

TEST_F(DeploymentTest, recreate_never_mixes_templates) {
  make(3, R"({"type":"Recreate"})");
  start();
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  set_image("nginx:2");
  bool mixed = false;
  ASSERT_TRUE(settle([&] {
    std::set<std::string> hashes;
    for (const json::Value& pod : api.list("pods"))
      hashes.emplace(kube::label(pod, "pod-template-hash"));
    mixed = mixed || hashes.size() > 1;
    return rolled_out();
  }));
  EXPECT_FALSE(mixed);
}

TEST_F(DeploymentTest, scales_without_a_new_set) {
  make(2);
  start();
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  set({"spec", "replicas"}, 5);
  ASSERT_TRUE(settle([&] { return rolled_out() && api.list("pods").size() == 5; }));
  set({"spec", "replicas"}, 1);
  ASSERT_TRUE(settle([&] { return rolled_out() && api.list("pods").size() == 1; }));
  EXPECT_EQ(api.list("replicasets").size(), 1U);
}

TEST_F(DeploymentTest, keeps_only_so_much_history) {
  make(1);
  start();
  for (int version = 1; version <= 6; ++version) {
    set_image(std::format("nginx:{}", version));
    ASSERT_TRUE(settle([&] { return rolled_out(); })) << version;
  }
  ASSERT_TRUE(settle([&] { return api.list("replicasets").size() == 3; }));
}

TEST_F(DeploymentTest, reports_a_rollout_that_stands_still) {
  make(2);
  start();
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  broken = "nginx:bad";
  set_image("nginx:bad");
  ASSERT_TRUE(settle([&] { return reason("Progressing") == "ProgressDeadlineExceeded"; }, 700s));
  EXPECT_EQ(reason("Available"), "MinimumReplicasAvailable");
}

TEST_F(DeploymentTest, paused_does_not_roll_until_resumed) {
  make(2);
  start();
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  set({"spec", "paused"}, true);
  set_image("nginx:2");
  EXPECT_FALSE(settle([&] { return api.list("replicasets").size() > 1; }, 20s));
  EXPECT_EQ(reason("Progressing"), "DeploymentPaused");
  set({"spec", "paused"}, false);
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  EXPECT_EQ(api.list("replicasets").size(), 2U);
}

TEST_F(DeploymentTest, is_quiet_when_nothing_changes) {
  make(3);
  start();
  ASSERT_TRUE(settle([&] { return rolled_out(); }));
  loop.run_for(5s);
  std::erase_if(api.writes, [](const std::string&) { return true; });
  loop.run_for(60s);
  for (const std::string& write : api.writes) EXPECT_TRUE(write.contains("/leases/")) << write;
}

}  // namespace
}  // namespace tripod::controllers
