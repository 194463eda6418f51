#include "firmware/controllers/workloads/replica_set.h"

#include "firmware/controllers/ownership/names.h"
#include "firmware/controllers/workloads/pod_ranking.h"
#include "platform/base/bytes.h"

namespace tripod::controllers {
namespace {

constexpr std::int64_t burst_max = 500;

kube::LabelSelector selector_of(const kube::Resource& resource, const json::Value& owner) {
  const json::Value* selector = json::find(owner, "spec", "selector");
  if (resource == kube::resources::replication_controllers) {
    const json::Object* map = selector ? selector->if_object() : nullptr;
    return map && !map->empty() ? kube::LabelSelector::from_map(selector)
                                : kube::LabelSelector::nothing();
  }
  auto parsed = kube::LabelSelector::from_object(selector);
  return parsed && !parsed->everything() ? *parsed : kube::LabelSelector::nothing();
}

json::Value pod_from_template(const ReplicaView& view, const std::string& name) {
  const json::Value& owner = *view.owner;
  json::Object metadata;
  metadata["name"] = name;
  metadata["generateName"] = name.substr(0, name.size() - 5);
  metadata["namespace"] = kube::namespace_of(owner);
  for (std::string_view field : {"labels", "annotations", "finalizers"}) {
    const json::Value* value = json::find(owner, "spec", "template", "metadata", field);
    if (value && !value->is_null()) metadata[field] = *value;
  }
  metadata["ownerReferences"] = json::Array{controller_reference(view.resource, owner)};
  json::Object pod;
  pod["metadata"] = std::move(metadata);
  if (const json::Value* spec = json::find(owner, "spec", "template", "spec")) pod["spec"] = *spec;
  return pod;
}

Note note(const ReplicaView& view, kube::EventType type, std::string reason, std::string message) {
  return {view.resource, *view.owner, type, std::move(reason), std::move(message)};
}

void create_pods(const ReplicaView& view, std::int64_t count, Decision& decision) {
  decision.writes.push_back(check_owner(view.resource, *view.owner));
  std::uint64_t slot = 0;
  for (; count > 0; ++slot) {
    std::string name = slot_name(kube::name_of(*view.owner), kube::uid_of(*view.owner), slot);
    if (view.name_taken(name)) continue;
    Write write = create(kube::resources::pods, pod_from_template(view, name));
    write.parallel = true;
    write.on_success =
        note(view, kube::EventType::normal, "SuccessfulCreate", "Created pod: " + name);
    write.on_failure = note(view, kube::EventType::warning, "FailedCreate", "Error creating: ");
    decision.writes.push_back(std::move(write));
    --count;
  }
}

void delete_pods(const ReplicaView& view, std::vector<kube::ObjectPtr> active, std::int64_t count,
                 WallTime now, Decision& decision) {
  for (const kube::ObjectPtr& pod :
       pods_to_delete(std::move(active), view.related, static_cast<std::size_t>(count), now)) {
    Write write = remove(kube::resources::pods, *pod);
    write.parallel = true;
    write.on_success = note(view, kube::EventType::normal, "SuccessfulDelete",
                            std::format("Deleted pod: {}", kube::name_of(*pod)));
    write.on_failure = note(view, kube::EventType::warning, "FailedDelete", "Error deleting: ");
    decision.writes.push_back(std::move(write));
  }
}

bool has_template_labels(const json::Value& pod, const json::Object* wanted) {
  if (!wanted) return true;
  return std::ranges::all_of(*wanted, [&](const auto& each) {
    return kube::label(pod, each.key()) == json::as_string(each.value());
  });
}

/// Fields that are zero are left out, but for `replicas`, as Go's omitempty does.
void set_count(json::Object& status, std::string_view field, std::int64_t count) {
  if (count == 0 && field != "replicas") {
    json::erase(status, field);
  } else {
    status[field] = count;
  }
}

void decide_status(const ReplicaView& view, const std::vector<kube::ObjectPtr>& active,
                   std::int64_t missing, WallTime now, Decision& decision) {
  json::Value updated = *view.owner;
  const std::chrono::seconds min_ready(
      json::get_int(updated, "spec", "minReadySeconds").value_or(0));
  const json::Object* labels =
      json::get_object(*view.owner, "spec", "template", "metadata", "labels");
  std::int64_t labeled = 0, ready = 0, available = 0;
  std::optional<Duration> wait;
  for (const kube::ObjectPtr& pod : active) {
    labeled += has_template_labels(*pod, labels);
    ready += kube::is_pod_ready(*pod);
    available += kube::is_pod_available(*pod, min_ready, now, &wait);
  }
  if (wait) decision.look_again_in(*wait + std::chrono::milliseconds(10));
  json::Object& status = json::ensure_object(updated, {"status"});
  set_count(status, "replicas", std::ssize(active));
  set_count(status, "fullyLabeledReplicas", labeled);
  set_count(status, "readyReplicas", ready);
  set_count(status, "availableReplicas", available);
  set_count(status, "observedGeneration", kube::generation_of(updated));
  if (view.failure && missing != 0) {
    kube::set_condition(updated,
                        {.type = "ReplicaFailure",
                         .status = "True",
                         .reason = missing > 0 ? "FailedCreate" : "FailedDelete",
                         .message = *view.failure},
                        now);
  } else if (json::Value* all = json::find(updated, "status", "conditions");
             all && all->is_array()) {
    json::Array& conditions = all->get_array();
    for (auto each = conditions.begin(); each != conditions.end(); ++each) {
      if (json::get_string(*each, "type") != "ReplicaFailure") continue;
      conditions.erase(each);
      break;
    }
  }
  const json::Value* before = json::find(*view.owner, "status");
  if (json::equal_semantic(before, json::find(updated, "status"))) return;
  decision.writes.push_back(update_status(view.resource, std::move(updated)));
}

}  // namespace

Decision reconcile_replicas(const ReplicaView& view, WallTime now) {
  const json::Value& owner = *view.owner;
  Decision decision;
  Claim claimed = claim(view.resource, owner, selector_of(view.resource, owner),
                        kube::resources::pods, view.candidates);
  if (!claimed.writes.empty()) {
    decision.writes = std::move(claimed.writes);
    return decision;  // the caches change with each of these; then look again
  }
  std::vector<kube::ObjectPtr> active;
  std::ranges::copy_if(claimed.owned, std::back_inserter(active),
                       [](const kube::ObjectPtr& pod) { return kube::is_pod_active(*pod); });
  const std::int64_t wanted = json::get_int(owner, "spec", "replicas").value_or(1);
  const std::int64_t missing = wanted - std::ssize(active);
  decide_status(view, active, missing, now, decision);
  if (kube::is_deleting(owner)) return decision;
  if (missing > 0) {
    create_pods(view, std::min(missing, burst_max), decision);
  } else if (missing < 0) {
    delete_pods(view, std::move(active), std::min(-missing, burst_max), now, decision);
  }
  return decision;
}

void prune_pod(json::Value& pod) {
  kube::prune_metadata(pod);
  json::erase(pod, {"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"});
  json::Value* spec = json::find(pod, "spec");
  if (!spec || !spec->is_object()) return;
  json::Object kept;
  for (std::string_view field :
       {"nodeName", "tolerations", "hostNetwork", "hostname", "subdomain", "schedulerName"}) {
    if (json::Value* value = spec->get_object().if_contains(field)) kept[field] = std::move(*value);
  }
  json::Array containers;
  if (const json::Array* all = json::get_array(*spec, "containers")) {
    for (const json::Value& each : *all) {
      json::Object container;
      container["name"] = json::get_string(each, "name");
      if (const json::Value* ports = json::find(each, "ports")) container["ports"] = *ports;
      containers.push_back(std::move(container));
    }
  }
  kept["containers"] = std::move(containers);
  *spec = std::move(kept);
  json::Value* status = json::find(pod, "status");
  if (!status || !status->is_object()) return;
  for (std::string_view field :
       {"initContainerStatuses", "ephemeralContainerStatuses", "hostIPs"}) {
    json::erase(status->get_object(), field);
  }
  json::Value* containers_status = json::find(pod, "status", "containerStatuses");
  if (!containers_status || !containers_status->is_array()) return;
  for (json::Value& each : containers_status->get_array()) {
    each = json::Object{{"restartCount", json::get_int(each, "restartCount").value_or(0)}};
  }
}

void GoneNames::add(std::string_view pod_key) {
  const std::uint64_t hash = fnv1a(pod_key);
  if (!set_.insert(hash).second) return;
  oldest_first_.push_back(hash);
  if (oldest_first_.size() <= count_max) return;
  set_.erase(oldest_first_.front());
  oldest_first_.pop_front();
}

bool GoneNames::contains(std::string_view pod_key) const {
  return set_.contains(fnv1a(pod_key));
}

ReplicaSetController::ReplicaSetController(Hub& hub, const kube::Resource& resource)
    : Controller(hub,
                 resource == kube::resources::replica_sets ? "replicaset" : "replicationmanager",
                 resource == kube::resources::replica_sets ? "replicaset-controller"
                                                           : "replication-controller"),
      resource_(resource),
      owners_(hub.informer(resource).store()),
      pods_(hub.informer(kube::resources::pods).store()) {
  owners_.add_handler([this](const kube::Change& change) {
    if (change.now) queue().add(kube::key_of(*change.now));
  });
  pods_.add_handler([this](const kube::Change& change) { on_pod(change); });
}

void ReplicaSetController::enqueue_owner(const json::Value& pod) {
  auto owner = kube::controller_of(pod);
  if (!owner || owner->kind != resource_.kind) return;
  queue().add(kube::make_key(kube::namespace_of(pod), owner->name));
}

void ReplicaSetController::on_pod(const kube::Change& change) {
  if (change.before) enqueue_owner(*change.before);
  if (!change.now) {
    if (change.before) gone_.add(kube::key_of(*change.before));
    return;
  }
  enqueue_owner(*change.now);
  if (!kube::controller_uid(*change.now).empty()) return;
  for (const kube::ObjectPtr& owner : owners_.list_namespace(kube::namespace_of(*change.now))) {
    if (selector_of(resource_, *owner).matches(kube::labels_of(*change.now))) {
      queue().add(kube::key_of(*owner));
    }
  }
}

std::vector<kube::ObjectPtr> ReplicaSetController::related_pods(const json::Value& owner) const {
  std::string_view controller = kube::controller_uid(owner);
  if (controller.empty()) return pods_.by_index("owner", kube::uid_of(owner));
  std::vector<kube::ObjectPtr> all;
  for (const kube::ObjectPtr& sibling : owners_.by_index("owner", controller)) {
    std::ranges::copy(pods_.by_index("owner", kube::uid_of(*sibling)), std::back_inserter(all));
  }
  return all;
}

Decision ReplicaSetController::reconcile(const std::string& key, WallTime now) {
  kube::ObjectPtr owner = owners_.get(key);
  if (!owner) return {};
  std::string ns(kube::namespace_of(*owner));
  return reconcile_replicas({.resource = resource_,
                             .owner = owner,
                             .candidates = claim_candidates(pods_, *owner),
                             .related = related_pods(*owner),
                             .name_taken =
                                 [this, ns](const std::string& name) {
                                   const std::string pod = kube::make_key(ns, name);
                                   return pods_.get(pod) != nullptr || gone_.contains(pod);
                                 },
                             .failure = failure(key)},
                            now);
}

}  // namespace tripod::controllers
