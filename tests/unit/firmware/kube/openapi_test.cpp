#include "firmware/kube/openapi/openapi.h"

#include <gtest/gtest.h>

#include <set>

#include "platform/json/json.h"

namespace tripod::kube {
namespace {

json::Value core_document() {
  const OpenApiResource resources[] = {{.plural = "pods",
                                        .kind = {"", "v1", "Pod"},
                                        .verbs = {"create", "delete", "deletecollection", "get",
                                                  "list", "patch", "update", "watch"}},
                                       {.plural = "pods",
                                        .kind = {"", "v1", "Pod"},
                                        .subresource = "status",
                                        .verbs = {"get", "patch", "update"}},
                                       {.plural = "replicationcontrollers",
                                        .kind = {"autoscaling", "v1", "Scale"},
                                        .subresource = "scale",
                                        .verbs = {"get"}},
                                       {.plural = "nodes",
                                        .kind = {"", "v1", "Node"},
                                        .namespaced = false,
                                        .verbs = {"get", "list"}}};
  auto document = json::parse(openapi_v3({"", "v1"}, resources), {.bytes_max = 16 << 20});
  EXPECT_TRUE(document.has_value()) << (document ? "" : document.error().message);
  return document ? *document : json::Value();
}

TEST(OpenApi, has_the_paths_that_kubectl_looks_for) {
  const json::Value document = core_document();
  const json::Value* patch =
      json::find(document, "paths", "/api/v1/namespaces/{namespace}/pods/{name}", "patch");
  ASSERT_NE(patch, nullptr);
  EXPECT_EQ(json::get_string(*patch, "x-kubernetes-group-version-kind", "kind"), "Pod");
  EXPECT_NE(json::find(*patch, "requestBody", "content", "application/strategic-merge-patch+json"),
            nullptr);
  std::set<std::string_view> names;
  for (const json::Value& parameter : *json::get_array(*patch, "parameters")) {
    names.insert(json::get_string(parameter, "name"));
  }
  EXPECT_TRUE(names.contains("fieldValidation"));
  EXPECT_TRUE(names.contains("dryRun"));
  EXPECT_NE(json::find(document, "paths", "/api/v1/pods", "get"), nullptr);
  EXPECT_NE(json::find(document, "paths", "/api/v1/nodes/{name}", "get"), nullptr);
  EXPECT_EQ(json::find(document, "paths", "/api/v1/nodes", "post"), nullptr);
  EXPECT_NE(
      json::find(document, "paths", "/api/v1/namespaces/{namespace}/pods/{name}/status", "put"),
      nullptr);
}

TEST(OpenApi, carries_merge_facts) {
  const json::Value document = core_document();
  const json::Value* spec =
      json::find(document, "components", "schemas", "io.k8s.api.core.v1.PodSpec", "properties");
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(
      json::serialize(*json::find(*spec, "volumes")),
      R"({"type":"array","items":{"$ref":"#/components/schemas/io.k8s.api.core.v1.Volume"},)"
      R"("x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],)"
      R"("x-kubernetes-patch-merge-key":"name","x-kubernetes-patch-strategy":"merge,retainKeys"})");
  EXPECT_EQ(
      json::serialize(*json::find(*spec, "nodeSelector")),
      R"({"type":"object","additionalProperties":{"type":"string"},"x-kubernetes-map-type":"atomic"})");
  const json::Value* pod = json::find(document, "components", "schemas", "io.k8s.api.core.v1.Pod");
  EXPECT_EQ(json::serialize(*json::find(*pod, "x-kubernetes-group-version-kind")),
            R"([{"group":"","version":"v1","kind":"Pod"}])");
}

void collect_references(const json::Value& value, std::set<std::string>& found) {
  if (const json::Object* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      if (std::string_view(key) == "$ref" && member.is_string())
        found.emplace(json::as_string(member));
      collect_references(member, found);
    }
  } else if (const json::Array* array = value.if_array()) {
    for (const json::Value& element : *array) collect_references(element, found);
  }
}

TEST(OpenApi, resolves_all_references) {
  const json::Value document = core_document();
  std::set<std::string> references;
  collect_references(document, references);
  EXPECT_GT(references.size(), 100u);
  for (const std::string& reference : references) {
    EXPECT_NE(json::find_pointer(document, std::string_view(reference).substr(1)), nullptr)
        << reference;
  }
}

}  // namespace
}  // namespace tripod::kube
