// Pods, their containers, probes and volumes.

#include "firmware/kube/defaults/defaults.h"
#include "firmware/kube/defaults/hooks.h"

namespace tripod::kube {

std::string_view default_pull_policy(std::string_view image) {
  if (image.contains('@')) return "IfNotPresent";
  const auto slash = image.rfind('/');
  const std::string_view last = slash == image.npos ? image : image.substr(slash + 1);
  const auto colon = last.rfind(':');
  return colon == last.npos || last.substr(colon + 1) == "latest" ? "Always" : "IfNotPresent";
}

namespace defaults {
namespace {

constexpr int file_mode = 0644;

template <typename Visit>
void each_container(json::Object& spec, const Visit& visit) {
  for (std::string_view list : {"containers", "initContainers"}) {
    json::Value* containers = spec.if_contains(list);
    if (!containers || !containers->is_array()) continue;
    for (json::Value& container : containers->get_array()) {
      if (container.is_object()) visit(container.get_object());
    }
  }
}

/// A limit without a request is the request as well.
void request_limits(json::Object& container) {
  json::Object& resources = fill_object(container, "resources");
  const json::Value* limits = resources.if_contains("limits");
  if (!limits || !limits->is_object() || limits->get_object().empty()) return;
  const json::Object copy = limits->get_object();
  json::Object& requests = fill_object(resources, "requests");
  for (const auto& [name, quantity] : copy) fill(requests, name, quantity);
}

void pod(json::Object& object) {
  json::Object& spec = fill_object(object, "spec");
  each_container(spec, request_limits);
  fill(spec, "enableServiceLinks", true);
}

/// Ports of the host network are the host's ports.
void host_ports(json::Object& container) {
  json::Value* ports = container.if_contains("ports");
  if (!ports || !ports->is_array()) return;
  for (json::Value& port : ports->get_array()) {
    if (!port.is_object()) continue;
    if (const json::Value* number = port.get_object().if_contains("containerPort")) {
      const json::Value copy = *number;
      fill(port.get_object(), "hostPort", copy);
    }
  }
}

void pod_spec(json::Object& spec) {
  fill(spec, "restartPolicy", "Always");
  fill(spec, "terminationGracePeriodSeconds", 30);
  fill(spec, "dnsPolicy", "ClusterFirst");
  const json::Value host_network =
      spec.contains("hostNetwork") ? spec["hostNetwork"] : json::Value();
  if (host_network.is_bool() && host_network.get_bool()) each_container(spec, host_ports);
  fill_object(spec, "securityContext");
  fill(spec, "schedulerName", "default-scheduler");
  // serviceAccount is the old name of serviceAccountName.
  if (const std::string_view name = text_at(spec, "serviceAccountName"); !name.empty()) {
    const json::Value copy(name);
    spec["serviceAccount"] = copy;
  } else if (const std::string_view old = text_at(spec, "serviceAccount"); !old.empty()) {
    const json::Value copy(old);
    spec["serviceAccountName"] = copy;
  }
}

void container(json::Object& object) {
  fill(object, "imagePullPolicy", default_pull_policy(text_at(object, "image")));
  fill_object(object, "resources");
  fill(object, "terminationMessagePath", "/dev/termination-log");
  fill(object, "terminationMessagePolicy", "File");
}

void probe(json::Object& object) {
  fill(object, "failureThreshold", 3);
  fill(object, "periodSeconds", 10);
  fill(object, "successThreshold", 1);
  fill(object, "timeoutSeconds", 1);
}

void http_get(json::Object& object) {
  fill(object, "path", "/");
  fill(object, "scheme", "HTTP");
}

void field_selector(json::Object& object) {
  fill(object, "apiVersion", "v1");
}
void file_source(json::Object& object) {
  fill(object, "defaultMode", file_mode);
}
void token_source(json::Object& object) {
  fill(object, "expirationSeconds", 3600);
}
void host_path(json::Object& object) {
  fill(object, "type", "");
}
void claim_spec(json::Object& object) {
  fill(object, "volumeMode", "Filesystem");
}

void azure_disk(json::Object& object) {
  fill(object, "cachingMode", "ReadWrite");
  fill(object, "kind", "Shared");
}

void volume(json::Object& object) {
  const bool sourceless = object.size() == 1 && object.contains("name");
  if (sourceless) fill_object(object, "emptyDir");
}

constexpr HookEntry hooks[] = {
    {"", "Pod", pod},
    {"", "PodSpec", pod_spec},
    {"", "Container", container},
    {"", "EphemeralContainer", container},
    {"", "Probe", probe},
    {"", "HTTPGetAction", http_get},
    {"", "ObjectFieldSelector", field_selector},
    {"", "Volume", volume},
    {"", "SecretVolumeSource", file_source},
    {"", "ConfigMapVolumeSource", file_source},
    {"", "DownwardAPIVolumeSource", file_source},
    {"", "ProjectedVolumeSource", file_source},
    {"", "ServiceAccountTokenProjection", token_source},
    {"", "HostPathVolumeSource", host_path},
    {"", "AzureDiskVolumeSource", azure_disk},
    {"", "PersistentVolumeClaimSpec", claim_spec},
};

}  // namespace

std::span<const HookEntry> pod_hooks() {
  return hooks;
}

}  // namespace defaults

std::string_view qos_class(const json::Value& pod) {
  bool any = false;
  bool guaranteed = true;
  for (std::string_view list : {"containers", "initContainers"}) {
    const json::Array* containers = json::get_array(pod, "spec", list);
    if (!containers) continue;
    for (const json::Value& container : *containers) {
      for (std::string_view resource : {"cpu", "memory"}) {
        const std::string_view request =
            json::get_string(container, "resources", "requests", resource);
        const std::string_view limit = json::get_string(container, "resources", "limits", resource);
        const bool has_request = !request.empty() && request != "0";
        const bool has_limit = !limit.empty() && limit != "0";
        any = any || has_request || has_limit;
        guaranteed = guaranteed && has_limit && (!has_request || request == limit);
      }
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

}  // namespace tripod::kube
