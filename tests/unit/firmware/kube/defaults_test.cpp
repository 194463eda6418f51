#include "firmware/kube/defaults/defaults.h"

#include <gtest/gtest.h>

namespace tripod::kube {
namespace {

json::Value defaulted(std::string_view group, std::string_view kind, std::string_view text) {
  json::Value object = json::parse(text).value();
  const schema::Type& type = schema::must_find_type(group, "v1", kind);
  apply_defaults(type, object);
  json::Value again = object;
  apply_defaults(type, again);
  EXPECT_TRUE(json::equal(object, again)) << "not idempotent: " << json::serialize(again);
  return object;
}

void expect_equal(const json::Value& found, std::string_view expected) {
  EXPECT_TRUE(json::equal(found, json::parse(expected).value())) << json::serialize(found);
}

TEST(Defaults, fills_in_pods) {
  expect_equal(defaulted("", "Pod", R"({"metadata":{"name":"x"},"spec":{"serviceAccountName":"sa",
      "containers":[{"name":"a","image":"nginx","ports":[{"containerPort":80}],"readinessProbe":{"httpGet":{"port":80}},
      "env":[{"name":"N","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],"resources":{"limits":{"cpu":"1"}}}],
      "volumes":[{"name":"e"},{"name":"c","configMap":{"name":"c"}},{"name":"p","projected":{"sources":[
      {"serviceAccountToken":{"path":"t"}}]}}]}})"),
               R"({"metadata":{"name":"x"},"spec":{"serviceAccountName":"sa","serviceAccount":"sa",
      "containers":[{"name":"a","image":"nginx","imagePullPolicy":"Always","ports":[{"containerPort":80,"protocol":"TCP"}],
      "readinessProbe":{"httpGet":{"port":80,"path":"/","scheme":"HTTP"},"failureThreshold":3,"periodSeconds":10,
      "successThreshold":1,"timeoutSeconds":1},
      "env":[{"name":"N","valueFrom":{"fieldRef":{"fieldPath":"metadata.name","apiVersion":"v1"}}}],
      "resources":{"limits":{"cpu":"1"},"requests":{"cpu":"1"}},
      "terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],
      "volumes":[{"name":"e","emptyDir":{}},{"name":"c","configMap":{"name":"c","defaultMode":420}},
      {"name":"p","projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":3600}}]}}],
      "restartPolicy":"Always","dnsPolicy":"ClusterFirst","schedulerName":"default-scheduler","securityContext":{},
      "terminationGracePeriodSeconds":30,"enableServiceLinks":true}})");
}

TEST(Defaults, fills_in_host_ports) {
  const json::Value pod =
      defaulted("", "Pod",
                R"({"spec":{"hostNetwork":true,"containers":[{"ports":[{"containerPort":80}]}]}})");
  EXPECT_EQ(json::as_int(*json::find_pointer(pod, "/spec/containers/0/ports/0/hostPort")), 80);
}

TEST(Defaults, fills_in_deployments) {
  const json::Value object =
      defaulted("apps", "Deployment", R"({"spec":{"selector":{},"template":{"spec":{"containers":[
      {"name":"a","image":"nginx:1.2"}]}}}})");
  const json::Value& spec = *json::find(object, "spec");
  EXPECT_EQ(json::get_int(spec, "replicas"), 1);
  expect_equal(
      *json::find(spec, "strategy"),
      R"({"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}})");
  EXPECT_EQ(json::get_int(spec, "revisionHistoryLimit"), 10);
  EXPECT_EQ(json::get_int(spec, "progressDeadlineSeconds"), 600);
  EXPECT_EQ(json::find_pointer(spec, "/template/spec/containers/0/imagePullPolicy")->get_string(),
            "IfNotPresent");
  EXPECT_EQ(json::find_pointer(spec, "/template/spec/enableServiceLinks"), nullptr);
  expect_equal(
      *json::find(defaulted("apps", "Deployment", R"({"spec":{"strategy":{"type":"Recreate"}}})"),
                  "spec", "strategy"),
      R"({"type":"Recreate"})");
}

TEST(Defaults, fills_in_services) {
  expect_equal(
      defaulted(
          "", "Service",
          R"({"spec":{"ports":[{"port":80},{"port":1,"targetPort":"web","protocol":"UDP"}]}})"),
      R"({"spec":{"ports":[{"port":80,"targetPort":80,"protocol":"TCP"},{"port":1,"targetPort":"web","protocol":"UDP"}],
               "type":"ClusterIP","sessionAffinity":"None","internalTrafficPolicy":"Cluster"}})");
  const json::Value external =
      defaulted("", "Service", R"({"spec":{"type":"ExternalName","sessionAffinity":"ClientIP"}})");
  EXPECT_EQ(json::find(external, "spec", "internalTrafficPolicy"), nullptr);
  EXPECT_EQ(json::get_int(external, "spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"),
            10800);
}

TEST(Defaults, fills_in_small_kinds) {
  expect_equal(defaulted("", "Secret", "{}"), R"({"type":"Opaque"})");
  expect_equal(
      defaulted("", "Namespace", R"({"metadata":{"name":"x"}})"),
      R"({"metadata":{"name":"x","labels":{"kubernetes.io/metadata.name":"x"}},"status":{"phase":"Active"}})");
  expect_equal(defaulted("discovery.k8s.io", "EndpointSlice", R"({"ports":[{"port":1}]})"),
               R"({"ports":[{"port":1,"name":"","protocol":"TCP"}]})");
  expect_equal(defaulted("", "Endpoints", R"({"subsets":[{"ports":[{"port":1}]}]})"),
               R"({"subsets":[{"ports":[{"port":1,"protocol":"TCP"}]}]})");
  const json::Value controller = defaulted(
      "", "ReplicationController", R"({"spec":{"template":{"metadata":{"labels":{"a":"b"}}}}})");
  expect_equal(*json::find(controller, "spec", "selector"), R"({"a":"b"})");
  expect_equal(*json::find(controller, "metadata", "labels"), R"({"a":"b"})");
  EXPECT_EQ(json::get_int(controller, "spec", "replicas"), 1);
  expect_equal(defaulted("coordination.k8s.io", "Lease", "{}"), "{}");
}

TEST(Defaults, knows_pull_policies_and_qos) {
  EXPECT_EQ(default_pull_policy("nginx"), "Always");
  EXPECT_EQ(default_pull_policy("host:5000/nginx"), "Always");
  EXPECT_EQ(default_pull_policy("host:5000/nginx:1"), "IfNotPresent");
  EXPECT_EQ(default_pull_policy("nginx:latest"), "Always");
  EXPECT_EQ(default_pull_policy("nginx@sha256:00"), "IfNotPresent");
  const auto qos = [](std::string_view resources) {
    return qos_class(
        json::parse(std::format(R"({{"spec":{{"containers":[{{"resources":{}}}]}}}})", resources))
            .value());
  };
  EXPECT_EQ(qos("{}"), "BestEffort");
  EXPECT_EQ(qos(R"({"requests":{"cpu":"1"}})"), "Burstable");
  EXPECT_EQ(qos(R"({"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1","memory":"1Gi"}})"),
            "Guaranteed");
}

}  // namespace
}  // namespace tripod::kube
