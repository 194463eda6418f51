// Pods and workloads: admission, binding, grace, status, scale, tables.

#include "tests/unit/firmware/apiserver/fixture.h"

namespace tripod::test {
namespace {

constexpr const char* pods = "/api/v1/namespaces/default/pods";
constexpr const char* pod_a = R"({"metadata":{"name":"a","labels":{"app":"web"}},
    "spec":{"containers":[{"name":"c","image":"nginx"}]}})";
constexpr const char* bind_to_n1 =
    R"({"metadata":{"name":"a"},"target":{"kind":"Node","name":"n1"}})";
constexpr const char* deployment = R"({"metadata":{"name":"web"},"spec":{"replicas":2,
    "selector":{"matchLabels":{"app":"web"}},
    "template":{"metadata":{"labels":{"app":"web"}},
                "spec":{"containers":[{"name":"c","image":"nginx"}]}}}})";

TEST_F(ApiServerTest, fills_in_new_pods) {
  const Answer pod = post(pods, pod_a);
  ASSERT_EQ(pod.code, 201) << pod.text;
  EXPECT_EQ(json::get_string(pod.body, "status", "phase"), "Pending");
  EXPECT_EQ(json::get_string(pod.body, "status", "qosClass"), "BestEffort");
  EXPECT_EQ(json::get_string(pod.body, "spec", "serviceAccountName"), "default");
  EXPECT_EQ(json::get_array(pod.body, "spec", "tolerations")->size(), 2U);
  EXPECT_EQ(json::get_string(pod.body, "spec", "restartPolicy"), "Always");
  EXPECT_EQ(json::get_int(pod.body, "metadata", "generation"), 1);
}

TEST_F(ApiServerTest, binds_a_pod_once) {
  post(pods, pod_a);
  const Answer bound = post(std::string(pods) + "/a/binding", bind_to_n1);
  EXPECT_EQ(bound.code, 201) << bound.text;
  const Answer pod = get(std::string(pods) + "/a");
  EXPECT_EQ(json::get_string(pod.body, "spec", "nodeName"), "n1");
  const auto* conditions = json::get_array(pod.body, "status", "conditions");
  ASSERT_TRUE(conditions);
  EXPECT_EQ(json::get_string((*conditions)[0], "type"), "PodScheduled");
  const Answer again = post(std::string(pods) + "/a/binding", bind_to_n1);
  EXPECT_EQ(again.code, 409);
  EXPECT_NE(again.message().find("is already assigned to node \"n1\""), std::string_view::npos);
}

TEST_F(ApiServerTest, waits_for_the_kubelet_of_a_bound_pod) {
  post(pods, pod_a);
  post(std::string(pods) + "/a/binding", bind_to_n1);
  const std::string path = std::string(pods) + "/a";
  const Answer marked = remove(path);
  EXPECT_EQ(json::get_int(marked.body, "metadata", "deletionGracePeriodSeconds"), 30);
  EXPECT_EQ(get(path).code, 200);
  EXPECT_EQ(json::get_int(remove(path, R"({"gracePeriodSeconds":5})").body, "metadata",
                          "deletionGracePeriodSeconds"),
            5);
  EXPECT_EQ(json::get_int(remove(path, R"({"gracePeriodSeconds":20})").body, "metadata",
                          "deletionGracePeriodSeconds"),
            5);
  EXPECT_EQ(remove(path, R"({"gracePeriodSeconds":0})").code, 200);
  EXPECT_EQ(get(path).code, 404);
}

TEST_F(ApiServerTest, removes_an_unscheduled_pod_at_once) {
  post(pods, pod_a);
  EXPECT_EQ(remove(std::string(pods) + "/a").code, 200);
  EXPECT_EQ(get(std::string(pods) + "/a").code, 404);
}

TEST_F(ApiServerTest, evicts) {
  post(pods, pod_a);
  EXPECT_EQ(post(std::string(pods) + "/a/eviction",
                 R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"a"}})")
                .code,
            201);
  EXPECT_EQ(get(std::string(pods) + "/a").code, 404);
}

TEST_F(ApiServerTest, keeps_spec_and_status_apart) {
  post("/apis/apps/v1/namespaces/default/deployments", deployment);
  const std::string path = "/apis/apps/v1/namespaces/default/deployments/web";
  const Answer by_status =
      patch(path + "/status", "merge-patch", R"({"spec":{"replicas":9},"status":{"replicas":1}})");
  EXPECT_EQ(by_status.code, 200) << by_status.text;
  EXPECT_EQ(json::get_int(by_status.body, "spec", "replicas"), 2);
  EXPECT_EQ(json::get_int(by_status.body, "status", "replicas"), 1);
  EXPECT_EQ(json::get_int(by_status.body, "metadata", "generation"), 1);
  const Answer by_spec =
      patch(path, "merge-patch", R"({"spec":{"replicas":3},"status":{"replicas":7}})");
  EXPECT_EQ(json::get_int(by_spec.body, "status", "replicas"), 1);
  EXPECT_EQ(json::get_int(by_spec.body, "metadata", "generation"), 2);
  EXPECT_EQ(json::get_int(patch(path, "merge-patch", R"({"metadata":{"labels":{"a":"b"}}})").body,
                          "metadata", "generation"),
            2);
}

TEST_F(ApiServerTest, scales) {
  post("/apis/apps/v1/namespaces/default/deployments", deployment);
  const std::string path = "/apis/apps/v1/namespaces/default/deployments/web/scale";
  Answer scale = get(path);
  EXPECT_EQ(json::get_string(scale.body, "apiVersion"), "autoscaling/v1");
  EXPECT_EQ(json::get_string(scale.body, "status", "selector"), "app=web");
  json::set(scale.body, {"spec", "replicas"}, 5);
  EXPECT_EQ(json::get_int(put(path, json::serialize(scale.body)).body, "spec", "replicas"), 5);
  EXPECT_EQ(put(path, json::serialize(scale.body)).code, 409);
  EXPECT_EQ(json::get_int(patch(path, "merge-patch", R"({"spec":{"replicas":1}})").body, "spec",
                          "replicas"),
            1);
  EXPECT_EQ(json::get_int(get("/apis/apps/v1/namespaces/default/deployments/web").body, "spec",
                          "replicas"),
            1);
}

TEST_F(ApiServerTest, prints_tables) {
  post(pods, pod_a);
  const Answer table = send(
      {.path = pods, .accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"});
  EXPECT_EQ(json::get_string(table.body, "kind"), "Table");
  EXPECT_EQ(json::get_array(table.body, "columnDefinitions")->size(), 9U);
  const auto* rows = json::get_array(table.body, "rows");
  ASSERT_EQ(rows->size(), 1U);
  const auto* cells = json::get_array((*rows)[0], "cells");
  EXPECT_EQ(json::serialize(*cells),
            R"(["a","0/1","Pending","0","0s","<none>","<none>","<none>","<none>"])");
  EXPECT_EQ(json::get_string((*rows)[0], "object", "kind"), "PartialObjectMetadata");
  const Answer partial = send(
      {.path = pods, .accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"});
  EXPECT_EQ(json::get_string(partial.body, "kind"), "PartialObjectMetadataList");
  EXPECT_EQ(partial.text.find("containers"), Bytes::npos);
}

TEST_F(ApiServerTest, a_kubelet_touches_only_its_own_pods) {
  http::InProcessTransport kubelet(loop_, server_, "system:node:n2", {"system:nodes"});
  post(pods, pod_a);
  post(std::string(pods) + "/a/binding", bind_to_n1);
  settle();
  const Answer refused = send_as(kubelet, {.method = "PATCH",
                                           .path = std::string(pods) + "/a/status",
                                           .body = R"({"status":{"phase":"Failed"}})",
                                           .content_type = "application/merge-patch+json"});
  EXPECT_EQ(refused.code, 403);
  run(kubelet.drain());
}

}  // namespace
}  // namespace tripod::test
