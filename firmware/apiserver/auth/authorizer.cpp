#include "firmware/apiserver/auth/authorizer.h"

#include <algorithm>
#include <array>
#include <format>
#include <span>

#include "firmware/kube/bootstrap/token.h"
#include "firmware/kube/selector.h"

namespace tripod::apiserver {

namespace {

using Words = std::string_view;  // blank-separated; "*" is everything

/// One rule as in a ClusterRole; `groups` names API groups, "core" being the one without a name.
struct Rule {
  Words verbs;
  Words groups;
  Words resources;
};

bool has_word(Words words, std::string_view wanted) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    const std::string_view word = words.substr(0, end);
    if (word == wanted || word == "*") return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

constexpr Words read_verbs = "get list watch";

constexpr std::array controller_manager_rules{
    Rule{"get list watch update patch delete deletecollection", "*", "*"},
    Rule{"create", "core", "events pods serviceaccounts endpoints secrets configmaps"},
    Rule{"create", "events.k8s.io", "events"},
    Rule{"create", "apps", "replicasets controllerrevisions"},
    Rule{"create", "coordination.k8s.io", "leases"},
    Rule{"create", "discovery.k8s.io", "endpointslices"},
};

constexpr std::array scheduler_rules{
    Rule{"create patch update", "core events.k8s.io", "events"},
    Rule{"create get update", "coordination.k8s.io", "leases"},
    Rule{"create get update", "core", "endpoints"},
    Rule{read_verbs, "core", "nodes namespaces replicationcontrollers services"},
    Rule{"get list watch delete", "core", "pods"},
    Rule{"create", "core", "pods/binding bindings"},
    Rule{"patch update", "core", "pods/status"},
    Rule{read_verbs, "apps", "replicasets statefulsets"},
    Rule{read_verbs, "policy", "poddisruptionbudgets"},
    Rule{read_verbs, "core", "persistentvolumeclaims persistentvolumes"},
    Rule{read_verbs, "storage.k8s.io", "*"},
};

constexpr std::array node_rules{
    Rule{read_verbs, "core", "services namespaces"},
    Rule{"create get list watch update patch", "core", "nodes"},
    Rule{"update patch", "core", "nodes/status"},
    Rule{"create update patch", "core events.k8s.io", "events"},
    Rule{"get list watch create delete", "core", "pods"},
    Rule{"update patch", "core", "pods/status"},
    Rule{"create", "core", "pods/eviction serviceaccounts/token"},
    Rule{read_verbs, "core", "secrets configmaps"},
    Rule{"get", "core", "endpoints persistentvolumeclaims persistentvolumes"},
    Rule{"get list watch create update patch delete", "coordination.k8s.io", "leases"},
    Rule{read_verbs, "node.k8s.io", "runtimeclasses"},
    Rule{read_verbs, "storage.k8s.io", "csidrivers"},
};

constexpr std::array proxy_rules{
    Rule{read_verbs, "core", "services endpoints nodes"},
    Rule{read_verbs, "discovery.k8s.io", "endpointslices"},
    Rule{"create update patch", "core events.k8s.io", "events"},
};

bool any_allows(std::span<const Rule> rules, const RequestInfo& info) {
  const std::string_view group = info.group.empty() ? std::string_view("core") : info.group;
  const std::string resource = info.subresource.empty()
                                   ? info.resource
                                   : std::format("{}/{}", info.resource, info.subresource);
  return std::ranges::any_of(rules, [&](const Rule& rule) {
    return has_word(rule.verbs, info.verb) && has_word(rule.groups, group) &&
           has_word(rule.resources, resource);
  });
}

bool is_under(std::string_view path, std::string_view root) {
  return path == root || (path.starts_with(root) && path[root.size()] == '/');
}

bool may_discover(std::string_view path) {
  for (std::string_view root :
       {"/api", "/apis", "/openapi", "/healthz", "/livez", "/readyz", "/version"}) {
    if (is_under(path, root)) return true;
  }
  return false;
}

/// A kubelet writes its own Node only; which pods it may touch is admission's matter, for that
/// needs the pod.
bool is_own_node(const Identity& identity, const RequestInfo& info) {
  if (info.resource != "nodes" || !info.is_mutating() || info.verb == "create") return true;
  return identity.user == "system:node:" + info.name;
}

/// The one object that a kubelet's list or watch is about, or the request itself.
std::string only_name(const RequestInfo& info) {
  if (!info.name.empty()) return info.name;
  const auto selector = kube::FieldSelector::parse(info.query.get("fieldSelector"));
  if (!selector || selector->terms().size() != 1) return {};
  return std::string(selector->exact("metadata.name").value_or(""));
}

/// As upstream's node authorizer, a kubelet gets secrets by name alone; and never a bootstrap
/// token, by which boards become members.
bool may_have_secret(const RequestInfo& info) {
  if (info.resource != "secrets") return true;
  const std::string name = only_name(info);
  return !name.empty() && !name.starts_with(kube::token_secret_prefix);
}

/// Where the cluster is, for whoever joins it.
bool is_cluster_info(const RequestInfo& info) {
  return info.is_resource && info.verb == "get" && info.group.empty() &&
         info.resource == "configmaps" && info.subresource.empty() &&
         info.name_space == "kube-public" && info.name == "cluster-info";
}

/// What may be asked there, and of which board, is decided there.
bool may_provision(const Identity& identity, std::string_view path) {
  return path.starts_with(provisioning_prefix) &&
         (identity.in_group(kube::boards_group) || identity.in_group(kube::bootstrappers_group));
}

}  // namespace

bool is_public_path(std::string_view path) {
  return path == "/healthz" || path == "/livez" || path == "/readyz" || path == "/version" ||
         path == "/version/";
}

bool is_allowed(const Identity& identity, const RequestInfo& info) {
  if (identity.in_group("system:masters")) return true;
  if (is_cluster_info(info)) return true;
  if (!info.is_resource) {
    if (is_public_path(info.path) || may_provision(identity, info.path)) return true;
    if (info.path == "/metrics" && info.verb == "get")
      return identity.in_group("system:monitoring");
    return identity.authenticated && info.verb == "get" && may_discover(info.path);
  }
  if (identity.user == "system:kube-controller-manager")
    return any_allows(controller_manager_rules, info);
  if (identity.user == "system:kube-scheduler") return any_allows(scheduler_rules, info);
  if (identity.user == "system:kube-proxy") return any_allows(proxy_rules, info);
  if (identity.user.starts_with("system:node:") && identity.in_group("system:nodes")) {
    return any_allows(node_rules, info) && is_own_node(identity, info) && may_have_secret(info);
  }
  return false;
}

std::optional<kube::StatusError> authorize(const Identity& identity, const RequestInfo& info) {
  if (is_allowed(identity, info)) return std::nullopt;
  std::string why;
  if (!info.is_resource) {
    why = std::format("User {} cannot {} path {}", kube::go_quote(identity.user), info.verb,
                      kube::go_quote(info.path));
    return kube::errors::forbidden({}, {}, why);
  }
  const std::string resource = info.subresource.empty()
                                   ? info.resource
                                   : std::format("{}/{}", info.resource, info.subresource);
  why = std::format("User {} cannot {} resource {} in API group {} ", kube::go_quote(identity.user),
                    info.verb, kube::go_quote(resource), kube::go_quote(info.group));
  why += info.name_space.empty()
             ? std::string("at the cluster scope")
             : std::format("in the namespace {}", kube::go_quote(info.name_space));
  return kube::errors::forbidden({info.group, info.resource}, info.name, why);
}

kube::Outcome<Identity> effective_identity(Identity peer, const http::Headers& headers) {
  auto wanted = impersonated(headers);
  if (!wanted) return std::unexpected(wanted.error());
  if (!*wanted) return peer;
  if (peer.in_group("system:masters")) return std::move(**wanted);
  return std::unexpected(kube::errors::forbidden(
      {"", "users"}, (*wanted)->user,
      std::format(
          "User {} cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
          kube::go_quote(peer.user))));
}

}  // namespace tripod::apiserver
