#include "tools/hollow-node/kubelet.h"

namespace tripod::hollow {
namespace {

json::Value node_condition(std::string_view type, bool value, std::string_view reason,
                           std::string_view message, WallTime now) {
  json::Object condition;
  condition["type"] = type;
  condition["status"] = value ? "True" : "False";
  condition["lastHeartbeatTime"] = to_rfc3339(now);
  condition["lastTransitionTime"] = to_rfc3339(now);
  condition["reason"] = reason;
  condition["message"] = message;
  return condition;
}

json::Value pod_condition(std::string_view type, bool value, WallTime now) {
  json::Object condition;
  condition["type"] = type;
  condition["status"] = value ? "True" : "False";
  condition["lastProbeTime"] = nullptr;
  condition["lastTransitionTime"] = to_rfc3339(now);
  if (!value) condition["reason"] = "ContainersNotReady";
  return condition;
}

bool wants_ready(const json::Value& pod) {
  return kube::annotation(pod, "hollow.tripod.dev/ready") != "false";
}

json::Array container_statuses(const json::Value& pod, std::string_view list,
                               const json::Object& state, bool ready) {
  json::Array statuses;
  const json::Array* containers = json::get_array(pod, "spec", list);
  for (std::size_t i = 0; containers && i < containers->size(); ++i) {
    const json::Value& container = (*containers)[i];
    json::Object status;
    status["name"] = json::get_string(container, "name");
    status["image"] = json::get_string(container, "image");
    status["imageID"] = std::format("hollow://{}", json::get_string(container, "image"));
    status["containerID"] =
        std::format("hollow://{}-{}", kube::uid_of(pod), json::get_string(container, "name"));
    status["ready"] = ready;
    status["started"] = ready;
    status["restartCount"] = 0;
    status["state"] = state;
    statuses.push_back(std::move(status));
  }
  return statuses;
}

json::Object ended_state(WallTime now) {
  json::Object terminated;
  terminated["exitCode"] = 0;
  terminated["reason"] = "Completed";
  terminated["startedAt"] = to_rfc3339(now);
  terminated["finishedAt"] = to_rfc3339(now);
  json::Object state;
  state["terminated"] = std::move(terminated);
  return state;
}

}  // namespace

std::string host_ip_of(const NodeConfig& config) {
  return std::format("10.199.{}.{}", config.number / 250, config.number % 250 + 1);
}

json::Value make_node(const NodeConfig& config, WallTime now) {
  json::Value node = json::Object();
  json::Object& fields = node.as_object();
  fields["apiVersion"] = "v1";
  fields["kind"] = "Node";
  json::set(node, {"metadata", "name"}, json::Value(config.name));
  for (auto [key, value] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"kubernetes.io/hostname", config.name},
           {"kubernetes.io/os", "linux"},
           {"kubernetes.io/arch", "amd64"},
           {"beta.kubernetes.io/os", "linux"},
           {"beta.kubernetes.io/arch", "amd64"}}) {
    kube::set_label(node, key, value);
  }
  json::Object resources;
  resources["cpu"] = config.cpu;
  resources["memory"] = config.memory;
  resources["ephemeral-storage"] = "32Gi";
  resources["pods"] = std::to_string(config.pods_max);
  json::set(node, {"status", "capacity"}, json::Value(resources));
  json::set(node, {"status", "allocatable"}, json::Value(resources));
  json::Array& addresses = json::ensure_array(node, {"status", "addresses"});
  addresses.push_back(json::Object{{"type", "InternalIP"}, {"address", host_ip_of(config)}});
  addresses.push_back(json::Object{{"type", "Hostname"}, {"address", config.name}});
  json::Object info;
  info["machineID"] = config.name;
  info["systemUUID"] = config.name;
  info["bootID"] = config.name;
  info["kernelVersion"] = "6.1.0-hollow";
  info["osImage"] = "tripod hollow node";
  info["containerRuntimeVersion"] = "hollow://1.0";
  info["kubeletVersion"] = "v1.34.0-hollow";
  info["kubeProxyVersion"] = "";
  info["operatingSystem"] = "linux";
  info["architecture"] = "amd64";
  json::set(node, {"status", "nodeInfo"}, json::Value(std::move(info)));
  json::Array& conditions = json::ensure_array(node, {"status", "conditions"});
  conditions.push_back(node_condition("MemoryPressure", false, "KubeletHasSufficientMemory",
                                      "kubelet has sufficient memory available", now));
  conditions.push_back(node_condition("DiskPressure", false, "KubeletHasNoDiskPressure",
                                      "kubelet has no disk pressure", now));
  conditions.push_back(node_condition("PIDPressure", false, "KubeletHasSufficientPID",
                                      "kubelet has sufficient PID available", now));
  conditions.push_back(
      node_condition("Ready", true, "KubeletReady", "kubelet is posting ready status", now));
  return node;
}

json::Value running_status(const json::Value& pod, std::string_view pod_ip,
                           std::string_view host_ip, WallTime now) {
  const bool ready = wants_ready(pod);
  json::Object running;
  running["startedAt"] = to_rfc3339(now);
  json::Object state;
  state["running"] = std::move(running);
  json::Object status;
  status["phase"] = "Running";
  status["startTime"] = to_rfc3339(now);
  status["hostIP"] = host_ip;
  status["hostIPs"] = json::Array{json::Object{{"ip", host_ip}}};
  status["podIP"] = pod_ip;
  status["podIPs"] = json::Array{json::Object{{"ip", pod_ip}}};
  status["conditions"] =
      json::Array{pod_condition("PodReadyToStartContainers", true, now),
                  pod_condition("Initialized", true, now), pod_condition("Ready", ready, now),
                  pod_condition("ContainersReady", ready, now)};
  status["containerStatuses"] = container_statuses(pod, "containers", state, ready);
  if (const json::Array* init = json::get_array(pod, "spec", "initContainers");
      init && !init->empty()) {
    status["initContainerStatuses"] =
        container_statuses(pod, "initContainers", ended_state(now), true);
  }
  return status;
}

json::Value ended_status(const json::Value& pod, WallTime now) {
  json::Object status;
  status["phase"] = "Succeeded";
  status["conditions"] =
      json::Array{pod_condition("Ready", false, now), pod_condition("ContainersReady", false, now)};
  status["containerStatuses"] = container_statuses(pod, "containers", ended_state(now), false);
  return status;
}

}  // namespace tripod::hollow
