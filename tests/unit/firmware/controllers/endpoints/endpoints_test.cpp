#include "firmware/controllers/endpoints/endpoints.h"

#include "tests/unit/firmware/controllers/cluster.h"

namespace tripod::controllers {
namespace {

struct EndpointsTest : ClusterTest {
  void service(std::string_view ports =
                   R"([{"name":"http","port":80,"targetPort":"web","protocol":"TCP"}])") {
    api.put("services",
            parse(std::format(
                R"({{"metadata":{{"name":"web","namespace":"default","labels":{{"tier":"x"}}}},
      "spec":{{"selector":{{"app":"web"}},"clusterIP":"10.96.0.9","ports":{}}}}})",
                ports)));
  }
  void pod(std::string_view name, std::string_view ip, bool ready) {
    api.put("pods",
            parse(std::format(
                R"({{"metadata":{{"name":"{}","namespace":"default","labels":{{"app":"web"}}}},
      "spec":{{"nodeName":"n","containers":[{{"name":"c","ports":[{{"name":"web",
        "containerPort":8080}}]}}]}},
      "status":{{"phase":"Running","podIP":"{}","conditions":[{{"type":"Ready",
        "status":"{}"}}]}}}})",
                name, ip, ready ? "True" : "False")));
  }
  std::string addresses(std::string_view list) {
    const json::Value* object = api.find("endpoints", "default/web");
    const json::Array* subsets = object ? json::get_array(*object, "subsets") : nullptr;
    std::string text;
    for (std::size_t i = 0; subsets && i < subsets->size(); ++i) {
      const json::Array* all = json::get_array((*subsets)[i], list);
      for (std::size_t j = 0; all && j < all->size(); ++j) {
        const json::Array* ports = json::get_array((*subsets)[i], "ports");
        text += std::format("{}:{} ", json::get_string((*all)[j], "ip"),
                            json::get_int((*ports)[0], "port").value_or(0));
      }
    }
    return text;
  }
};

TEST_F(EndpointsTest, follow_the_pods_of_the_service) {
  service();
  pod("a", "10.0.0.1", true);
  pod("b", "10.0.0.2", false);
  start();
  ASSERT_TRUE(loop.run_until([&] { return addresses("addresses") == "10.0.0.1:8080 "; }, 30s));
  EXPECT_EQ(addresses("notReadyAddresses"), "10.0.0.2:8080 ");
  ASSERT_TRUE(loop.run_until([&] { return api.list("endpointslices").size() == 1; }, 10s));
  const json::Value slice = api.list("endpointslices")[0];
  EXPECT_EQ(kube::label(slice, "kubernetes.io/service-name"), "web");
  EXPECT_EQ(json::get_array(slice, "endpoints")->size(), 2U);
  EXPECT_EQ(json::get_string(slice, "addressType"), "IPv4");
  EXPECT_EQ(json::get_int((*json::get_array(slice, "ports"))[0], "port"), 8080);
  api.modify("pods", "default/b", [&](json::Value& object) {
    kube::set_condition(object, {"Ready", "True", {}, {}}, loop.wall_now());
  });
  ASSERT_TRUE(loop.run_until(
      [&] { return addresses("addresses") == "10.0.0.1:8080 10.0.0.2:8080 "; }, 30s));
  api.remove("pods", "default/a");
  ASSERT_TRUE(loop.run_until([&] { return addresses("addresses") == "10.0.0.2:8080 "; }, 30s));
  api.remove("services", "default/web");
  ASSERT_TRUE(loop.run_until(
      [&] { return api.list("endpoints").empty() && api.list("endpointslices").empty(); }, 30s));
}

TEST_F(EndpointsTest, of_a_service_without_pods_are_empty_and_left_alone_without_selector) {
  service();
  api.put(
      "services",
      parse(
          R"({"metadata":{"name":"manual","namespace":"default"},"spec":{"ports":[{"port":1}]}})"));
  api.put("endpoints",
          parse(
              R"({"metadata":{"name":"manual","namespace":"default"},"subsets":[{"addresses":[
        {"ip":"1.2.3.4"}]}]})"));
  start();
  ASSERT_TRUE(loop.run_until([&] { return api.find("endpoints", "default/web") != nullptr; }, 30s));
  EXPECT_EQ(json::find(*api.find("endpoints", "default/web"), "subsets"), nullptr);
  loop.run_for(5s);
  EXPECT_TRUE(json::get_array(*api.find("endpoints", "default/manual"), "subsets") != nullptr);
  api.writes.clear();
  loop.run_for(60s);
  for (const std::string& write : api.writes) EXPECT_TRUE(write.contains("/leases/")) << write;
}

TEST(EndpointSlices, are_cut_at_the_maximum_and_keep_their_names) {
  const json::Value service = *json::parse(
      R"({"metadata":{"name":"s","namespace":"d","uid":"u"},"spec":{"ports":[{"port":80}]}})");
  std::vector<kube::ObjectPtr> pods;
  for (int i = 0; i < 5; ++i) {
    pods.push_back(std::make_shared<const json::Value>(*json::parse(
        std::format(R"({{"metadata":{{"name":"p{0}"}},"status":{{"podIP":"10.0.0.{0}"}}}})", i))));
  }
  auto slices = make_endpoint_slices(service, pods, 2);
  ASSERT_EQ(slices.size(), 3U);
  EXPECT_EQ(kube::name_of(slices[2]), kube::name_of(make_endpoint_slices(service, pods, 2)[2]));
  EXPECT_NE(kube::name_of(slices[0]), kube::name_of(slices[1]));
}

}  // namespace
}  // namespace tripod::controllers
