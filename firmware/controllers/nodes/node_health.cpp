#include "firmware/controllers/nodes/node_health.h"

namespace tripod::controllers {
namespace {

struct ConditionTaint {
  std::string_view condition;
  std::string_view status;
  std::string_view taint;
};
constexpr ConditionTaint condition_taints[] = {
    {"Ready", "False", "node.kubernetes.io/not-ready"},
    {"Ready", "Unknown", "node.kubernetes.io/unreachable"},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
};
constexpr std::string_view cordon_taint = "node.kubernetes.io/unschedulable";
constexpr std::string_view conditions_of_kubelet[] = {"Ready", "MemoryPressure", "DiskPressure",
                                                      "PIDPressure"};

bool is_ours(std::string_view key) {
  return key == cordon_taint ||
         std::ranges::any_of(condition_taints, [&](const auto& each) { return each.taint == key; });
}

bool evicts(const ConditionTaint& each) {
  return each.condition == "Ready";
}

bool tolerates(const json::Value& toleration, const json::Value& taint) {
  std::string_view effect = json::get_string(toleration, "effect");
  std::string_view key = json::get_string(toleration, "key");
  if (!effect.empty() && effect != json::get_string(taint, "effect")) return false;
  if (!key.empty() && key != json::get_string(taint, "key")) return false;
  if (json::get_string(toleration, "operator") == "Exists") return true;
  return !key.empty() && json::get_string(toleration, "value") == json::get_string(taint, "value");
}

}  // namespace

void observe(NodeHealth& health, const json::Value& node, const json::Value* lease,
             MonotonicTime now) {
  const json::Value* ready = kube::condition(node, "Ready");
  std::string heartbeat(ready ? json::get_string(*ready, "lastHeartbeatTime") : std::string_view());
  std::string renewed(lease ? json::get_string(*lease, "spec", "renewTime") : std::string_view());
  const bool first = health.seen == MonotonicTime{};
  if (!first && heartbeat == health.heartbeat && renewed == health.lease_renewed) return;
  health = {std::move(renewed), std::move(heartbeat), now};
}

std::string_view ready_status(const json::Value& node) {
  std::string_view status = kube::condition_status(node, "Ready");
  return status.empty() ? "Unknown" : status;
}

std::optional<json::Value> status_of_silent_node(const json::Value& node, WallTime now) {
  json::Value updated = node;
  json::Array& conditions = json::ensure_array(updated, {"status", "conditions"});
  bool changed = false;
  for (std::string_view type : conditions_of_kubelet) {
    json::Value* known = nullptr;
    for (json::Value& each : conditions) {
      if (json::get_string(each, "type") == type) known = &each;
    }
    if (known && json::get_string(*known, "status") == "Unknown") continue;
    changed = true;
    json::Object condition;
    condition["type"] = type;
    condition["status"] = "Unknown";
    condition["lastHeartbeatTime"] =
        known ? std::string(json::get_string(*known, "lastHeartbeatTime"))
              : to_rfc3339(kube::created_at(node).value_or(now));
    condition["lastTransitionTime"] = to_rfc3339(now);
    condition["reason"] = known ? "NodeStatusUnknown" : "NodeStatusNeverUpdated";
    condition["message"] =
        known ? "Kubelet stopped posting node status." : "Kubelet never posted node status.";
    if (known) {
      *known = std::move(condition);
    } else {
      conditions.push_back(std::move(condition));
    }
  }
  if (!changed) return std::nullopt;
  return updated;
}

std::optional<json::Value> with_taints(const json::Value& node, bool evict, WallTime now) {
  json::Array wanted;
  const json::Array* present = json::get_array(node, "spec", "taints");
  auto find_present = [&](std::string_view key, std::string_view effect) -> const json::Value* {
    for (std::size_t i = 0; present && i < present->size(); ++i) {
      const json::Value& taint = (*present)[i];
      if (json::get_string(taint, "key") == key && json::get_string(taint, "effect") == effect)
        return &taint;
    }
    return nullptr;
  };
  auto want = [&](std::string_view key, std::string_view effect) {
    if (const json::Value* taint = find_present(key, effect)) {
      wanted.push_back(*taint);
    } else {
      wanted.push_back(
          json::Object{{"key", key}, {"effect", effect}, {"timeAdded", to_rfc3339(now)}});
    }
  };
  for (std::size_t i = 0; present && i < present->size(); ++i) {
    if (!is_ours(json::get_string((*present)[i], "key"))) wanted.push_back((*present)[i]);
  }
  for (const ConditionTaint& each : condition_taints) {
    std::string_view status = each.condition == "Ready"
                                  ? ready_status(node)
                                  : kube::condition_status(node, each.condition);
    if (status != each.status) continue;
    want(each.taint, "NoSchedule");
    if (evicts(each) && (evict || find_present(each.taint, "NoExecute")))
      want(each.taint, "NoExecute");
  }
  if (json::get_bool(node, "spec", "unschedulable")) want(cordon_taint, "NoSchedule");
  auto keys_of = [](const json::Array& taints) {
    std::set<std::string> keys;
    for (const json::Value& each : taints)
      keys.insert(
          std::format("{}:{}", json::get_string(each, "key"), json::get_string(each, "effect")));
    return keys;
  };
  if (keys_of(wanted) == keys_of(present ? *present : json::Array())) return std::nullopt;
  json::Value updated = node;
  json::set(updated, {"spec", "taints"}, json::Value(std::move(wanted)));
  return updated;
}

std::optional<Duration> tolerated_for(const json::Value& pod, const json::Value& node,
                                      WallTime now) {
  const json::Array* taints = json::get_array(node, "spec", "taints");
  const json::Array* tolerations = json::get_array(pod, "spec", "tolerations");
  std::optional<Duration> shortest;
  for (std::size_t i = 0; taints && i < taints->size(); ++i) {
    const json::Value& taint = (*taints)[i];
    if (json::get_string(taint, "effect") != "NoExecute") continue;
    const json::Value* toleration = nullptr;
    for (std::size_t j = 0; tolerations && j < tolerations->size() && !toleration; ++j) {
      if (tolerates((*tolerations)[j], taint)) toleration = &(*tolerations)[j];
    }
    if (!toleration) return Duration::zero();
    auto seconds = json::get_int(*toleration, "tolerationSeconds");
    if (!seconds) continue;
    const WallTime since = kube::time_at(taint, {"timeAdded"}).value_or(now);
    const WallTime end =
        since + std::chrono::seconds(std::clamp<std::int64_t>(*seconds, 0, 1'000'000'000));
    const Duration left = std::max<Duration>(end - now, Duration::zero());
    if (!shortest || left < *shortest) shortest = left;
  }
  return shortest;
}

}  // namespace tripod::controllers
