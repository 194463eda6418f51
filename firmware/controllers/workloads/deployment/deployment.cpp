#include "firmware/controllers/workloads/deployment/deployment.h"

#include "firmware/controllers/workloads/deployment/plan.h"

namespace tripod::controllers {
namespace {

using deployment::Plan;
using deployment::Set;

/// True if an old set still has a pod that has not finished.
bool old_pods_run(const Plan& plan, const std::vector<kube::ObjectPtr>& pods) {
  std::string_view newest =
      plan.new_set() ? kube::uid_of(plan.new_set()->object) : std::string_view();
  return std::ranges::any_of(pods, [&](const kube::ObjectPtr& pod) {
    return !kube::is_pod_finished(*pod) && kube::controller_uid(*pod) != newest;
  });
}

/// The deployment was resized: some set was scaled for another number of replicas.
bool is_resized(const Plan& plan) {
  const std::string desired = std::to_string(plan.replicas());
  return std::ranges::any_of(plan.sets, [&](const Set& set) {
    std::string_view seen = kube::annotation(set.object, deployment::desired_annotation);
    return set.active() && !seen.empty() && seen != desired;
  });
}

/// Writes the deployment. A status update carries the revision annotation too, as upstream's does;
/// a server that drops it gets it with the next look, when the status is settled.
void write_object(Plan& plan, const json::Value& before) {
  const bool status_changed =
      !json::equal_semantic(json::find(before, "status"), json::find(plan.object, "status"));
  if (status_changed) {
    plan.decision.writes.push_back(update_status(kube::resources::deployments, plan.object));
  } else if (plan.object_changed) {
    plan.decision.writes.push_back(update(kube::resources::deployments, plan.object));
  }
}

void decide(Plan& plan, const std::vector<kube::ObjectPtr>& pods) {
  if (kube::is_deleting(plan.object)) {
    sync_revision(plan, false);
    plan.object_changed = false;
    plan.decision.writes.clear();
    return decide_status(plan, false);
  }
  mark_paused(plan);
  if (plan.paused() || is_resized(plan)) {
    if (!sync_revision(plan, false)) return;
    scale_proportionally(plan);
    if (plan.paused()) remove_old_history(plan);
    return decide_status(plan, false);
  }
  if (!sync_revision(plan, plan.rolling())) return;
  plan.pods_of_old_sets = old_pods_run(plan, pods);
  const bool moved = plan.rolling() ? roll(plan) : recreate(plan);
  const json::Value* status = json::find(plan.object, "status");
  if (!moved && status && complete(plan, *status)) remove_old_history(plan);
  decide_status(plan, true);
}

}  // namespace

Decision reconcile_deployment(const DeploymentView& view, WallTime now) {
  Plan plan;
  plan.now = now;
  plan.object = *view.object;
  auto selector = kube::LabelSelector::from_object(json::find(plan.object, "spec", "selector"));
  if (!selector || selector->everything()) {
    plan.note(kube::EventType::warning, "SelectingAll",
              "This deployment is selecting all pods. A non-empty selector is required.");
    return std::move(plan.decision);
  }
  Claim claimed = claim(kube::resources::deployments, plan.object, *selector,
                        kube::resources::replica_sets, view.sets);
  if (!claimed.writes.empty()) {
    plan.decision.writes = std::move(claimed.writes);
    return std::move(plan.decision);
  }
  std::ranges::stable_sort(claimed.owned, {}, [](const kube::ObjectPtr& set) {
    return std::pair(kube::created_at(*set).value_or(WallTime{}), std::string(kube::name_of(*set)));
  });
  for (const kube::ObjectPtr& set : claimed.owned) {
    plan.sets.push_back({*set, {}, json::get_int(*set, "spec", "replicas").value_or(1)});
  }
  decide(plan, view.pods);
  write_object(plan, *view.object);
  return std::move(plan.decision);
}

DeploymentController::DeploymentController(Hub& hub)
    : Controller(hub, "deployment", "deployment-controller"),
      deployments_(hub.informer(kube::resources::deployments).store()),
      sets_(hub.informer(kube::resources::replica_sets).store()),
      pods_(hub.informer(kube::resources::pods).store()) {
  deployments_.add_handler([this](const kube::Change& change) {
    if (change.now) queue().add(kube::key_of(*change.now));
  });
  sets_.add_handler([this](const kube::Change& change) { on_set(change); });
  pods_.add_handler([this](const kube::Change& change) { on_pod(change); });
}

void DeploymentController::on_set(const kube::Change& change) {
  for (const kube::ObjectPtr& set : {change.before, change.now}) {
    if (!set) continue;
    auto owner = kube::controller_of(*set);
    if (owner && owner->kind == "Deployment")
      queue().add(kube::make_key(kube::namespace_of(*set), owner->name));
  }
  if (!change.now || !kube::controller_uid(*change.now).empty()) return;
  for (const kube::ObjectPtr& each : deployments_.list_namespace(kube::namespace_of(*change.now))) {
    queue().add(kube::key_of(*each));
  }
}

/// Recreate waits until the last old pod is gone, which no replica set's status tells.
void DeploymentController::on_pod(const kube::Change& change) {
  if (change.now && !(change.before && kube::is_pod_finished(*change.now))) return;
  auto set = kube::controller_of(change.latest());
  if (!set || set->kind != "ReplicaSet") return;
  kube::ObjectPtr object =
      sets_.get(kube::make_key(kube::namespace_of(change.latest()), set->name));
  if (!object) return;
  auto owner = kube::controller_of(*object);
  if (owner && owner->kind == "Deployment")
    queue().add(kube::make_key(kube::namespace_of(*object), owner->name));
}

Decision DeploymentController::reconcile(const std::string& key, WallTime now) {
  kube::ObjectPtr object = deployments_.get(key);
  if (!object) return {};
  DeploymentView view{.object = object, .sets = claim_candidates(sets_, *object), .pods = {}};
  for (const kube::ObjectPtr& set : view.sets) {
    if (kube::controller_uid(*set) != kube::uid_of(*object)) continue;
    std::ranges::copy(pods_.by_index("owner", kube::uid_of(*set)), std::back_inserter(view.pods));
  }
  return reconcile_deployment(view, now);
}

}  // namespace tripod::controllers
