#include "firmware/scheduler/model.h"

#include "platform/base/check.h"

namespace tripod::scheduler {
namespace {

std::map<std::string, std::string> string_map(const json::Object* object) {
  std::map<std::string, std::string> map;
  if (!object) return map;
  for (const auto& [key, value] : *object)
    map[std::string(key.data(), key.size())] = json::as_string(value);
  return map;
}

NodeTerm parse_term(const json::Value& term) {
  NodeTerm requirements;
  for (std::string_view list : {"matchExpressions", "matchFields"}) {
    const json::Array* all = json::get_array(term, list);
    if (!all) continue;
    for (const json::Value& each : *all) {
      NodeRequirement requirement{.key = std::string(json::get_string(each, "key")),
                                  .op = std::string(json::get_string(each, "operator")),
                                  .values = {},
                                  .field = list == "matchFields"};
      if (const json::Array* values = json::get_array(each, "values")) {
        for (const json::Value& value : *values)
          requirement.values.emplace_back(json::as_string(value));
      }
      requirements.push_back(std::move(requirement));
    }
  }
  return requirements;
}

void parse_affinity(const json::Value& pod, PodInfo& info) {
  const json::Value* affinity = json::find(pod, "spec", "affinity", "nodeAffinity");
  if (!affinity) return;
  if (const json::Array* terms = json::get_array(
          *affinity, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")) {
    info.has_required_terms = true;
    for (const json::Value& each : *terms) info.required_terms.push_back(parse_term(each));
  }
  if (const json::Array* terms =
          json::get_array(*affinity, "preferredDuringSchedulingIgnoredDuringExecution")) {
    for (const json::Value& each : *terms) {
      const json::Value* preference = json::find(each, "preference");
      if (!preference) continue;
      info.preferred_terms.emplace_back(static_cast<int>(json::get_int(each, "weight").value_or(0)),
                                        parse_term(*preference));
    }
  }
}

void parse_ports(const json::Value& pod, PodInfo& info) {
  const json::Array* containers = json::get_array(pod, "spec", "containers");
  if (!containers) return;
  const bool host_network = json::get_bool(pod, "spec", "hostNetwork");
  for (const json::Value& container : *containers) {
    const json::Array* ports = json::get_array(container, "ports");
    if (!ports) continue;
    for (const json::Value& each : *ports) {
      std::int64_t port = json::get_int(each, "hostPort").value_or(0);
      if (port == 0 && host_network) port = json::get_int(each, "containerPort").value_or(0);
      if (port == 0) continue;
      std::string_view protocol = json::get_string(each, "protocol");
      info.host_ports.push_back({std::string(protocol.empty() ? "TCP" : protocol),
                                 std::string(json::get_string(each, "hostIP")), port});
    }
  }
}

std::vector<Taint> parse_taints(const json::Value& node) {
  std::vector<Taint> taints;
  if (const json::Array* all = json::get_array(node, "spec", "taints")) {
    for (const json::Value& each : *all) {
      taints.push_back({std::string(json::get_string(each, "key")),
                        std::string(json::get_string(each, "value")),
                        std::string(json::get_string(each, "effect"))});
    }
  }
  return taints;
}

void keep_only(json::Value* object, std::initializer_list<std::string_view> fields) {
  if (!object || !object->is_object()) return;
  json::Object kept;
  for (std::string_view field : fields) {
    if (json::Value* value = object->get_object().if_contains(field))
      kept[field] = std::move(*value);
  }
  *object = std::move(kept);
}

}  // namespace

bool Toleration::tolerates(const Taint& taint) const {
  if (!effect.empty() && effect != taint.effect) return false;
  if (!key.empty() && key != taint.key) return false;
  if (op == "Exists") return true;
  return !key.empty() && (op.empty() || op == "Equal") && value == taint.value;
}

bool HostPort::conflicts(const HostPort& other) const {
  if (port != other.port || protocol != other.protocol) return false;
  const bool all = ip.empty() || ip == "0.0.0.0" || other.ip.empty() || other.ip == "0.0.0.0";
  return all || ip == other.ip;
}

bool PodInfo::tolerates(const Taint& taint) const {
  return std::ranges::any_of(tolerations,
                             [&](const Toleration& each) { return each.tolerates(taint); });
}

PodInfo PodInfo::parse(const json::Value& pod) {
  PodInfo info;
  info.key = kube::key_of(pod);
  info.uid = kube::uid_of(pod);
  info.controller_uid = kube::controller_uid(pod);
  info.node_name = json::get_string(pod, "spec", "nodeName");
  info.priority = json::get_int(pod, "spec", "priority").value_or(0);
  info.requests = requests_of(pod);
  info.scoring_requests = scoring_requests_of(pod);
  info.node_selector = string_map(json::get_object(pod, "spec", "nodeSelector"));
  parse_affinity(pod, info);
  if (const json::Array* all = json::get_array(pod, "spec", "tolerations")) {
    for (const json::Value& each : *all) {
      info.tolerations.push_back({std::string(json::get_string(each, "key")),
                                  std::string(json::get_string(each, "operator")),
                                  std::string(json::get_string(each, "value")),
                                  std::string(json::get_string(each, "effect"))});
    }
  }
  parse_ports(pod, info);
  return info;
}

void NodeInfo::read(const json::Value& node) {
  name = kube::name_of(node);
  labels = string_map(json::get_object(node, "metadata", "labels"));
  taints = parse_taints(node);
  unschedulable = json::get_bool(node, "spec", "unschedulable");
  const json::Value* list = json::find(node, "status", "allocatable");
  if (!list) list = json::find(node, "status", "capacity");
  allocatable = parse_resources(list);
  const json::Value* count = list ? json::find(*list, "pods") : nullptr;
  std::string_view text = count ? json::as_string(*count) : std::string_view();
  pods_max = count ? json::as_int(*count).value_or(0) : 0;
  std::from_chars(text.data(), text.data() + text.size(), pods_max);
}

void NodeInfo::place(const PodInfo& pod) {
  requested += pod.requests;
  scoring_requested += pod.scoring_requests;
  ++pods;
  host_ports.insert(host_ports.end(), pod.host_ports.begin(), pod.host_ports.end());
  if (!pod.controller_uid.empty()) ++by_controller[pod.controller_uid];
}

void NodeInfo::unplace(const PodInfo& pod) {
  requested -= pod.requests;
  scoring_requested -= pod.scoring_requests;
  CHECK(--pods >= 0);
  for (const HostPort& port : pod.host_ports) {
    auto same = std::ranges::find_if(host_ports, [&](const HostPort& each) {
      return each.port == port.port && each.protocol == port.protocol && each.ip == port.ip;
    });
    CHECK(same != host_ports.end());
    host_ports.erase(same);
  }
  if (pod.controller_uid.empty()) return;
  auto count = by_controller.find(pod.controller_uid);
  CHECK(count != by_controller.end());
  if (--count->second == 0) by_controller.erase(count);
}

bool equal_for_scheduling(const json::Value& before, const json::Value& now) {
  for (json::Path path : {json::Path{"metadata", "labels"}, json::Path{"spec"},
                          json::Path{"status", "allocatable"}}) {
    if (!json::equal_semantic(json::find(before, path), json::find(now, path))) return false;
  }
  return true;
}

void prune_pod(json::Value& pod) {
  json::erase(pod, {"metadata", "managedFields"});
  json::erase(pod, {"metadata", "annotations"});
  keep_only(json::find(pod, "spec"),
            {"nodeName", "schedulerName", "schedulingGates", "priority", "nodeSelector", "affinity",
             "tolerations", "containers", "initContainers", "overhead", "hostNetwork"});
  for (std::string_view list : {"containers", "initContainers"}) {
    json::Value* containers = json::find(pod, "spec", list);
    if (!containers || !containers->is_array()) continue;
    for (json::Value& each : containers->get_array())
      keep_only(&each, {"resources", "ports", "restartPolicy"});
  }
  keep_only(json::find(pod, "status"), {"phase", "conditions"});
}

void prune_node(json::Value& node) {
  json::erase(node, {"metadata", "managedFields"});
  json::erase(node, {"metadata", "annotations"});
  keep_only(json::find(node, "status"), {"allocatable", "capacity"});
}

}  // namespace tripod::scheduler
