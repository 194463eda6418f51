#include "firmware/kube/patch/patch.h"

#include <gtest/gtest.h>

namespace tripod::kube {
namespace {

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value ? *value : json::Value();
}

std::string json_patch(std::string_view document, std::string_view patch) {
  auto result = apply_json_patch(parsed(document), parsed(patch));
  return result ? json::serialize(*result) : std::to_string(result.error().code);
}

std::string strategic(const schema::Type& type, std::string_view document, std::string_view patch) {
  auto result = apply_strategic_merge_patch(type, parsed(document), parsed(patch));
  return result ? json::serialize(*result) : std::string(result.error().message());
}

std::string patch_spec(std::string_view document, std::string_view patch) {
  return strategic(schema::must_find_type("", "v1", "PodSpec"), document, patch);
}

TEST(JsonPatch, does_its_operations) {
  EXPECT_EQ(json_patch(R"({"a":1})", R"([{"op":"add","path":"/b","value":{"c":2}}])"),
            R"({"a":1,"b":{"c":2}})");
  EXPECT_EQ(
      json_patch(R"({"a":[1,3]})",
                 R"([{"op":"add","path":"/a/1","value":2},{"op":"add","path":"/a/-","value":4}])"),
      R"({"a":[1,2,3,4]})");
  EXPECT_EQ(json_patch(R"({"a":[1,2],"b":1})",
                       R"([{"op":"remove","path":"/a/0"},{"op":"remove","path":"/b"}])"),
            R"({"a":[2]})");
  EXPECT_EQ(json_patch(R"({"a":1})", R"([{"op":"replace","path":"/a","value":"x"}])"),
            R"({"a":"x"})");
  EXPECT_EQ(json_patch(R"({"a":{"b":1},"c":{}})", R"([{"op":"move","from":"/a/b","path":"/c/d"}])"),
            R"({"a":{},"c":{"d":1}})");
  EXPECT_EQ(json_patch(R"({"a":[1]})", R"([{"op":"copy","from":"/a","path":"/b"}])"),
            R"({"a":[1],"b":[1]})");
  EXPECT_EQ(
      json_patch(R"({"a/b":1})",
                 R"([{"op":"test","path":"/a~1b","value":1},{"op":"remove","path":"/a~1b"}])"),
      "{}");
}

TEST(JsonPatch, refuses_what_does_not_fit) {
  EXPECT_EQ(json_patch("{}", R"([{"op":"remove","path":"/a"}])"), "422");
  EXPECT_EQ(json_patch("{}", R"([{"op":"replace","path":"/a","value":1}])"), "422");
  EXPECT_EQ(json_patch("{}", R"([{"op":"add","path":"/a/b","value":1}])"), "422");
  EXPECT_EQ(json_patch(R"({"a":[]})", R"([{"op":"add","path":"/a/1","value":1}])"), "422");
  EXPECT_EQ(json_patch(R"({"a":1})", R"([{"op":"test","path":"/a","value":2}])"), "422");
  EXPECT_EQ(json_patch("{}", R"([{"op":"grow","path":"/a"}])"), "422");
  EXPECT_EQ(json_patch(R"({"a":{}})", R"([{"op":"move","from":"/a","path":"/a/b"}])"), "422");
  EXPECT_EQ(json_patch("{}", R"({"op":"add"})"), "400");
  EXPECT_EQ(json_patch("{}", "[1]"), "400");
}

TEST(JsonPatch, bounds_operations_and_copies) {
  const auto many = apply_json_patch(
      json::Object(), parsed(R"([{"op":"add","path":"/a","value":1},{"op":"remove","path":"/a"}])"),
      {.operations_max = 1});
  EXPECT_EQ(many.error().code, 413);
  const auto copies = apply_json_patch(parsed(R"({"a":"0123456789"})"),
                                       parsed(R"([{"op":"copy","from":"/a","path":"/b"}])"),
                                       {.copied_bytes_max = 5});
  EXPECT_EQ(copies.error().code, 422);
}

TEST(MergePatch, follows_the_rfc) {
  const auto merged = [](std::string_view document, std::string_view patch) {
    return json::serialize(apply_merge_patch(parsed(document), parsed(patch)));
  };
  EXPECT_EQ(merged(R"({"a":"b","c":{"d":"e","f":"g"}})", R"({"a":"z","c":{"f":null}})"),
            R"({"a":"z","c":{"d":"e"}})");
  EXPECT_EQ(merged(R"({"a":["b"]})", R"({"a":["c","d"]})"), R"({"a":["c","d"]})");
  EXPECT_EQ(merged("{}", R"({"a":{"bb":{"ccc":null}}})"), R"({"a":{"bb":{}}})");
  EXPECT_EQ(merged(R"({"a":"b"})", R"(["c"])"), R"(["c"])");
  EXPECT_EQ(merged(R"({"e":null})", R"({"a":1})"), R"({"e":null,"a":1})");
}

TEST(StrategicMerge, merges_lists_by_key) {
  EXPECT_EQ(patch_spec(R"({"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"}]})",
                       R"({"containers":[{"name":"b","image":"3"}]})"),
            R"({"containers":[{"name":"a","image":"1"},{"name":"b","image":"3"}]})");
  EXPECT_EQ(
      patch_spec(
          R"({"containers":[{"name":"a","image":"1","env":[{"name":"X","value":"1"}]}]})",
          R"({"containers":[{"name":"a","env":[{"name":"Y","value":"2"},{"name":"X","value":"3"}]}]})"),
      R"({"containers":[{"name":"a","image":"1","env":[{"name":"Y","value":"2"},{"name":"X","value":"3"}]}]})");
  EXPECT_EQ(patch_spec(R"({"tolerations":[{"key":"a"}]})", R"({"tolerations":[{"key":"b"}]})"),
            R"({"tolerations":[{"key":"b"}]})");
}

TEST(StrategicMerge, deletes_and_replaces_by_directive) {
  EXPECT_EQ(patch_spec(R"({"containers":[{"name":"a"},{"name":"b"}]})",
                       R"({"containers":[{"name":"a","$patch":"delete"}]})"),
            R"({"containers":[{"name":"b"}]})");
  EXPECT_EQ(patch_spec(R"({"containers":[{"name":"a"},{"name":"b"}]})",
                       R"({"containers":[{"$patch":"replace"},{"name":"c"}]})"),
            R"({"containers":[{"name":"c"}]})");
  EXPECT_EQ(patch_spec(R"({"securityContext":{"runAsUser":1,"fsGroup":2}})",
                       R"({"securityContext":{"$patch":"replace","fsGroup":3}})"),
            R"({"securityContext":{"fsGroup":3}})");
  EXPECT_EQ(patch_spec(R"({"nodeSelector":{"a":"1","b":"2"},"hostNetwork":true})",
                       R"({"nodeSelector":{"a":null},"hostNetwork":null})"),
            R"({"nodeSelector":{"b":"2"}})");
  EXPECT_EQ(patch_spec(R"({"securityContext":{"runAsUser":1}})",
                       R"({"securityContext":{"$patch":"eat"}})"),
            R"(unknown patch type: eat in map: {"$patch":"eat"})");
  EXPECT_EQ(patch_spec(R"({"containers":[{"name":"a"}]})", R"({"containers":[{"image":"x"}]})"),
            R"(map: {"image":"x"} does not contain declared merge key: name)");
}

TEST(StrategicMerge, treats_lists_of_primitives) {
  const schema::Type& meta = schema::must_find_type("meta.k8s.io", "v1", "ObjectMeta");
  EXPECT_EQ(strategic(meta, R"({"finalizers":["a","b"]})", R"({"finalizers":["c"]})"),
            R"({"finalizers":["c","a","b"]})");
  EXPECT_EQ(strategic(meta, R"({"finalizers":["a","b","c"]})",
                      R"({"$deleteFromPrimitiveList/finalizers":["b"]})"),
            R"({"finalizers":["a","c"]})");
  EXPECT_EQ(strategic(meta, R"({"finalizers":["a","b"]})",
                      R"({"$setElementOrder/finalizers":["b","a","c"],"finalizers":["c"]})"),
            R"({"finalizers":["b","a","c"]})");
}

TEST(StrategicMerge, orders_elements) {
  EXPECT_EQ(
      patch_spec(
          R"({"containers":[{"name":"a"},{"name":"x"},{"name":"b"}]})",
          R"({"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"a","image":"1"}]})"),
      R"({"containers":[{"name":"x"},{"name":"b"},{"name":"a","image":"1"}]})");
  EXPECT_EQ(patch_spec(R"({"containers":[{"name":"a"},{"name":"b"}]})",
                       R"({"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]})"),
            R"({"containers":[{"name":"b"},{"name":"a"}]})");
}

TEST(StrategicMerge, retains_keys) {
  const schema::Type& spec = schema::must_find_type("apps", "v1", "DeploymentSpec");
  EXPECT_EQ(
      strategic(spec, R"({"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}})",
                R"({"strategy":{"$retainKeys":["type"],"type":"Recreate"}})"),
      R"({"strategy":{"type":"Recreate"}})");
  EXPECT_EQ(strategic(spec, R"({"strategy":{}})",
                      R"({"strategy":{"$retainKeys":["x"],"type":"Recreate"}})"),
            "invalid patch format of retainKeys");
  EXPECT_EQ(
      patch_spec(
          R"({"volumes":[{"name":"v","emptyDir":{}}]})",
          R"({"volumes":[{"$retainKeys":["name","configMap"],"name":"v","configMap":{"name":"c"}}]})"),
      R"({"volumes":[{"name":"v","configMap":{"name":"c"}}]})");
}

TEST(StrategicMerge, leaves_no_directives_in_new_values) {
  EXPECT_EQ(
      patch_spec(
          "{}",
          R"({"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"a","image":null,)"
          R"("$setElementOrder/ports":[{"containerPort":1}],"ports":[{"containerPort":1}]},)"
          R"({"name":"b","$patch":"delete"}]})"),
      R"({"containers":[{"name":"a","ports":[{"containerPort":1}]}]})");
  EXPECT_EQ(strategic(schema::must_find_type("apps", "v1", "DeploymentSpec"), "{}",
                      R"({"strategy":{"$retainKeys":["type"],"type":"Recreate"}})"),
            R"({"strategy":{"type":"Recreate"}})");
}

}  // namespace
}  // namespace tripod::kube
