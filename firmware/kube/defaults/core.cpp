// The kinds of the core group besides pods, and discovery.

#include "firmware/kube/defaults/hooks.h"

namespace tripod::kube::defaults {

namespace {

void service(json::Object& object) {
  json::Object& spec = fill_object(object, "spec");
  fill(spec, "sessionAffinity", "None");
  if (text_at(spec, "sessionAffinity") == "ClientIP") {
    fill(fill_object(fill_object(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds",
         10800);
  }
  fill(spec, "type", "ClusterIP");
  const std::string type(text_at(spec, "type"));
  const bool external = type == "NodePort" || type == "LoadBalancer";
  const json::Value* external_ips = spec.if_contains("externalIPs");
  const bool reachable =
      external_ips && external_ips->is_array() && !external_ips->get_array().empty();
  if (external || (type == "ClusterIP" && reachable))
    fill(spec, "externalTrafficPolicy", "Cluster");
  if (external || type == "ClusterIP") fill(spec, "internalTrafficPolicy", "Cluster");
  if (type == "LoadBalancer") fill(spec, "allocateLoadBalancerNodePorts", true);
}

void service_port(json::Object& port) {
  const json::Value* target = port.if_contains("targetPort");
  const bool unset = !target || json::as_int(*target) == 0 ||
                     (target->is_string() && target->get_string().empty());
  const json::Value* number = port.if_contains("port");
  if (unset && number) {
    const json::Value copy = *number;
    port["targetPort"] = copy;
  }
}

void secret(json::Object& object) {
  fill(object, "type", "Opaque");
}

void name_space(json::Object& object) {
  fill(fill_object(object, "status"), "phase", "Active");
  const json::Object& metadata = fill_object(object, "metadata");
  if (const std::string name(text_at(metadata, "name")); !name.empty()) {
    fill(fill_object(fill_object(object, "metadata"), "labels"), "kubernetes.io/metadata.name",
         name);
  }
}

void node_status(json::Object& status) {
  if (const json::Value* capacity = status.if_contains("capacity");
      capacity && !status.contains("allocatable")) {
    const json::Value copy = *capacity;
    status["allocatable"] = copy;
  }
}

void endpoint_port(json::Object& port) {
  fill(port, "protocol", "TCP");
}

void slice_port(json::Object& port) {
  fill(port, "name", "");
  fill(port, "protocol", "TCP");
}

void volume_spec(json::Object& spec) {
  fill(spec, "persistentVolumeReclaimPolicy", "Retain");
  fill(spec, "volumeMode", "Filesystem");
}

void pending(json::Object& object) {
  fill(fill_object(object, "status"), "phase", "Pending");
}

/// Selector and labels of a replication controller come from its template.
void replication_controller(json::Object& object) {
  json::Object& spec = fill_object(object, "spec");
  const json::Value root(object);
  const json::Object* labels = json::get_object(root, "spec", "template", "metadata", "labels");
  if (!labels || labels->empty()) return;
  if (fill_object(spec, "selector").empty()) spec["selector"] = *labels;
  json::Object& metadata = fill_object(object, "metadata");
  if (fill_object(metadata, "labels").empty()) metadata["labels"] = *labels;
}

/// What a limit range leaves open follows from what it says: max -> default -> defaultRequest <-
/// min.
void limit_range_item(json::Object& item) {
  if (text_at(item, "type") != "Container") return;
  const auto follow = [&](std::string_view from, std::string_view to) {
    const json::Value* source = item.if_contains(from);
    if (!source || !source->is_object()) return;
    const json::Object copy = source->get_object();
    json::Object& target = fill_object(item, to);
    for (const auto& [name, quantity] : copy) fill(target, name, quantity);
  };
  follow("max", "default");
  follow("default", "defaultRequest");
  follow("min", "defaultRequest");
}

constexpr HookEntry hooks[] = {
    {"", "Service", service},
    {"", "ServicePort", service_port},
    {"", "Secret", secret},
    {"", "Namespace", name_space},
    {"", "NodeStatus", node_status},
    {"", "EndpointPort", endpoint_port},
    {"", "PersistentVolumeSpec", volume_spec},
    {"", "PersistentVolume", pending},
    {"", "PersistentVolumeClaim", pending},
    {"", "ReplicationController", replication_controller},
    {"", "LimitRangeItem", limit_range_item},
    {"discovery.k8s.io", "EndpointPort", slice_port},
};

}  // namespace

std::span<const HookEntry> core_hooks() {
  return hooks;
}

}  // namespace tripod::kube::defaults
