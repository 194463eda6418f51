#include "firmware/apiserver/admission/admission.h"

#include <algorithm>
#include <format>

#include "firmware/kube/object.h"

namespace tripod::apiserver::admission {

namespace {

constexpr std::string_view failing_node_taints[] = {"node.kubernetes.io/not-ready",
                                                    "node.kubernetes.io/unreachable"};
constexpr std::int64_t toleration_seconds = 300;

bool tolerates(const json::Array& tolerations, std::string_view taint) {
  return std::ranges::any_of(tolerations, [&](const json::Value& toleration) {
    const std::string_view key = json::get_string(toleration, "key");
    const std::string_view effect = json::get_string(toleration, "effect");
    return (key == taint || key.empty()) && (effect == "NoExecute" || effect.empty());
  });
}

void add_tolerations(json::Value& pod) {
  for (std::string_view taint : failing_node_taints) {
    json::Array& tolerations = json::ensure_array(pod, {"spec", "tolerations"});
    if (tolerates(tolerations, taint)) continue;
    tolerations.push_back(json::Value{{"key", json::String(taint)},
                                      {"operator", "Exists"},
                                      {"effect", "NoExecute"},
                                      {"tolerationSeconds", toleration_seconds}});
  }
}

}  // namespace

void mutate_create(const Resource& resource, json::Value& object) {
  if (resource.kind.kind != "Pod") return;
  const bool mirror = !kube::annotation(object, "kubernetes.io/config.mirror").empty();
  if (!mirror && json::get_string(object, "spec", "serviceAccountName").empty()) {
    json::set(object, {"spec", "serviceAccountName"}, "default");
  }
  const std::string account(json::get_string(object, "spec", "serviceAccountName"));
  if (!account.empty())
    json::set(object, {"spec", "serviceAccount"}, json::Value(json::String(account)));
  add_tolerations(object);
}

kube::Outcome<> check_namespace(const Resource& resource, std::string_view name,
                                const json::Value& name_space) {
  if (!kube::is_deleting(name_space) &&
      json::get_string(name_space, "status", "phase") != "Terminating")
    return {};
  const std::string_view where = kube::name_of(name_space);
  auto error = kube::errors::forbidden(
      resource.group_resource(), name,
      std::format("unable to create new content in namespace {} because it is being terminated",
                  where));
  json::Array causes;
  causes.push_back(json::Value{{"reason", "NamespaceTerminating"},
                               {"message", std::format("namespace {} is being terminated", where)},
                               {"field", "metadata.namespace"}});
  json::set(error.status, {"details", "causes"}, json::Value(std::move(causes)));
  return std::unexpected(std::move(error));
}

kube::Outcome<> check_node(const Resource& resource, const json::Value& object,
                           const WriteContext& context) {
  constexpr std::string_view prefix = "system:node:";
  if (!context.user.user.starts_with(prefix) || !context.user.in_group("system:nodes")) return {};
  const std::string_view node = std::string_view(context.user.user).substr(prefix.size());
  const std::string_view name = kube::name_of(object);
  const auto refuse = [&](std::string why) -> kube::Outcome<> {
    return std::unexpected(kube::errors::forbidden(resource.group_resource(), name, why));
  };
  if (resource.kind.kind == "Node" && name != node) {
    return refuse(std::format("node {} is not allowed to modify node {}", kube::go_quote(node),
                              kube::go_quote(name)));
  }
  if (resource.kind.kind == "Pod" && json::get_string(object, "spec", "nodeName") != node) {
    return refuse(
        std::format("node {} can only delete, create or update the status of pods with "
                    "spec.nodeName set to itself",
                    kube::go_quote(node)));
  }
  return {};
}

}  // namespace tripod::apiserver::admission
