// The set of the current template: found, or made; and the revision numbers that kubectl rollout
// shows.

#include "firmware/controllers/ownership/adoption.h"
#include "firmware/controllers/ownership/names.h"
#include "firmware/controllers/workloads/deployment/plan.h"

namespace tripod::controllers::deployment {
namespace {

json::Value without_hash(const json::Value* pod_template) {
  json::Value copy = pod_template ? *pod_template : json::Value(json::Object());
  json::erase(copy, {"metadata", "labels", hash_label});
  json::erase(copy, {"metadata", "creationTimestamp"});
  return copy;
}

bool same_template(const json::Value& left, const json::Value& right) {
  const json::Value a = without_hash(json::find(left, "spec", "template"));
  const json::Value b = without_hash(json::find(right, "spec", "template"));
  return json::equal_semantic(&a, &b);
}

bool is_own_annotation(std::string_view key) {
  return key == last_applied_annotation || key == revision_annotation ||
         key == revision_history_annotation || key == desired_annotation || key == max_annotation ||
         key == "deprecated.deployment.rollback.to";
}

/// Copies the deployment's annotations and moves the revision on. True if anything changed.
bool annotate(const Plan& plan, json::Value& set, std::int64_t revision) {
  bool changed = false;
  if (const json::Object* all = json::get_object(plan.object, "metadata", "annotations")) {
    for (const auto& [key, value] : *all) {
      std::string_view name(key.data(), key.size());
      if (is_own_annotation(name) || kube::annotation(set, name) == json::as_string(value))
        continue;
      kube::set_annotation(set, name, json::as_string(value));
      changed = true;
    }
  }
  const std::string before(kube::annotation(set, revision_annotation));
  std::int64_t old = 0;
  std::from_chars(before.data(), before.data() + before.size(), old);
  if (old >= revision) return changed;
  kube::set_annotation(set, revision_annotation, std::to_string(revision));
  if (old > 0) {
    std::string history(kube::annotation(set, revision_history_annotation));
    kube::set_annotation(set, revision_history_annotation,
                         history.empty() ? before : history + "," + before);
  }
  return true;
}

/// The deployment shows the revision of its newest set.
void show_revision(Plan& plan, std::string_view revision) {
  if (kube::annotation(plan.object, revision_annotation) == revision) return;
  kube::set_annotation(plan.object, revision_annotation, revision);
  plan.object_changed = true;
}

json::Value new_replica_set(const Plan& plan, const std::string& hash) {
  json::Value pod_template = without_hash(json::find(plan.object, "spec", "template"));
  json::set(pod_template, {"metadata", "labels", hash_label}, json::Value(hash));
  json::Object metadata;
  metadata["name"] = std::format("{}-{}", kube::name_of(plan.object), hash);
  metadata["namespace"] = kube::namespace_of(plan.object);
  metadata["labels"] = *json::find(pod_template, "metadata", "labels");
  metadata["ownerReferences"] =
      json::Array{controller_reference(kube::resources::deployments, plan.object)};
  json::Object set;
  set["metadata"] = std::move(metadata);
  json::Value object = std::move(set);
  const json::Value* selector = json::find(plan.object, "spec", "selector");
  json::Object& spec = json::ensure_object(object, {"spec"});
  spec["replicas"] = 0;
  if (auto seconds = json::get_int(plan.object, "spec", "minReadySeconds");
      seconds && *seconds > 0) {
    spec["minReadySeconds"] = *seconds;
  }
  spec["selector"] = selector ? *selector : json::Value(json::Object());
  spec["template"] = std::move(pod_template);
  json::set(object, {"spec", "selector", "matchLabels", hash_label}, json::Value(hash));
  return object;
}

/// A set of that name with another template, or another owner: the hash collided.
bool name_collides(const Plan& plan, std::string_view name) {
  return std::ranges::any_of(plan.sets, [&](const Set& set) { return set.name() == name; });
}

void make_new_set(Plan& plan, std::int64_t revision) {
  const json::Value pod_template = without_hash(json::find(plan.object, "spec", "template"));
  std::int64_t collisions = json::get_int(plan.object, "status", "collisionCount").value_or(0);
  std::string hash = template_hash(pod_template, collisions);
  while (name_collides(plan, std::format("{}-{}", kube::name_of(plan.object), hash))) {
    hash = template_hash(pod_template, ++collisions);
    json::set(plan.object, {"status", "collisionCount"}, json::Value(collisions));
  }
  plan.sets.push_back({new_replica_set(plan, hash), {}, 0});
  plan.newest = static_cast<int>(plan.sets.size()) - 1;
  Set& made = plan.sets.back();
  const std::int64_t replicas = new_set_replicas(plan, 0);
  json::set(made.object, {"spec", "replicas"}, json::Value(replicas));
  kube::set_annotation(made.object, desired_annotation, std::to_string(plan.replicas()));
  kube::set_annotation(made.object, max_annotation,
                       std::to_string(plan.replicas() + plan.max_surge()));
  annotate(plan, made.object, revision);
  Write write = create(kube::resources::replica_sets, made.object);
  const std::string name(made.name());
  if (replicas > 0) {
    write.on_success = Note{kube::resources::deployments, plan.object, kube::EventType::normal,
                            "ScalingReplicaSet",
                            std::format("Scaled up replica set {} from 0 to {}", name, replicas)};
  }
  write.on_failure =
      Note{kube::resources::deployments, plan.object, kube::EventType::warning,
           "ReplicaSetCreateError", std::format("Failed to create new replica set \"{}\": ", name)};
  plan.decision.writes.push_back(check_owner(kube::resources::deployments, plan.object));
  plan.decision.writes.push_back(std::move(write));
  if (plan.has_deadline()) {
    set_condition(plan.object, "Progressing", "True", "NewReplicaSetCreated",
                  std::format("Created new replica set \"{}\"", name), plan.now);
  }
  show_revision(plan, kube::annotation(made.object, revision_annotation));
}

}  // namespace

bool sync_revision(Plan& plan, bool make) {
  plan.newest = -1;
  for (std::size_t i = 0; i < plan.sets.size() && plan.newest < 0; ++i) {
    if (same_template(plan.sets[i].object, plan.object)) plan.newest = static_cast<int>(i);
  }
  std::int64_t revision = 0;
  for (Set* set : plan.old_sets()) revision = std::max(revision, set->revision());
  ++revision;
  Set* found = plan.new_set();
  if (!found) {
    if (!make) return true;
    make_new_set(plan, revision);
    return false;
  }
  bool changed = annotate(plan, found->object, revision);
  const std::int64_t min_ready = json::get_int(plan.object, "spec", "minReadySeconds").value_or(0);
  if (json::get_int(found->object, "spec", "minReadySeconds").value_or(0) != min_ready) {
    json::set(found->object, {"spec", "minReadySeconds"}, json::Value(min_ready));
    changed = true;
  }
  if (changed) {
    plan.decision.writes.push_back(update(kube::resources::replica_sets, found->object));
    return false;
  }
  show_revision(plan, kube::annotation(found->object, revision_annotation));
  if (plan.has_deadline() && !kube::condition(plan.object, "Progressing")) {
    set_condition(plan.object, "Progressing", "True", "FoundNewReplicaSet",
                  std::format("Found new replica set \"{}\"", found->name()), plan.now);
  }
  return true;
}

void remove_old_history(Plan& plan) {
  auto limit = json::get_int(plan.object, "spec", "revisionHistoryLimit");
  if (!limit || *limit == std::numeric_limits<std::int32_t>::max()) return;
  std::vector<Set*> removable;
  for (Set* set : plan.old_sets()) {
    const json::Value& object = set->object;
    const bool settled = set->status("observedGeneration") >= kube::generation_of(object);
    if (set->wanted() == 0 && set->status("replicas") == 0 && settled &&
        !kube::is_deleting(object)) {
      removable.push_back(set);
    }
  }
  std::ranges::stable_sort(removable, {}, [](const Set* set) { return set->revision(); });
  for (std::int64_t i = 0; i < std::ssize(removable) - *limit; ++i) {
    plan.decision.writes.push_back(
        remove(kube::resources::replica_sets, removable[static_cast<std::size_t>(i)]->object));
  }
}

}  // namespace tripod::controllers::deployment
