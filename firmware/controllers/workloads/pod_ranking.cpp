#include "firmware/controllers/workloads/pod_ranking.h"

#include <bit>

namespace tripod::controllers {
namespace {

struct Ranked {
  kube::ObjectPtr pod;
  bool assigned = false;
  int phase = 0;
  bool ready = false;
  std::int64_t cost = 0;
  int crowd = 0;           // related pods on its node
  int ready_for_log2 = 0;  // powers of two, so that small differences do not decide
  std::int64_t restarts = 0;
  int age_log2 = 0;
  std::string_view name;
};

int log2_seconds(WallTime since, WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - since).count();
  return seconds <= 0 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(seconds)));
}

std::int64_t restarts_of(const json::Value& pod) {
  std::int64_t most = 0;
  if (const json::Array* all = json::get_array(pod, "status", "containerStatuses")) {
    for (const json::Value& each : *all) {
      most = std::max(most, json::get_int(each, "restartCount").value_or(0));
    }
  }
  return most;
}

std::int64_t deletion_cost(const json::Value& pod) {
  std::string_view text = kube::annotation(pod, "controller.kubernetes.io/pod-deletion-cost");
  std::int32_t cost = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cost);
  return error == std::errc() && end == text.data() + text.size() ? cost : 0;
}

Ranked rank(const kube::ObjectPtr& pod, int crowd, WallTime now) {
  Ranked ranked{.pod = pod};
  std::string_view phase = json::get_string(*pod, "status", "phase");
  ranked.assigned = !json::get_string(*pod, "spec", "nodeName").empty();
  ranked.phase = phase == "Running" ? 2 : phase == "Unknown" ? 1 : 0;
  ranked.ready = kube::is_pod_ready(*pod);
  ranked.cost = deletion_cost(*pod);
  ranked.crowd = crowd;
  if (ranked.ready) {
    auto since = kube::time_at(*kube::condition(*pod, "Ready"), {"lastTransitionTime"});
    ranked.ready_for_log2 = since ? log2_seconds(*since, now) : 0;
  }
  ranked.restarts = restarts_of(*pod);
  ranked.age_log2 = log2_seconds(kube::created_at(*pod).value_or(now), now);
  ranked.name = kube::name_of(*pod);
  return ranked;
}

bool goes_before(const Ranked& a, const Ranked& b) {
  if (a.assigned != b.assigned) return !a.assigned;
  if (a.phase != b.phase) return a.phase < b.phase;
  if (a.ready != b.ready) return !a.ready;
  if (a.cost != b.cost) return a.cost < b.cost;
  if (a.crowd != b.crowd) return a.crowd > b.crowd;
  if (a.ready_for_log2 != b.ready_for_log2) return a.ready_for_log2 < b.ready_for_log2;
  if (a.restarts != b.restarts) return a.restarts > b.restarts;
  if (a.age_log2 != b.age_log2) return a.age_log2 < b.age_log2;
  return a.name > b.name;
}

}  // namespace

std::vector<kube::ObjectPtr> pods_to_delete(std::vector<kube::ObjectPtr> candidates,
                                            const std::vector<kube::ObjectPtr>& related,
                                            std::size_t count, WallTime now) {
  if (count >= candidates.size()) return candidates;
  std::map<std::string_view, int> crowds;
  for (const kube::ObjectPtr& pod : related) {
    if (kube::is_pod_active(*pod)) ++crowds[json::get_string(*pod, "spec", "nodeName")];
  }
  std::vector<Ranked> ranked;
  for (const kube::ObjectPtr& pod : candidates) {
    ranked.push_back(rank(pod, crowds[json::get_string(*pod, "spec", "nodeName")], now));
  }
  std::ranges::sort(ranked, goes_before);
  std::vector<kube::ObjectPtr> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(ranked[i].pod);
  return chosen;
}

}  // namespace tripod::controllers
