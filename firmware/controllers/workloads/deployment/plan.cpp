#include "firmware/controllers/workloads/deployment/plan.h"

namespace tripod::controllers::deployment {
namespace {

std::optional<std::int64_t> to_int(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// An int-or-percent field against the number of replicas.
std::int64_t resolve(const json::Value* field, std::int64_t replicas, bool round_up) {
  constexpr std::int64_t default_percent = 25;
  std::int64_t percent = default_percent;
  if (field) {
    if (auto number = json::as_int(*field)) return std::max<std::int64_t>(0, *number);
    std::string_view text = json::as_string(*field);
    if (!text.ends_with('%')) return 0;
    percent = to_int(text.substr(0, text.size() - 1)).value_or(0);
  }
  const std::int64_t product = percent * replicas;
  return round_up ? (product + 99) / 100 : product / 100;
}

}  // namespace

std::int64_t Set::revision() const {
  return to_int(kube::annotation(object, revision_annotation)).value_or(0);
}

bool Plan::has_deadline() const {
  auto seconds = json::get_int(object, "spec", "progressDeadlineSeconds");
  return seconds && *seconds != std::numeric_limits<std::int32_t>::max();
}

std::chrono::seconds Plan::deadline() const {
  return std::chrono::seconds(
      json::get_int(object, "spec", "progressDeadlineSeconds").value_or(600));
}

std::int64_t Plan::max_surge() const {
  if (!rolling()) return 0;
  return resolve(json::find(object, "spec", "strategy", "rollingUpdate", "maxSurge"), replicas(),
                 true);
}

std::int64_t Plan::max_unavailable() const {
  if (!rolling() || replicas() == 0) return 0;
  std::int64_t value = resolve(
      json::find(object, "spec", "strategy", "rollingUpdate", "maxUnavailable"), replicas(), false);
  if (value == 0 && max_surge() == 0) value = 1;
  return std::min(value, replicas());
}

std::vector<Set*> Plan::old_sets() {
  std::vector<Set*> old;
  for (Set& set : sets) {
    if (&set != new_set()) old.push_back(&set);
  }
  return old;
}

std::int64_t Plan::wanted_total() const {
  std::int64_t total = 0;
  for (const Set& set : sets) total += set.wanted();
  return total;
}

std::int64_t Plan::status_total(std::string_view field) const {
  std::int64_t total = 0;
  for (const Set& set : sets) total += set.status(field);
  return total;
}

void Plan::note(kube::EventType type, std::string reason, std::string message) {
  decision.notes.push_back(
      {kube::resources::deployments, object, type, std::move(reason), std::move(message)});
}

bool Plan::scale(Set& set, std::int64_t to) {
  const std::int64_t from = set.wanted();
  const std::string desired = std::to_string(replicas());
  const std::string max = std::to_string(replicas() + max_surge());
  const bool annotated = kube::annotation(set.object, desired_annotation) == desired &&
                         kube::annotation(set.object, max_annotation) == max;
  if (from == to && annotated) return false;
  kube::set_annotation(set.object, desired_annotation, desired);
  kube::set_annotation(set.object, max_annotation, max);
  json::set(set.object, {"spec", "replicas"}, json::Value(to));
  Write write = update(kube::resources::replica_sets, set.object);
  if (set.stored != to) {
    write.on_success =
        Note{kube::resources::deployments, object, kube::EventType::normal, "ScalingReplicaSet",
             std::format("Scaled {} replica set {} from {} to {}", to > set.stored ? "up" : "down",
                         set.name(), set.stored, to)};
  }
  if (!set.pending) {
    set.pending = decision.writes.size();
    decision.writes.emplace_back();
  }
  decision.writes[*set.pending] = std::move(write);
  return from != to;
}

void set_condition(json::Value& object, std::string_view type, std::string_view status,
                   std::string_view reason, std::string_view message, WallTime now) {
  const json::Value* known = kube::condition(object, type);
  std::string since = to_rfc3339(now);
  if (known && json::get_string(*known, "status") == status) {
    if (json::get_string(*known, "reason") == reason) return;
    since = json::get_string(*known, "lastTransitionTime");
  }
  remove_condition(object, type);
  json::Object condition;
  condition["type"] = type;
  condition["status"] = status;
  condition["lastUpdateTime"] = to_rfc3339(now);
  condition["lastTransitionTime"] = since;
  condition["reason"] = reason;
  condition["message"] = message;
  json::ensure_array(object, {"status", "conditions"}).push_back(std::move(condition));
}

bool remove_condition(json::Value& object, std::string_view type) {
  json::Value* all = json::find(object, "status", "conditions");
  if (!all || !all->is_array()) return false;
  json::Array& conditions = all->get_array();
  for (auto each = conditions.begin(); each != conditions.end(); ++each) {
    if (json::get_string(*each, "type") != type) continue;
    conditions.erase(each);
    return true;
  }
  return false;
}

}  // namespace tripod::controllers::deployment
