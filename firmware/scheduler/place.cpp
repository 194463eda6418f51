#include "firmware/scheduler/place.h"

#include <cmath>

#include "platform/base/bytes.h"

namespace tripod::scheduler {
namespace {

constexpr std::string_view unschedulable_taint = "node.kubernetes.io/unschedulable";
constexpr double score_max = 100;
constexpr double weight_taints = 3;
constexpr double weight_affinity = 2;
constexpr double weight_spread = 2;
constexpr double weight_least_allocated = 1;
constexpr double weight_balanced = 1;

std::optional<std::int64_t> to_int(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool matches(const NodeRequirement& requirement, const NodeInfo& node) {
  const std::string* value = nullptr;
  if (requirement.field) {
    value = requirement.key == "metadata.name" ? &node.name : nullptr;
  } else if (auto label = node.labels.find(requirement.key); label != node.labels.end()) {
    value = &label->second;
  }
  const bool listed =
      value && std::ranges::find(requirement.values, *value) != requirement.values.end();
  if (requirement.op == "In") return listed;
  if (requirement.op == "NotIn") return !listed;
  if (requirement.op == "Exists") return value != nullptr;
  if (requirement.op == "DoesNotExist") return value == nullptr;
  if (!value || requirement.values.size() != 1) return false;
  auto have = to_int(*value);
  auto bound = to_int(requirement.values[0]);
  if (!have || !bound) return false;
  return requirement.op == "Gt" ? *have > *bound : requirement.op == "Lt" && *have < *bound;
}

/// An empty term matches nothing.
bool matches(const NodeTerm& term, const NodeInfo& node) {
  return !term.empty() &&
         std::ranges::all_of(term, [&](const auto& each) { return matches(each, node); });
}

bool matches_affinity(const NodeInfo& node, const PodInfo& pod) {
  for (const auto& [key, value] : pod.node_selector) {
    auto label = node.labels.find(key);
    if (label == node.labels.end() || label->second != value) return false;
  }
  if (!pod.has_required_terms) return true;
  return std::ranges::any_of(pod.required_terms,
                             [&](const NodeTerm& term) { return matches(term, node); });
}

bool has_untolerated_taint(const NodeInfo& node, const PodInfo& pod) {
  return std::ranges::any_of(node.taints, [&](const Taint& taint) {
    return (taint.effect == "NoSchedule" || taint.effect == "NoExecute") && !pod.tolerates(taint);
  });
}

bool ports_conflict(const NodeInfo& node, const PodInfo& pod) {
  return std::ranges::any_of(pod.host_ports, [&](const HostPort& wanted) {
    return std::ranges::any_of(node.host_ports,
                               [&](const HostPort& used) { return used.conflicts(wanted); });
  });
}

std::vector<std::string> filter_resources(const NodeInfo& node, const PodInfo& pod) {
  std::vector<std::string> reasons;
  const Resources& wanted = pod.requests;
  auto lacking = [](std::int64_t want, std::int64_t used, std::int64_t have) {
    return want > 0 && want > have - used;
  };
  if (node.pods + 1 > node.pods_max) reasons.emplace_back("Too many pods");
  if (lacking(wanted.cpu_milli, node.requested.cpu_milli, node.allocatable.cpu_milli)) {
    reasons.emplace_back("Insufficient cpu");
  }
  if (lacking(wanted.memory_bytes, node.requested.memory_bytes, node.allocatable.memory_bytes)) {
    reasons.emplace_back("Insufficient memory");
  }
  if (lacking(wanted.ephemeral_bytes, node.requested.ephemeral_bytes,
              node.allocatable.ephemeral_bytes)) {
    reasons.emplace_back("Insufficient ephemeral-storage");
  }
  for (const auto& [name, amount] : wanted.extended) {
    auto used = node.requested.extended.find(name);
    auto have = node.allocatable.extended.find(name);
    if (lacking(amount, used == node.requested.extended.end() ? 0 : used->second,
                have == node.allocatable.extended.end() ? 0 : have->second)) {
      reasons.push_back("Insufficient " + name);
    }
  }
  return reasons;
}

// --- scores, each 0 to 100 ---

double fraction(std::int64_t used, std::int64_t have) {
  return have <= 0 ? 1.0 : std::min(1.0, static_cast<double>(used) / static_cast<double>(have));
}

double least_allocated(const NodeInfo& node, const PodInfo& pod) {
  auto free = [](std::int64_t used, std::int64_t have) {
    return have <= 0 || used > have ? 0.0
                                    : std::floor(score_max * static_cast<double>(have - used) /
                                                 static_cast<double>(have));
  };
  const double cpu = free(node.scoring_requested.cpu_milli + pod.scoring_requests.cpu_milli,
                          node.allocatable.cpu_milli);
  const double memory =
      free(node.scoring_requested.memory_bytes + pod.scoring_requests.memory_bytes,
           node.allocatable.memory_bytes);
  return std::floor((cpu + memory) / 2);
}

double balanced(const NodeInfo& node, const PodInfo& pod) {
  const double cpu =
      fraction(node.requested.cpu_milli + pod.requests.cpu_milli, node.allocatable.cpu_milli);
  const double memory = fraction(node.requested.memory_bytes + pod.requests.memory_bytes,
                                 node.allocatable.memory_bytes);
  return std::floor((1 - std::abs(cpu - memory) / 2) * score_max);
}

int unwelcome_taints(const NodeInfo& node, const PodInfo& pod) {
  return static_cast<int>(std::ranges::count_if(node.taints, [&](const Taint& taint) {
    return taint.effect == "PreferNoSchedule" && !pod.tolerates(taint);
  }));
}

int preferred_weight(const NodeInfo& node, const PodInfo& pod) {
  int total = 0;
  for (const auto& [weight, term] : pod.preferred_terms) {
    if (matches(term, node)) total += weight;
  }
  return total;
}

int siblings(const NodeInfo& node, const PodInfo& pod) {
  auto count = node.by_controller.find(pod.controller_uid);
  return count == node.by_controller.end() ? 0 : count->second;
}

struct Scored {
  const NodeInfo* node = nullptr;
  int taints = 0;
  int preferred = 0;
  int siblings = 0;
  double total = 0;
};

/// Counts of all feasible nodes become scores relative to the highest.
void total_up(std::vector<Scored>& all, const PodInfo& pod) {
  int taints = 0, preferred = 0, crowd = 0;
  for (const Scored& each : all) {
    taints = std::max(taints, each.taints);
    preferred = std::max(preferred, each.preferred);
    crowd = std::max(crowd, each.siblings);
  }
  auto share = [](int value, int max) {
    return max == 0 ? 0.0 : std::floor(score_max * value / max);
  };
  for (Scored& each : all) {
    each.total = weight_taints * (score_max - share(each.taints, taints)) +
                 weight_affinity * share(each.preferred, preferred) +
                 weight_spread * (score_max - share(each.siblings, crowd)) +
                 weight_least_allocated * least_allocated(*each.node, pod) +
                 weight_balanced * balanced(*each.node, pod);
  }
}

}  // namespace

std::vector<std::string> filter(const NodeInfo& node, const PodInfo& pod) {
  if (node.unschedulable && !pod.tolerates({std::string(unschedulable_taint), {}, "NoSchedule"})) {
    return {"node(s) were unschedulable"};
  }
  if (!pod.node_name.empty() && pod.node_name != node.name)
    return {"node(s) didn't match the requested node name"};
  if (has_untolerated_taint(node, pod)) return {"node(s) had untolerated taint(s)"};
  if (!matches_affinity(node, pod)) return {"node(s) didn't match Pod's node affinity/selector"};
  if (ports_conflict(node, pod))
    return {"node(s) didn't have free ports for the requested pod ports"};
  return filter_resources(node, pod);
}

Placement place(const Nodes& nodes, const PodInfo& pod, std::uint64_t seed) {
  Placement result;
  std::vector<Scored> feasible;
  for (const auto& [name, node] : nodes) {
    if (node.name.empty()) continue;  // pods are bound to it, but there is no such Node object
    ++result.nodes;
    std::vector<std::string> reasons = filter(node, pod);
    for (std::string& reason : reasons) ++result.reasons[std::move(reason)];
    if (!reasons.empty()) continue;
    feasible.push_back(
        {&node, unwelcome_taints(node, pod), preferred_weight(node, pod), siblings(node, pod), 0});
  }
  if (feasible.empty()) return result;
  total_up(feasible, pod);
  double best = 0;
  for (const Scored& each : feasible) best = std::max(best, each.total);
  std::erase_if(feasible, [&](const Scored& each) { return each.total < best; });
  const std::uint64_t draw = fnv1a(pod.uid, seed ^ 0xcbf29ce484222325ULL);
  result.node = feasible[(draw ^ draw >> 29) % feasible.size()].node->name;
  result.reasons.clear();
  return result;
}

std::string Placement::message() const {
  if (nodes == 0) return "no nodes available to schedule pods";
  std::vector<std::string> parts;
  for (const auto& [reason, count] : reasons) parts.push_back(std::format("{} {}", count, reason));
  std::ranges::sort(parts);
  std::string text = std::format("0/{} nodes are available: ", nodes);
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i > 0 ? ", " : "") + parts[i];
  return text + ".";
}

}  // namespace tripod::scheduler
