#include "firmware/kube/status.h"

#include <gtest/gtest.h>

#include "firmware/kube/object.h"
#include "firmware/kube/syntax.h"

namespace tripod::kube {
namespace {

TEST(Status, words_the_usual_refusals) {
  const GroupResource deployments{"apps", "deployments"};
  EXPECT_EQ(json::serialize(errors::not_found(deployments, "x").status),
            R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
            R"("message":"deployments.apps \"x\" not found","reason":"NotFound",)"
            R"("details":{"name":"x","group":"apps","kind":"deployments"},"code":404})");
  EXPECT_EQ(errors::conflict(deployments, "x").message(),
            "Operation cannot be fulfilled on deployments.apps \"x\": the object has been "
            "modified; please apply your "
            "changes to the latest version and try again");
  EXPECT_EQ(errors::already_exists({"", "pods"}, "x").message(), "pods \"x\" already exists");
  EXPECT_EQ(errors::forbidden({"", "pods"}, "", "no").message(), "pods is forbidden: no");
  EXPECT_EQ(errors::expired("too old").reason(), "Expired");
  EXPECT_EQ(errors::expired("too old").code, 410);
  EXPECT_EQ(errors::internal_error("x").message(), "Internal error occurred: x");
}

TEST(Status, lists_causes_of_invalid_objects) {
  const FieldErrors found = {
      required(FieldPath("spec").child("containers").index(0).child("image")),
      invalid("metadata.name", "X", "bad"), not_supported("spec.type", "T", {"A", "B"})};
  const StatusError error = errors::invalid({"apps", "Deployment"}, "x", found);
  EXPECT_EQ(error.code, 422);
  EXPECT_EQ(error.message(),
            "Deployment.apps \"x\" is invalid: [spec.containers[0].image: Required value, "
            "metadata.name: Invalid value: "
            "\"X\": bad, spec.type: Unsupported value: \"T\": supported values: \"A\", \"B\"]");
  const json::Array& causes = *json::get_array(error.status, "details", "causes");
  ASSERT_EQ(causes.size(), 3u);
  EXPECT_EQ(
      json::serialize(causes[0]),
      R"({"reason":"FieldValueRequired","message":"Required value","field":"spec.containers[0].image"})");
  EXPECT_EQ(json::get_string(causes[2], "reason"), "FieldValueNotSupported");
}

TEST(Syntax, knows_names) {
  EXPECT_TRUE(check_dns1123_subdomain("a-b.c1").empty());
  EXPECT_FALSE(check_dns1123_subdomain("A").empty());
  EXPECT_FALSE(check_dns1123_subdomain("a..b").empty());
  EXPECT_FALSE(check_dns1123_subdomain("").empty());
  EXPECT_EQ(check_dns1123_label("a.b"), Complaints{"must not contain dots"});
  EXPECT_FALSE(check_dns1035_label("1a").empty());
  EXPECT_TRUE(check_qualified_name("example.com/My_Name.x").empty());
  EXPECT_FALSE(check_qualified_name("/x").empty());
  EXPECT_TRUE(check_label_value("").empty());
  EXPECT_FALSE(check_label_value("-a").empty());
  EXPECT_EQ(check_dns1123_label(std::string(64, 'a')), Complaints{"must be no more than 63 bytes"});
  EXPECT_FALSE(check_config_key("..").empty());
  EXPECT_TRUE(check_port_name("http-1").empty());
  EXPECT_FALSE(check_port_name("80").empty());
}

TEST(Syntax, knows_addresses) {
  for (const char* four : {"10.0.0.1", "0.0.0.0", "255.255.255.255"})
    EXPECT_EQ(ip_family(four), 4) << four;
  for (const char* six :
       {"::", "::1", "2001:db8::ffff", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1::"}) {
    EXPECT_EQ(ip_family(six), 6) << six;
  }
  for (const char* none : {"", "1.2.3", "1.2.3.256", "01.2.3.4", ":", ":::", "1::2::3",
                           "1:2:3:4:5:6:7", "g::", "1:"}) {
    EXPECT_EQ(ip_family(none), 0) << none;
  }
}

TEST(Object, keeps_conditions_and_their_transition_times) {
  json::Value pod = make_object({"", "v1", "Pod"}, "default", "x");
  EXPECT_EQ(key_of(pod), "default/x");
  const WallTime early{std::chrono::seconds(100)}, late{std::chrono::seconds(200)};
  EXPECT_TRUE(set_condition(pod, {"Ready", "False", "Why", ""}, early));
  EXPECT_FALSE(set_condition(pod, {"Ready", "False", "Why", ""}, late));
  EXPECT_TRUE(set_condition(pod, {"Ready", "False", "Other", ""}, late));
  EXPECT_EQ(json::get_string(*condition(pod, "Ready"), "lastTransitionTime"),
            "1970-01-01T00:01:40Z");
  EXPECT_TRUE(set_condition(pod, {"Ready", "True", "", ""}, late));
  EXPECT_EQ(json::get_string(*condition(pod, "Ready"), "lastTransitionTime"),
            "1970-01-01T00:03:20Z");
  EXPECT_TRUE(is_pod_ready(pod));
}

TEST(Object, finds_its_controller) {
  json::Value owner = make_object({"apps", "v1", "ReplicaSet"}, "default", "web");
  json::set(owner, {"metadata", "uid"}, "u1");
  json::Value pod = make_object({"", "v1", "Pod"}, "default", "x");
  EXPECT_FALSE(controller_of(pod).has_value());
  json::ensure_array(pod, {"metadata", "ownerReferences"})
      .push_back(controller_reference(owner).to_json());
  ASSERT_TRUE(controller_of(pod).has_value());
  EXPECT_EQ(controller_of(pod)->uid, "u1");
  EXPECT_EQ(controller_of(pod)->api_version, "apps/v1");
  add_finalizer(pod, "a");
  add_finalizer(pod, "a");
  EXPECT_TRUE(remove_finalizer(pod, "a"));
  EXPECT_FALSE(has_finalizer(pod, "a"));
}

}  // namespace
}  // namespace tripod::kube
