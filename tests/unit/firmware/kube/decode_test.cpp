#include "firmware/kube/decode.h"

#include <gtest/gtest.h>

namespace tripod::kube {
namespace {

const schema::Type& deployment() {
  return schema::must_find_type("apps", "v1", "Deployment");
}
const schema::Type& pod() {
  return schema::must_find_type("", "v1", "Pod");
}

std::string decoded(const schema::Type& type, std::string_view body,
                    FieldValidation how = FieldValidation::strict) {
  auto result = decode(type, body, how);
  if (!result) return std::string(result.error().message());
  json::erase(result->object, {"apiVersion"});
  json::erase(result->object, {"kind"});
  return json::serialize(result->object);
}

TEST(Decode, words_type_errors_as_go_does) {
  EXPECT_EQ(decoded(deployment(), R"({"spec":{"replicas":"x"}})"),
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot "
            "unmarshal string into Go struct "
            "field DeploymentSpec.spec.replicas of type int32");
  EXPECT_EQ(decoded(pod(), R"({"spec":{"containers":[{"env":[{"name":"a","value":1}]}]}})"),
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal number into "
            "Go struct field "
            "EnvVar.spec.containers.env.value of type string");
  EXPECT_EQ(decoded(pod(), R"({"spec":{"containers":{}}})"),
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal object into "
            "Go struct field "
            "PodSpec.spec.containers of type []v1.Container");
  EXPECT_EQ(decoded(deployment(), R"({"spec":{"replicas":1.5}})"),
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot "
            "unmarshal number 1.5 into Go "
            "struct field DeploymentSpec.spec.replicas of type int32");
  EXPECT_EQ(decoded(pod(), R"({"spec":{"overhead":{"cpu":"x"}}})"),
            "Pod in version \"v1\" cannot be handled as a Pod: quantities must match the regular "
            "expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  EXPECT_EQ(decoded(schema::must_find_type("", "v1", "Secret"), R"({"data":{"a":"b!"}})"),
            "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input "
            "byte 1");
  EXPECT_EQ(decode(pod(), "{", FieldValidation::warn).error().code, 400);
  EXPECT_EQ(decode(pod(), "[]", FieldValidation::warn).error().code, 400);
  EXPECT_EQ(decode(pod(), "{}", FieldValidation::warn, {.bytes_max = 1}).error().code, 413);
}

TEST(Decode, reports_unknown_and_duplicate_fields) {
  constexpr std::string_view body =
      R"({"spec":{"foo":1,"containers":[{"name":"a","bar":{}},{"name":"b","name":"c"}]},"metadata":{"labels":{"x":"y"}}})";
  EXPECT_EQ(decoded(pod(), body),
            "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown "
            "field \"spec.foo\", unknown "
            "field \"spec.containers[0].bar\", duplicate field \"spec.containers[1].name\"");
  auto warned = decode(pod(), body, FieldValidation::warn);
  ASSERT_TRUE(warned.has_value());
  EXPECT_EQ(warned->warnings.size(), 3u);
  EXPECT_EQ(warned->warnings[0], "unknown field \"spec.foo\"");
  EXPECT_EQ(
      decoded(pod(), body, FieldValidation::ignore),
      R"({"spec":{"containers":[{"name":"a"},{"name":"c"}]},"metadata":{"labels":{"x":"y"}}})");
}

TEST(Decode, checks_identity) {
  EXPECT_EQ(decoded(deployment(), R"({"apiVersion":"v1","kind":"Deployment"})"),
            "the API version in the data (v1) does not match the expected API version (apps/v1)");
  EXPECT_TRUE(decoded(deployment(), R"({"kind":"Pod"})")
                  .starts_with("Pod in version \"v1\" cannot be handled as a Dep"));
  EXPECT_EQ(decoded(deployment(), "{}"), "{}");
  const schema::Type& options = schema::must_find_type("meta.k8s.io", "v1", "DeleteOptions");
  EXPECT_TRUE(
      decode(options, R"({"apiVersion":"apps/v1","kind":"DeleteOptions"})", FieldValidation::strict)
          .has_value());
}

TEST(Decode, normalises_values) {
  EXPECT_EQ(
      decoded(pod(), R"({"metadata":{"creationTimestamp":null,"name":"x","labels":{}},
      "spec":{"nodeName":"","hostNetwork":false,"containers":[{"name":"a","resources":{"limits":{"cpu":0.5,"memory":"1024Ki"}},
      "ports":[],"securityContext":{"runAsUser":0}}],"tolerations":[null]},"status":{}})"),
      R"({"metadata":{"name":"x"},"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":"500m",)"
      R"("memory":"1Mi"}},"securityContext":{"runAsUser":0}}],"tolerations":[{}]},"status":{}})");
  EXPECT_EQ(decoded(pod(), R"({"metadata":{"deletionTimestamp":"2026-01-01T01:00:00.5+01:00"}})"),
            R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}})");
  EXPECT_EQ(decoded(deployment(), R"({"spec":{"replicas":3.0}})"), R"({"spec":{"replicas":3}})");
}

TEST(Decode, knows_its_parameter) {
  EXPECT_EQ(parse_field_validation("Strict"), FieldValidation::strict);
  EXPECT_EQ(parse_field_validation(""), FieldValidation::warn);
  EXPECT_EQ(parse_field_validation("strict").error().code, 400);
}

}  // namespace
}  // namespace tripod::kube
