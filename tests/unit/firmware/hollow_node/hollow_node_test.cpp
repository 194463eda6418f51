#include <gtest/gtest.h>

#include "tests/unit/firmware/support/memory_api.h"
#include "tests/unit/firmware/support/test_world.h"
#include "tools/hollow-node/options.h"

namespace tripod::hollow {
namespace {

using namespace std::chrono_literals;

struct KubeletTest : testing::Test {
  void SetUp() override { scope.spawn(kubelet.run()); }
  void TearDown() override {
    api.intercept = {};
    scope.cancel();
    loop.run_for(1s);
    EXPECT_TRUE(scope.idle());
  }
  void pod(std::string_view name) {
    api.put("pods", *json::parse(std::format(R"({{"metadata":{{"name":"{}","namespace":"default"}},
      "spec":{{"nodeName":"hollow-1","containers":[{{"name":"c","image":"nginx"}}]}}}})",
                                             name)));
  }
  const json::Value* find(std::string_view name) {
    return api.find("pods", std::format("default/{}", name));
  }

  test::VirtualLoop loop;
  test::MemoryApi api{loop, loop};
  test::TestWorld world{loop, "x"};
  kube::Client client{api, loop, {}};
  NodeConfig config{.name = "hollow-1", .number = 1};
  Kubelet kubelet{client, world.entropy, Logger(world.log, "kubelet"), config};
  Scope scope{loop};
};

TEST_F(KubeletTest, registers_and_renews_its_lease) {
  ASSERT_TRUE(loop.run_until([&] { return api.find("nodes", "hollow-1") != nullptr; }, 5s));
  EXPECT_EQ(kube::condition_status(*api.find("nodes", "hollow-1"), "Ready"), "True");
  loop.run_for(5s);
  const std::string first(
      json::get_string(*api.find("leases", "kube-node-lease/hollow-1"), "spec", "renewTime"));
  loop.run_for(11s);
  EXPECT_NE(json::get_string(*api.find("leases", "kube-node-lease/hollow-1"), "spec", "renewTime"),
            first);
}

TEST_F(KubeletTest, runs_pods_with_addresses_of_their_own_and_ends_them) {
  pod("a");
  pod("b");
  ASSERT_TRUE(loop.run_until(
      [&] { return kube::is_pod_ready(*find("a")) && kube::is_pod_ready(*find("b")); }, 5s));
  EXPECT_EQ(json::get_string(*find("a"), "status", "phase"), "Running");
  EXPECT_NE(json::get_string(*find("a"), "status", "podIP"),
            json::get_string(*find("b"), "status", "podIP"));
  api.modify("pods", "default/a", [&](json::Value& object) {
    json::set(object, {"metadata", "deletionTimestamp"}, json::Value(to_rfc3339(loop.wall_now())));
    json::set(object, {"metadata", "deletionGracePeriodSeconds"}, json::Value(30));
  });
  ASSERT_TRUE(loop.run_until([&] { return find("a") == nullptr; }, 5s));
  EXPECT_TRUE(find("b") != nullptr);
}

TEST_F(KubeletTest, survives_an_outage) {
  loop.run_for(2s);
  api.intercept = [](const http::RequestHead&) { return -1; };
  loop.run_for(60s);
  api.intercept = {};
  pod("late");
  // Watches of the API in memory survive; requests fail until the outage ends.
  ASSERT_TRUE(loop.run_until([&] { return kube::is_pod_ready(*find("late")); }, 30s));
}

TEST_F(KubeletTest, registers_again_when_its_node_was_deleted) {
  loop.run_for(2s);
  api.remove("nodes", "hollow-1");
  ASSERT_TRUE(loop.run_until([&] { return api.find("nodes", "hollow-1") != nullptr; }, 30s));
}

TEST(Options, are_checked) {
  EXPECT_EQ(parse_options(
                {"--kubeconfig", "f", "--nodes=3", "--startup-latency", "2s", "--log-level=debug"})
                ->nodes,
            3);
  EXPECT_EQ(parse_options({"--kubeconfig=f", "--log-level=debug"})->log_level, LogLevel::debug);
}

TEST(Options, errors_name_flag_and_value) {
  EXPECT_TRUE(parse_options({"--kubeconfig=f", "--nodes=0"}).error().message.contains("--nodes 0"));
  EXPECT_TRUE(parse_options({"--kubeconfig=f", "--wat=0"}).error().message.contains("--wat"));
  EXPECT_TRUE(parse_options({"--nodes=1"}).error().message.contains("--kubeconfig"));
}

}  // namespace
}  // namespace tripod::hollow
