#include "firmware/controllers/garbage/pod_gc.h"

#include "platform/async/sync.h"

namespace tripod::controllers {
namespace {

constexpr std::chrono::seconds period{20};
constexpr std::chrono::seconds quarantine{40};  // a node may be about to register again

Write force_remove(const json::Value& pod) {
  Write write = remove(kube::resources::pods, pod);
  write.options.grace_period_seconds = 0;
  return write;
}

}  // namespace

Decision collect_pods(const PodGcView& view, MonotonicTime now) {
  Decision decision;
  std::vector<kube::ObjectPtr> terminated;
  for (const kube::ObjectPtr& pod : view.pods) {
    const std::string node(json::get_string(*pod, "spec", "nodeName"));
    auto missing = view.missing_since.find(node);
    const bool orphaned = !node.empty() && !view.nodes.contains(node) &&
                          missing != view.missing_since.end() &&
                          now >= missing->second + quarantine;
    if (orphaned || (node.empty() && kube::is_deleting(*pod))) {
      decision.writes.push_back(force_remove(*pod));
    } else if (kube::is_pod_finished(*pod) && !kube::is_deleting(*pod)) {
      terminated.push_back(pod);
    }
  }
  const std::int64_t excess =
      view.terminated_max > 0 ? std::ssize(terminated) - view.terminated_max : 0;
  std::ranges::stable_sort(terminated, {}, [](const kube::ObjectPtr& pod) {
    return kube::created_at(*pod).value_or(WallTime{});
  });
  for (std::int64_t i = 0; i < excess; ++i) {
    decision.writes.push_back(force_remove(*terminated[static_cast<std::size_t>(i)]));
  }
  return decision;
}

PodGcController::PodGcController(Hub& hub, int terminated_max)
    : Controller(hub, "pod_gc", "pod-garbage-collector"),
      terminated_max_(terminated_max),
      pods_(hub.informer(kube::resources::pods).store()),
      nodes_(hub.informer(kube::resources::nodes).store()) {}

Task<void> PodGcController::tick() {
  async::ScopeCore& scope = co_await async::current_scope();
  while (!scope.cancelled()) {
    co_await collect();
    if (!co_await async::sleep_for(hub().clock(), period)) co_return;
  }
}

Task<void> PodGcController::collect() {
  const MonotonicTime now = hub().clock().now();
  PodGcView view{
      .pods = pods_.list(), .nodes = {}, .missing_since = {}, .terminated_max = terminated_max_};
  for (const kube::ObjectPtr& node : nodes_.list()) view.nodes.emplace(kube::name_of(*node));
  std::map<std::string, MonotonicTime> missing;
  for (const kube::ObjectPtr& pod : view.pods) {
    std::string node(json::get_string(*pod, "spec", "nodeName"));
    if (node.empty() || view.nodes.contains(node)) continue;
    auto known = missing_since_.find(node);
    missing[std::move(node)] = known == missing_since_.end() ? now : known->second;
  }
  missing_since_ = missing;
  for (const auto& [node, since] : missing) {
    if (now < since + quarantine) continue;
    auto live = co_await hub().client().get(kube::resources::nodes, {}, node);
    if (!live && live.error().is_not_found()) view.missing_since[node] = since;
  }
  Decision decision = collect_pods(view, now);
  for (Write& write : decision.writes) {
    Decision one;
    one.writes.push_back(std::move(write));
    auto done = co_await hub().execute(std::move(one), component());
    if (!done && done.error().no_answer()) co_return;
  }
}

}  // namespace tripod::controllers
