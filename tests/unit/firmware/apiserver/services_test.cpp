// Cluster IPs and node ports: allocated once, given back, refused in upstream's words.

#include "tests/unit/firmware/apiserver/fixture.h"

namespace tripod::test {
namespace {

constexpr const char* services = "/api/v1/namespaces/default/services";

std::string service(std::string_view name, std::string_view spec) {
  return std::format(R"({{"metadata":{{"name":"{}"}},"spec":{{"ports":[{{"port":80}}]{}}}}})", name,
                     spec);
}

TEST_F(ApiServerTest, services_get_addresses_of_the_range) {
  const Answer created = post(services, service("a", ""));
  ASSERT_EQ(created.code, 201) << created.text;
  const std::string ip(json::get_string(created.body, "spec", "clusterIP"));
  EXPECT_TRUE(ip.starts_with("10.96.")) << ip;
  EXPECT_TRUE(etcd_.value_of("/registry/ipaddresses/" + ip).has_value());
  EXPECT_EQ(remove(std::string(services) + "/a").code, 200);
  EXPECT_FALSE(etcd_.value_of("/registry/ipaddresses/" + ip).has_value());
}

TEST_F(ApiServerTest, a_taken_address_is_refused) {
  ASSERT_EQ(post(services, service("a", R"(,"clusterIP":"10.96.0.10")")).code, 201);
  const Answer taken = post(services, service("b", R"(,"clusterIP":"10.96.0.10")"));
  EXPECT_EQ(taken.code, 422);
  EXPECT_EQ(taken.message(),
            "Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.10\"]: failed to "
            "allocate IP "
            "10.96.0.10: provided IP is already allocated");
  EXPECT_EQ(post(services, service("c", R"(,"clusterIP":"10.1.0.10")")).code, 422);
  EXPECT_EQ(json::get_string(post(services, service("d", R"(,"clusterIP":"None")")).body, "spec",
                             "clusterIP"),
            "None");
}

class SmallRangeTest : public ApiServerTest {
 protected:
  static apiserver::Options small_range() {
    apiserver::Options options = default_options();
    options.service_cluster_ip_range = "10.96.0.0/28";
    return options;
  }
  SmallRangeTest() : ApiServerTest(small_range()) {}
};

Task<void> claim(MemoryEtcd* etcd, std::string address) {
  etcd::PutRequest put;
  put.key = "/registry/ipaddresses/" + address;
  co_await etcd->put(std::move(put));
}

TEST_F(SmallRangeTest, two_servers_never_hand_out_one_address) {
  // Claims of another server that this one's cache of Services does not show.
  for (int last = 2; last <= 12; ++last) run(claim(&etcd_, std::format("10.96.0.{}", last)));
  std::set<std::string> given;
  for (std::string_view name : {"a", "b"}) {
    const Answer created = post(services, service(name, ""));
    ASSERT_EQ(created.code, 201) << created.text;
    given.emplace(json::get_string(created.body, "spec", "clusterIP"));
  }
  EXPECT_EQ(given, (std::set<std::string>{"10.96.0.13", "10.96.0.14"}));
  const Answer full = post(services, service("c", ""));
  EXPECT_EQ(full.code, 500);
  EXPECT_NE(full.message().find("range is full"), std::string_view::npos);
}

TEST_F(ApiServerTest, node_ports_are_allocated_kept_and_released) {
  const Answer created = post(services, service("n", R"(,"type":"NodePort")"));
  ASSERT_EQ(created.code, 201) << created.text;
  const auto* ports = json::get_array(created.body, "spec", "ports");
  const std::int64_t port = json::get_int((*ports)[0], "nodePort").value_or(0);
  EXPECT_GE(port, 30000);
  EXPECT_LE(port, 32767);
  const Answer updated = put(std::string(services) + "/n", service("n", R"(,"type":"NodePort")"));
  EXPECT_EQ(updated.code, 200) << updated.text;
  EXPECT_EQ(json::get_int((*json::get_array(updated.body, "spec", "ports"))[0], "nodePort"), port);
  EXPECT_EQ(json::get_string(updated.body, "spec", "clusterIP"),
            json::get_string(created.body, "spec", "clusterIP"));
  const Answer clash =
      post(services, std::format(R"({{"metadata":{{"name":"m"}},"spec":{{"type":"NodePort","ports":
      [{{"port":80,"nodePort":{}}}]}}}})",
                                 port));
  EXPECT_EQ(clash.code, 422);
  EXPECT_NE(clash.message().find("provided port is already allocated"), std::string_view::npos);
}

}  // namespace
}  // namespace tripod::test
