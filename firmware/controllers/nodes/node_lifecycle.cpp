#include "firmware/controllers/nodes/node_lifecycle.h"

#include "platform/async/sync.h"

namespace tripod::controllers {
namespace {

constexpr std::string_view lease_namespace = "kube-node-lease";

bool has_no_execute_taint(const json::Value& node) {
  const json::Array* taints = json::get_array(node, "spec", "taints");
  return taints && std::ranges::any_of(*taints, [](const json::Value& each) {
           return json::get_string(each, "effect") == "NoExecute";
         });
}

}  // namespace

NodeLifecycleController::NodeLifecycleController(Hub& hub, NodeLifecycleConfig config)
    : Controller(hub, "noexec_taint_pod", "taint-eviction-controller"),
      config_(config),
      nodes_(hub.informer(kube::resources::nodes).store()),
      leases_(hub.informer(kube::resources::leases, {.ns = std::string(lease_namespace)}).store()),
      pods_(hub.informer(kube::resources::pods).store()),
      evictions_(config.eviction_rate, 1) {
  nodes_.add_handler([this](const kube::Change& change) {
    const std::string name(kube::name_of(change.latest()));
    if (!change.now) {
      health_.erase(name);
      return;
    }
    if (!change.before) {
      record(*change.now, kube::EventType::normal, "RegisteredNode",
             std::format("Node {} event: Registered Node {} in Controller", name, name));
    }
    if (has_no_execute_taint(*change.now)) enqueue_pods(name);
  });
  pods_.add_handler([this](const kube::Change& change) {
    if (!change.now) return;
    std::string_view node_name = json::get_string(*change.now, "spec", "nodeName");
    kube::ObjectPtr node = node_name.empty() ? nullptr : nodes_.get(node_name);
    if (node && has_no_execute_taint(*node)) queue().add(kube::key_of(*change.now));
  });
}

void NodeLifecycleController::record(const json::Value& node, kube::EventType type,
                                     std::string reason, std::string message) {
  hub().record({kube::resources::nodes, node, type, std::move(reason), std::move(message)},
               "node-controller");
}

void NodeLifecycleController::enqueue_pods(std::string_view node) {
  for (const kube::ObjectPtr& pod : pods_.by_index("node", node)) queue().add(kube::key_of(*pod));
}

Task<void> NodeLifecycleController::tick() {
  async::ScopeCore& scope = co_await async::current_scope();
  while (!scope.cancelled()) {
    co_await monitor();
    if (!co_await async::sleep_for(hub().clock(), config_.monitor_period)) co_return;
  }
}

Task<void> NodeLifecycleController::monitor() {
  async::ScopeCore& scope = co_await async::current_scope();
  const MonotonicTime now = hub().clock().now();
  std::vector<kube::ObjectPtr> all = nodes_.list();
  for (const kube::ObjectPtr& node : all) {
    kube::ObjectPtr lease = leases_.get(kube::make_key(lease_namespace, kube::name_of(*node)));
    observe(health_[std::string(kube::name_of(*node))], *node, lease.get(), now);
  }
  const Disruption before = std::exchange(disruption_, assess());
  if (disruption_ != before) {
    logger().info("node disruption", LogField("state", static_cast<int>(disruption_)));
  }
  for (const kube::ObjectPtr& node : all) {
    if (scope.cancelled()) co_return;
    co_await check_node(node);
  }
}

/// Full: no node answers. Partial: so many do not that something greater than nodes has failed.
NodeLifecycleController::Disruption NodeLifecycleController::assess() {
  const MonotonicTime now = hub().clock().now();
  int total = 0;
  int unhealthy = 0;
  for (const kube::ObjectPtr& node : nodes_.list()) {
    ++total;
    const NodeHealth& health = health_[std::string(kube::name_of(*node))];
    unhealthy += ready_status(*node) != "True" || now > health.seen + config_.grace_period;
  }
  Disruption state = Disruption::normal;
  if (total > 0 && unhealthy == total) {
    state = Disruption::full;
  } else if (unhealthy > 2 && unhealthy >= config_.unhealthy_threshold * total) {
    state = Disruption::partial;
  }
  const bool large = total > config_.large_cluster_size;
  evictions_.set_rate(state == Disruption::partial ? (large ? config_.secondary_eviction_rate : 0.0)
                                                   : config_.eviction_rate);
  return state;
}

Task<void> NodeLifecycleController::check_node(kube::ObjectPtr node) {
  const std::string name(kube::name_of(*node));
  const bool silent = hub().clock().now() > health_[name].seen + config_.grace_period;
  const bool was_ready = ready_status(*node) == "True";
  if (silent) {
    if (auto status = status_of_silent_node(*node, hub().clock().wall_now())) {
      Decision decision;
      decision.writes.push_back(update_status(kube::resources::nodes, std::move(*status)));
      auto done = co_await hub().execute(std::move(decision), "node-controller");
      if (!done) co_return;
      if (was_ready) {
        record(*node, kube::EventType::normal, "NodeNotReady",
               std::format("Node {} status is now: NodeNotReady", name));
      }
    }
  }
  kube::ObjectPtr latest = nodes_.get(name);
  if (latest && ready_status(*latest) != "True") co_await mark_pods_not_ready(name);
  co_await taint(name);
}

Task<void> NodeLifecycleController::taint(std::string name) {
  kube::ObjectPtr node = nodes_.get(name);
  if (!node || kube::is_deleting(*node)) co_return;
  const WallTime now = hub().clock().wall_now();
  bool evict = false;
  const bool may_evict = disruption_ != Disruption::full && ready_status(*node) != "True" &&
                         !has_no_execute_taint(*node);
  if (may_evict) evict = evictions_.try_take(hub().clock().now());
  auto tainted = with_taints(*node, evict, now);
  if (!tainted) co_return;
  Decision decision;
  decision.writes.push_back(update(kube::resources::nodes, std::move(*tainted)));
  auto done = co_await hub().execute(std::move(decision), "node-controller");
  if (!done && !done.error().is_conflict() && !done.error().no_answer()) {
    logger().warn("node not tainted", LogField("node", name),
                  LogField("error", done.error().to_string()));
  }
}

Task<void> NodeLifecycleController::mark_pods_not_ready(std::string node) {
  async::ScopeCore& scope = co_await async::current_scope();
  for (const kube::ObjectPtr& pod : pods_.by_index("node", node)) {
    if (scope.cancelled()) co_return;
    if (!kube::is_pod_ready(*pod)) continue;
    json::Object condition;
    condition["type"] = "Ready";
    condition["status"] = "False";
    condition["lastTransitionTime"] = to_rfc3339(hub().clock().wall_now());
    json::Value body = json::Object();
    json::ensure_array(body, {"status", "conditions"}).push_back(std::move(condition));
    Write write = patch(kube::resources::pods, *pod, std::move(body));
    write.subresource = "status";
    write.on_success = Note{kube::resources::pods, *pod, kube::EventType::warning, "NodeNotReady",
                            "Node is not ready"};
    Decision decision;
    decision.writes.push_back(std::move(write));
    (void)co_await hub().execute(std::move(decision), "node-controller");
  }
}

Decision NodeLifecycleController::reconcile(const std::string& key, WallTime now) {
  Decision decision;
  kube::ObjectPtr pod = pods_.get(key);
  if (!pod || kube::is_deleting(*pod)) return decision;
  std::string_view node_name = json::get_string(*pod, "spec", "nodeName");
  kube::ObjectPtr node = node_name.empty() ? nullptr : nodes_.get(node_name);
  if (!node) return decision;
  auto left = tolerated_for(*pod, *node, now);
  if (!left) return decision;
  if (*left > Duration::zero()) {
    decision.look_again_in(*left + std::chrono::milliseconds(1));
    return decision;
  }
  Write write = remove(kube::resources::pods, *pod);
  write.on_success = Note{kube::resources::pods, *pod, kube::EventType::normal,
                          "TaintManagerEviction", std::format("Marking for deletion Pod {}", key)};
  decision.writes.push_back(std::move(write));
  return decision;
}

}  // namespace tripod::controllers
