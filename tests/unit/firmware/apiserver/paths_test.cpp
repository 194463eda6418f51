// What is no resource: discovery, version, health, metrics; and who may ask.

#include "tests/unit/firmware/apiserver/fixture.h"

namespace tripod::test {
namespace {

TEST_F(ApiServerTest, discovers_in_both_forms) {
  const Answer legacy = get("/api/v1");
  EXPECT_EQ(json::get_string(legacy.body, "kind"), "APIResourceList");
  EXPECT_NE(legacy.text.find("\"pods/binding\""), Bytes::npos);
  EXPECT_EQ(json::get_string(get("/apis").body, "kind"), "APIGroupList");
  EXPECT_EQ(json::get_string(get("/apis/apps").body, "kind"), "APIGroup");
  const Answer aggregated =
      send({.path = "/apis",
            .accept = "application/"
                      "json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"});
  EXPECT_EQ(json::get_string(aggregated.body, "kind"), "APIGroupDiscoveryList");
  EXPECT_EQ(aggregated.headers.get("content-type"),
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  EXPECT_EQ(json::get_string(get("/version").body, "minor"), "34");
  EXPECT_EQ(get("/nowhere").code, 404);
  EXPECT_EQ(get("/apis/nowhere.io/v1/things").code, 404);
}

TEST_F(ApiServerTest, shows_its_openapi) {
  const Answer index = get("/openapi/v3");
  const auto* paths = json::get_object(index.body, "paths");
  ASSERT_TRUE(paths);
  EXPECT_TRUE(paths->contains("apis/apps/v1"));
  const Answer document = get("/openapi/v3/apis/apps/v1");
  EXPECT_EQ(document.code, 200);
  EXPECT_FALSE(document.headers.get("etag").empty());
  EXPECT_EQ(get("/openapi/v1").code, 404);
  EXPECT_EQ(json::get_string(get("/openapi/v2").body, "swagger"), "2.0");
}

TEST_F(ApiServerTest, tells_its_health) {
  EXPECT_EQ(get("/readyz").text, "ok");
  const Answer verbose = get("/readyz?verbose");
  EXPECT_TRUE(verbose.text.starts_with("[+]ping ok\n")) << verbose.text;
  EXPECT_TRUE(verbose.text.ends_with("readyz check passed\n"));
  EXPECT_EQ(get("/readyz/etcd").text, "ok");
  EXPECT_EQ(get("/readyz/nothing").code, 404);
  server_.begin_shutdown();
  EXPECT_EQ(get("/readyz").code, 500);
  EXPECT_EQ(get("/livez").code, 200);
  EXPECT_EQ(get("/readyz?exclude=shutdown").code, 200);
}

TEST_F(ApiServerTest, answers_nobody_only_about_health_and_version) {
  http::InProcessTransport nobody(loop_, server_, "", {});
  EXPECT_EQ(send_as(nobody, {.path = "/readyz"}).code, 200);
  EXPECT_EQ(send_as(nobody, {.path = "/version"}).code, 200);
  const Answer pods = send_as(nobody, {.path = "/api/v1/pods"});
  EXPECT_EQ(pods.code, 401);
  EXPECT_EQ(pods.reason(), "Unauthorized");
  EXPECT_EQ(send_as(nobody, {.path = "/metrics"}).code, 401);
  run(nobody.drain());
}

TEST_F(ApiServerTest, masters_may_act_as_somebody_else) {
  const Answer denied = send({.path = "/api/v1/pods", .as = "eve"});
  EXPECT_EQ(denied.code, 403);
  EXPECT_EQ(denied.message(),
            "pods is forbidden: User \"eve\" cannot list resource \"pods\" in API group \"\" at "
            "the cluster "
            "scope");
  http::InProcessTransport scheduler(loop_, server_, "system:kube-scheduler", {});
  const Answer refused = send_as(scheduler, {.path = "/api/v1/pods", .as = "admin"});
  EXPECT_EQ(refused.code, 403);
  EXPECT_NE(refused.message().find("cannot impersonate resource \"users\""),
            std::string_view::npos);
  EXPECT_EQ(send_as(scheduler, {.path = "/api/v1/pods"}).code, 200);
  run(scheduler.drain());
}

TEST_F(ApiServerTest, counts_requests) {
  get("/api/v1/namespaces");
  const Answer metrics = get("/metrics");
  EXPECT_EQ(metrics.code, 200);
  EXPECT_NE(
      metrics.text.find(
          "apiserver_request_total{code=\"200\",component=\"apiserver\",dry_run=\"\",group=\"\","
          "resource=\"namespaces\",scope=\"cluster\",subresource=\"\",verb=\"LIST\",version="
          "\"v1\"}"),
      Bytes::npos);
  EXPECT_NE(metrics.text.find("apiserver_request_duration_seconds_bucket"), Bytes::npos);
}

}  // namespace
}  // namespace tripod::test
