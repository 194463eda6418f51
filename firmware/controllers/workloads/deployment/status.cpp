// The deployment's status: counts, Available, Progressing with its deadline, ReplicaFailure.
// Reasons and messages are those that kubectl rollout status and other clients read.

#include "firmware/controllers/workloads/deployment/plan.h"

namespace tripod::controllers::deployment {
namespace {

void set_count(json::Object& status, std::string_view field, std::int64_t count) {
  if (count == 0) {
    json::erase(status, field);
  } else {
    status[field] = count;
  }
}

std::int64_t count(const json::Value& status, std::string_view field) {
  return json::get_int(status, field).value_or(0);
}

json::Value calculate_counts(const Plan& plan) {
  const json::Value* known = json::find(plan.object, "status");
  json::Value status = known && known->is_object() ? *known : json::Value(json::Object());
  const std::int64_t available = plan.status_total("availableReplicas");
  const Set* newest = plan.new_set();
  json::Object& fields = status.get_object();
  fields["observedGeneration"] = kube::generation_of(plan.object);
  set_count(fields, "replicas", plan.status_total("replicas"));
  set_count(fields, "updatedReplicas", newest ? newest->status("replicas") : 0);
  set_count(fields, "readyReplicas", plan.status_total("readyReplicas"));
  set_count(fields, "availableReplicas", available);
  set_count(fields, "unavailableReplicas",
            std::max<std::int64_t>(0, plan.wanted_total() - available));
  return status;
}

bool progressing(const json::Value& before, const json::Value& now) {
  const std::int64_t old_before = count(before, "replicas") - count(before, "updatedReplicas");
  const std::int64_t old_now = count(now, "replicas") - count(now, "updatedReplicas");
  return count(now, "updatedReplicas") > count(before, "updatedReplicas") || old_now < old_before ||
         count(now, "readyReplicas") > count(before, "readyReplicas") ||
         count(now, "availableReplicas") > count(before, "availableReplicas");
}

bool timed_out(const Plan& plan) {
  const json::Value* condition = kube::condition(plan.object, "Progressing");
  if (!condition) return false;
  std::string_view reason = json::get_string(*condition, "reason");
  if (reason == "NewReplicaSetAvailable") return false;
  if (reason == "ProgressDeadlineExceeded") return true;
  auto since = kube::time_at(*condition, {"lastUpdateTime"});
  return since && *since + plan.deadline() < plan.now;
}

void set_available(Plan& plan) {
  const std::int64_t available =
      json::get_int(plan.object, "status", "availableReplicas").value_or(0);
  if (available >= plan.replicas() - plan.max_unavailable()) {
    set_condition(plan.object, "Available", "True", "MinimumReplicasAvailable",
                  "Deployment has minimum availability.", plan.now);
  } else {
    set_condition(plan.object, "Available", "False", "MinimumReplicasUnavailable",
                  "Deployment does not have minimum availability.", plan.now);
  }
}

void set_progressing(Plan& plan, const json::Value& before) {
  const json::Value& status = *json::find(plan.object, "status");
  const Set* newest = plan.new_set();
  const std::string who = newest ? std::format("ReplicaSet \"{}\"", newest->name())
                                 : std::format("Deployment \"{}\"", kube::name_of(plan.object));
  const json::Value* current = kube::condition(plan.object, "Progressing");
  const bool was_complete = current &&
                            json::get_string(*current, "reason") == "NewReplicaSetAvailable" &&
                            count(status, "replicas") == count(status, "updatedReplicas");
  if (was_complete) return;
  if (complete(plan, status)) {
    set_condition(plan.object, "Progressing", "True", "NewReplicaSetAvailable",
                  who + " has successfully progressed.", plan.now);
  } else if (progressing(before, status)) {
    // A new lastUpdateTime restarts the deadline; lastTransitionTime stays while the status does.
    std::string since;
    if (current && json::get_string(*current, "status") == "True") {
      since = json::get_string(*current, "lastTransitionTime");
    }
    remove_condition(plan.object, "Progressing");
    set_condition(plan.object, "Progressing", "True", "ReplicaSetUpdated", who + " is progressing.",
                  plan.now);
    if (!since.empty()) {
      json::Array& all = json::ensure_array(plan.object, {"status", "conditions"});
      all.back().as_object()["lastTransitionTime"] = since;
    }
  } else if (timed_out(plan)) {
    set_condition(plan.object, "Progressing", "False", "ProgressDeadlineExceeded",
                  who + " has timed out progressing.", plan.now);
  }
}

void set_replica_failure(Plan& plan) {
  const json::Value* failure = nullptr;
  if (const Set* newest = plan.new_set())
    failure = kube::condition(newest->object, "ReplicaFailure");
  for (const Set* set : plan.old_sets()) {
    if (!failure) failure = kube::condition(set->object, "ReplicaFailure");
  }
  if (!failure) {
    remove_condition(plan.object, "ReplicaFailure");
    return;
  }
  const json::Value copy = *failure;
  set_condition(plan.object, "ReplicaFailure", json::get_string(copy, "status"),
                json::get_string(copy, "reason"), json::get_string(copy, "message"), plan.now);
}

/// A rollout that stands still must be looked at when its deadline passes.
void watch_deadline(Plan& plan) {
  const json::Value* condition = kube::condition(plan.object, "Progressing");
  const json::Value* status = json::find(plan.object, "status");
  if (!plan.has_deadline() || !condition || !status || complete(plan, *status)) return;
  if (json::get_string(*condition, "reason") == "ProgressDeadlineExceeded") return;
  auto since = kube::time_at(*condition, {"lastUpdateTime"});
  if (!since) return;
  const Duration left = *since + plan.deadline() - plan.now;
  plan.decision.look_again_in(std::max<Duration>(left, Duration::zero()) + std::chrono::seconds(1));
}

}  // namespace

bool complete(const Plan& plan, const json::Value& status) {
  const std::int64_t wanted = plan.replicas();
  return count(status, "updatedReplicas") == wanted && count(status, "replicas") == wanted &&
         count(status, "availableReplicas") == wanted &&
         count(status, "observedGeneration") >= kube::generation_of(plan.object);
}

void mark_paused(Plan& plan) {
  if (!plan.has_deadline()) return;
  const json::Value* condition = kube::condition(plan.object, "Progressing");
  std::string_view reason = condition ? json::get_string(*condition, "reason") : std::string_view();
  if (reason == "ProgressDeadlineExceeded") return;
  if (plan.paused() && reason != "DeploymentPaused") {
    set_condition(plan.object, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused",
                  plan.now);
  } else if (!plan.paused() && reason == "DeploymentPaused") {
    set_condition(plan.object, "Progressing", "Unknown", "DeploymentResumed",
                  "Deployment is resumed", plan.now);
  }
}

void decide_status(Plan& plan, bool rollout) {
  const json::Value* known = json::find(plan.object, "status");
  const json::Value before = known ? *known : json::Value(json::Object());
  json::ensure_object(plan.object, {"status"});
  json::Value counts = calculate_counts(plan);
  plan.object.as_object()["status"] = std::move(counts);
  set_available(plan);
  if (rollout) {
    if (!plan.has_deadline()) {
      remove_condition(plan.object, "Progressing");
    } else {
      set_progressing(plan, before);
    }
    set_replica_failure(plan);
  }
  watch_deadline(plan);
}

}  // namespace tripod::controllers::deployment
