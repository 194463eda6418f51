#include "firmware/kube/validation/validation.h"

#include <gtest/gtest.h>

#include "firmware/kube/defaults/defaults.h"

namespace tripod::kube {
namespace {

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value ? *value : json::Value();
}

json::Value made(std::string_view group, std::string_view kind, std::string_view text) {
  json::Value object = parsed(text);
  json::Value base =
      parsed(R"({"metadata":{"name":"x","namespace":"default","resourceVersion":"1"}})");
  json::merge_over(base, object);
  apply_defaults(schema::must_find_type(group, "v1", kind), base);
  return base;
}

/// The errors, one per line.
std::string lines(const FieldErrors& errors) {
  std::string text;
  for (const FieldError& error : errors) text += (text.empty() ? "" : "\n") + error.to_string();
  return text;
}

std::string created(std::string_view group, std::string_view kind, std::string_view text,
                    bool namespaced = true) {
  const json::Value object = made(group, kind, text);
  return lines(validate({.type = schema::must_find_type(group, "v1", kind),
                         .object = object,
                         .namespaced = namespaced}));
}

std::string updated(std::string_view group, std::string_view kind, std::string_view from,
                    std::string_view to) {
  const json::Value old = made(group, kind, from);
  const json::Value object = made(group, kind, to);
  return lines(
      validate({.type = schema::must_find_type(group, "v1", kind), .object = object, .old = &old}));
}

constexpr std::string_view good_pod = R"({"spec":{"containers":[{"name":"a","image":"nginx:1"}]}})";

std::string pod_with(std::string_view spec) {
  json::Value object = parsed(good_pod);
  json::merge_over(*json::find(object, "spec"), parsed(spec));
  return created("", "Pod", json::serialize(object));
}

std::string container_with(std::string_view fields) {
  json::Value object = parsed(good_pod);
  json::merge_over(json::ensure_array(object, {"spec", "containers"})[0], parsed(fields));
  return created("", "Pod", json::serialize(object));
}

TEST(ValidateMeta, checks_names_by_kind) {
  EXPECT_EQ(
      created("", "ConfigMap", R"({"metadata":{"name":"X"}})"),
      "metadata.name: Invalid value: \"X\": a lowercase RFC 1123 subdomain must consist of lower "
      "case alphanumeric "
      "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
      "'example.com', regex used "
      "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
  EXPECT_TRUE(created("", "Namespace", R"({"metadata":{"name":"a.b","namespace":""}})", false)
                  .starts_with("metadata.name: Invalid value: \"a.b\": must not contain dots"));
  EXPECT_TRUE(
      created("", "Service", R"({"metadata":{"name":"1a"},"spec":{"ports":[{"port":1}]}})")
          .starts_with("metadata.name: Invalid value: \"1a\": a DNS-1035 label must consist of"));
  EXPECT_EQ(created("", "ConfigMap", R"({"metadata":{"name":""}})"),
            "metadata.name: Required value: name or generateName is required");
  EXPECT_EQ(created("", "ConfigMap", R"({"metadata":{"generateName":"x-"}})"), "");
  EXPECT_EQ(created("", "Node", "{}", false),
            "metadata.namespace: Forbidden: not allowed on this type");
}

TEST(ValidateMeta, checks_labels_annotations_owners) {
  EXPECT_TRUE(
      created("", "ConfigMap", R"({"metadata":{"labels":{"a b":"c"}}})")
          .starts_with(
              "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric"));
  EXPECT_TRUE(
      created("", "ConfigMap", R"({"metadata":{"labels":{"a":"c d"}}})")
          .starts_with(
              "metadata.labels: Invalid value: \"c d\": a valid label must be an empty string or"));
  EXPECT_EQ(
      created("", "ConfigMap",
              R"({"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p"}]}})"),
      "metadata.ownerReferences[0].uid: Required value: must not be empty");
  json::Value huge;
  json::set(huge, {"metadata", "annotations", "a"}, std::string(256 * 1024, 'x').c_str());
  EXPECT_EQ(created("", "ConfigMap", json::serialize(huge)),
            "metadata.annotations: Too long: may not be more than 262144 bytes");
}

TEST(ValidateMeta, guards_updates) {
  EXPECT_EQ(updated("", "ConfigMap", R"({"metadata":{"uid":"1"}})", R"({"metadata":{"uid":"2"}})"),
            "metadata.uid: Invalid value: \"2\": field is immutable");
  EXPECT_EQ(updated("", "ConfigMap", R"({"metadata":{"uid":"1"}})",
                    R"({"metadata":{"resourceVersion":""}})"),
            "metadata.resourceVersion: Invalid value: \"\": must be specified for an update");
  EXPECT_EQ(updated("", "ConfigMap", R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"}})",
                    R"({"metadata":{"finalizers":["a.b/c"]}})"),
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
            "deleted, found new "
            "finalizers []string{\"a.b/c\"}");
}

TEST(ValidatePod, accepts_a_plain_pod) {
  EXPECT_EQ(created("", "Pod", good_pod), "");
}

TEST(ValidatePod, checks_containers) {
  EXPECT_EQ(created("", "Pod", "{}"), "spec.containers: Required value");
  EXPECT_EQ(container_with(R"({"image":""})"), "spec.containers[0].image: Required value");
  EXPECT_EQ(container_with(R"({"imagePullPolicy":"Sometimes"})"),
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported "
            "values: \"Always\", "
            "\"IfNotPresent\", \"Never\"");
  EXPECT_EQ(
      container_with(R"({"ports":[{"containerPort":0},{"containerPort":70000,"protocol":"TCP"}]})"),
      "spec.containers[0].ports[0].containerPort: Required value\n"
      "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and "
      "65535, inclusive");
  EXPECT_EQ(
      container_with(
          R"({"env":[{"name":"a","value":"1","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]})"),
      "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` "
      "is not empty");
  EXPECT_EQ(container_with(R"({"volumeMounts":[{"name":"v","mountPath":"/a"}]})"),
            "spec.containers[0].volumeMounts[0].name: Not found: \"v\"");
  EXPECT_EQ(container_with(R"({"resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}}})"),
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or "
            "equal to cpu limit of 1");
  EXPECT_EQ(container_with(R"({"resources":{"requests":{"memory":"-1"}}})"),
            "spec.containers[0].resources.requests[memory]: Invalid value: \"-1\": must be greater "
            "than or equal to 0");
  EXPECT_EQ(container_with(R"({"livenessProbe":{"successThreshold":2,"httpGet":{"port":0}}})"),
            "spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 "
            "and 65535, inclusive\n"
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1");
  EXPECT_EQ(pod_with(R"({"containers":[{"name":"a","image":"i"},{"name":"a","image":"i"}]})"),
            "spec.containers[1].name: Duplicate value: \"a\"");
}

TEST(ValidatePod, checks_the_spec) {
  EXPECT_EQ(pod_with(R"({"restartPolicy":"Maybe"})"),
            "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", "
            "\"OnFailure\", \"Never\"");
  EXPECT_EQ(pod_with(R"({"volumes":[{"name":"v","secret":{"secretName":"s"},"emptyDir":{}}]})"),
            "spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type");
  EXPECT_EQ(pod_with(R"({"tolerations":[{"operator":"Equal"}]})"),
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when "
            "`key` is empty, which "
            "means \"match all values and all keys\"");
  EXPECT_EQ(
      pod_with(
          R"({"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{}}}})"),
      "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms:"
      " Required value: "
      "must have at least one node selector term");
  EXPECT_EQ(pod_with(R"({"securityContext":{"runAsUser":-1}})"),
            "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, "
            "inclusive");
}

TEST(ValidatePod, guards_updates) {
  EXPECT_EQ(updated("", "Pod", good_pod, R"({"spec":{"containers":[{"name":"a","image":"nginx:2"}],
      "tolerations":[{"key":"k","operator":"Exists"}]}})"),
            "");
  EXPECT_TRUE(
      updated("", "Pod", good_pod,
              R"({"spec":{"hostNetwork":true,"containers":[{"name":"a","image":"nginx:1"}]}})")
          .starts_with("spec: Forbidden: pod updates may not change fields other than "
                       "`spec.containers[*].image`"));
  EXPECT_EQ(
      updated("", "Pod", good_pod,
              R"({"spec":{"containers":[{"name":"a","image":"i"},{"name":"b","image":"i"}]}})"),
      "spec.containers: Forbidden: pod updates may not add or remove containers");
}

TEST(ValidateWorkloads, checks_deployments) {
  EXPECT_EQ(
      created("apps", "Deployment", R"({"spec":{"replicas":-1,"selector":{"matchLabels":{"a":"b"}},
      "template":{"metadata":{"labels":{"a":"c"}},"spec":{"containers":[{"name":"a","image":"i"}]}}}})"),
      "spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
      "spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match "
      "template `labels`");
  EXPECT_EQ(
      created(
          "apps", "Deployment",
          R"({"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"i"}]}}}})"),
      "spec.selector: Required value\n"
      "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: "
      "\"Always\"");
  constexpr std::string_view base =
      R"({"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":
      {"a":"b","c":"d"}},"spec":{"containers":[{"name":"a","image":"i"}]}}}})";
  EXPECT_EQ(created("apps", "Deployment", base), "");
  json::Value other = parsed(base);
  json::set(other, {"spec", "selector", "matchLabels"}, parsed(R"({"c":"d"})"));
  EXPECT_EQ(updated("apps", "Deployment", base, json::serialize(other)),
            "spec.selector: Invalid value: {\"matchLabels\":{\"c\":\"d\"}}: field is immutable");
  json::Value rolling = parsed(base);
  json::set(rolling, {"spec", "strategy", "rollingUpdate"},
            parsed(R"({"maxSurge":0,"maxUnavailable":"0%"})"));
  EXPECT_EQ(created("apps", "Deployment", json::serialize(rolling)),
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when "
            "`maxSurge` is 0");
}

TEST(ValidateNetwork, checks_services) {
  EXPECT_EQ(created("", "Service", R"({"spec":{}})"), "spec.ports: Required value");
  EXPECT_EQ(created("", "Service", R"({"spec":{"clusterIP":"None"}})"), "");
  EXPECT_EQ(created("", "Service", R"({"spec":{"ports":[{"port":0}]}})"),
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive\n"
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive");
  EXPECT_EQ(created("", "Service", R"({"spec":{"type":"Cluster","ports":[{"port":1}]}})"),
            "spec.type: Unsupported value: \"Cluster\": supported values: \"ClusterIP\", "
            "\"ExternalName\", "
            "\"LoadBalancer\", \"NodePort\"");
  EXPECT_EQ(created("", "Service", R"({"spec":{"ports":[{"port":1},{"port":2,"name":"b"}]}})"),
            "spec.ports[0].name: Required value");
  EXPECT_EQ(updated("", "Service", R"({"spec":{"clusterIP":"10.0.0.1","ports":[{"port":1}]}})",
                    R"({"spec":{"clusterIP":"10.0.0.2","ports":[{"port":1}]}})"),
            "spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set");
}

TEST(ValidateNetwork, checks_endpoints) {
  EXPECT_EQ(created("", "Endpoints", R"({"subsets":[{}]})"),
            "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`");
  EXPECT_EQ(created("", "Endpoints", R"({"subsets":[{"addresses":[{"ip":"127.0.0.1"}]}]})"),
            "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback "
            "range (127.0.0.0/8, "
            "::1/128)");
  EXPECT_EQ(created("discovery.k8s.io", "EndpointSlice",
                    R"({"addressType":"IPv4","endpoints":[{"addresses":[]}]})"),
            "endpoints[0].addresses: Required value: must contain at least 1 address");
}

TEST(ValidateCore, checks_config_and_secrets) {
  EXPECT_TRUE(created("", "ConfigMap", R"({"data":{"a/b":"c"}})")
                  .starts_with("data[a/b]: Invalid value: \"a/b\": a valid"));
  EXPECT_EQ(created("", "Secret", R"({"type":"kubernetes.io/tls","data":{"tls.crt":""}})"),
            "data[tls.key]: Required value");
  EXPECT_EQ(updated("", "Secret", R"({"type":"a"})", R"({"type":"b"})"),
            "type: Invalid value: \"b\": field is immutable");
  EXPECT_EQ(updated("", "ConfigMap", R"({"immutable":true,"data":{"a":"b"}})",
                    R"({"immutable":true,"data":{"a":"c"}})"),
            "data: Forbidden: field is immutable when `immutable` is set");
}

TEST(ValidateCore, checks_small_kinds) {
  EXPECT_EQ(created("coordination.k8s.io", "Lease", R"({"spec":{"leaseDurationSeconds":0}})"),
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0");
  EXPECT_EQ(created("", "Event", R"({"involvedObject":{"namespace":"other"}})"),
            "involvedObject.namespace: Invalid value: \"other\": does not match event.namespace");
  EXPECT_EQ(created("", "Event", R"({"involvedObject":{"kind":"Node"}})"), "");
  EXPECT_EQ(created("", "Node",
                    R"({"metadata":{"namespace":""},"spec":{"taints":[{"key":"a","effect":"X"}]}})",
                    false),
            "spec.taints[0].effect: Unsupported value: \"X\": supported values: \"NoSchedule\", "
            "\"PreferNoSchedule\", "
            "\"NoExecute\"");
  EXPECT_EQ(created("", "Binding", R"({"target":{"kind":"Pod","name":""}})"),
            "target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\"\n"
            "target.name: Required value");
}

}  // namespace
}  // namespace tripod::kube
