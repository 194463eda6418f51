#include <format>

#include "firmware/apiserver/kinds/strategies.h"
#include "firmware/kube/object.h"
#include "firmware/kube/quantity.h"

namespace tripod::apiserver::kinds {

namespace {

constexpr std::string_view compute_resources[] = {"cpu", "memory"};

std::optional<kube::Quantity> positive(const json::Value& container, std::string_view list,
                                       std::string_view name) {
  const json::Value* value = json::find(container, "resources", list, name);
  if (!value) return std::nullopt;
  auto quantity = kube::Quantity::parse(value->is_string() ? std::string(json::as_string(*value))
                                                           : json::serialize(*value));
  if (!quantity || quantity->is_zero()) return std::nullopt;
  return *quantity;
}

struct QosView {
  bool any = false;
  bool guaranteed = true;
};

void look_at(const json::Array* containers, QosView& view) {
  if (!containers) return;
  for (const json::Value& container : *containers) {
    for (std::string_view name : compute_resources) {
      const auto request = positive(container, "requests", name);
      const auto limit = positive(container, "limits", name);
      view.any = view.any || request || limit;
      view.guaranteed = view.guaranteed && limit && (!request || *request == *limit);
    }
  }
}

kube::StatusError already_bound(std::string_view name, std::string why) {
  return kube::errors::conflict({"", "pods/binding"}, name, why);
}

}  // namespace

std::string_view qos_class(const json::Value& pod) {
  QosView view;
  look_at(json::get_array(pod, "spec", "containers"), view);
  look_at(json::get_array(pod, "spec", "initContainers"), view);
  if (!view.any) return "BestEffort";
  return view.guaranteed ? "Guaranteed" : "Burstable";
}

void create_pod(json::Value& pod, const WriteContext&) {
  json::Object status;
  status["phase"] = "Pending";
  status["qosClass"] = qos_class(pod);
  json::set(pod, {"status"}, std::move(status));
}

void update_pod_status(json::Value& pod, const json::Value& old, const WriteContext&) {
  if (json::get_string(pod, "status", "qosClass").empty()) {
    const std::string_view qos = json::get_string(old, "status", "qosClass");
    json::set(pod, {"status", "qosClass"},
              json::Value(json::String(qos.empty() ? qos_class(pod) : qos)));
  }
}

std::int64_t pod_grace_seconds(const json::Value& pod, std::optional<std::int64_t> requested) {
  std::int64_t seconds =
      requested ? *requested
                : json::get_int(pod, "spec", "terminationGracePeriodSeconds").value_or(0);
  if (seconds < 0) seconds = 1;
  // Nobody runs it: there is nobody to wait for.
  if (json::get_string(pod, "spec", "nodeName").empty() || kube::is_pod_finished(pod)) seconds = 0;
  return seconds;
}

kube::Outcome<> bind_pod(json::Value& pod, const json::Value& binding, WallTime now) {
  const std::string_view name = kube::name_of(pod);
  const std::string_view node = json::get_string(binding, "target", "name");
  const std::string_view uid = kube::uid_of(binding);
  if (!uid.empty() && uid != kube::uid_of(pod)) {
    return std::unexpected(already_bound(
        name, std::format("Precondition failed: UID in precondition: {}, UID in object meta: {}",
                          uid, kube::uid_of(pod))));
  }
  if (kube::is_deleting(pod)) {
    return std::unexpected(already_bound(
        name, std::format("pod {} is being deleted, cannot be assigned to a host", name)));
  }
  const std::string_view bound = json::get_string(pod, "spec", "nodeName");
  if (!bound.empty()) {
    return std::unexpected(already_bound(
        name, std::format("pod {} is already assigned to node {}", name, kube::go_quote(bound))));
  }
  json::set(pod, {"spec", "nodeName"}, json::Value(json::String(node)));
  for (std::string_view map : {"labels", "annotations"}) {
    if (const json::Object* extra = json::get_object(binding, "metadata", map)) {
      json::Object& into = json::ensure_object(pod, "metadata", map);
      for (const auto& [key, value] : *extra) into[key] = value;
    }
  }
  kube::set_condition(pod, {.type = "PodScheduled", .status = "True"}, now);
  return {};
}

}  // namespace tripod::apiserver::kinds
