#include "firmware/apiserver/kinds/strategies.h"
#include "firmware/kube/object.h"
#include "firmware/kube/selector.h"

namespace tripod::apiserver::kinds {

void update_deployment_status(json::Value& deployment, const json::Value& old,
                              const WriteContext&) {
  const json::Value* labels = kube::labels_of(old);
  if (labels) {
    json::set(deployment, {"metadata", "labels"}, *labels);
  } else {
    json::erase(deployment, {"metadata", "labels"});
  }
}

json::Value scale_of(const json::Value& workload) {
  json::Object metadata;
  for (std::string_view key :
       {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const json::Value* value = json::find(workload, "metadata", key)) metadata[key] = *value;
  }
  const json::Value* selector = json::find(workload, "spec", "selector");
  const json::Object* terms = selector ? selector->if_object() : nullptr;
  const bool labels_only =
      terms && !terms->contains("matchLabels") && !terms->contains("matchExpressions");
  std::string text;
  if (labels_only) {
    text = kube::LabelSelector::from_map(selector).to_string();
  } else if (auto parsed = kube::LabelSelector::from_object(selector)) {
    text = parsed->to_string();
  }
  json::Object scale;
  scale["kind"] = "Scale";
  scale["apiVersion"] = "autoscaling/v1";
  scale["metadata"] = std::move(metadata);
  scale["spec"] =
      json::Object{{"replicas", json::get_int(workload, "spec", "replicas").value_or(0)}};
  scale["status"] = json::Object{
      {"replicas", json::get_int(workload, "status", "replicas").value_or(0)}, {"selector", text}};
  return scale;
}

kube::Outcome<> apply_scale(json::Value& workload, const json::Value& scale) {
  const std::int64_t replicas = json::get_int(scale, "spec", "replicas").value_or(0);
  if (replicas < 0) {
    return std::unexpected(
        kube::errors::invalid({"autoscaling", "Scale"}, kube::name_of(workload),
                              {kube::invalid("spec.replicas", json::Value(replicas),
                                             "must be greater than or equal to 0")}));
  }
  const std::string_view version = kube::resource_version_of(scale);
  if (!version.empty())
    json::set(workload, {"metadata", "resourceVersion"}, json::Value(json::String(version)));
  json::set(workload, {"spec", "replicas"}, json::Value(replicas));
  return {};
}

}  // namespace tripod::apiserver::kinds
