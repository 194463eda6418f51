#pragma once
// Which kind of object a call is about: everything that a path of the API is made of, and nothing
// about fields.
//
// A Resource borrows its strings: constants of this header live forever, discovered ones as long as
// their Discovery.

#include <string>
#include <string_view>

namespace tripod::kube {

struct Resource {
  std::string_view group;  // "" is the core group
  std::string_view version;
  std::string_view plural;
  std::string_view kind;
  bool namespaced = true;

  /// "v1", "apps/v1".
  std::string api_version() const;
  /// "pods", "deployments.apps".
  std::string group_resource() const;
  friend bool operator==(const Resource&, const Resource&) = default;
};

/// "/apis/apps/v1/namespaces/default/deployments/web/scale"; empty parts are left out.
/// Percent-encodes names.
std::string path_of(const Resource& resource, std::string_view namespace_name,
                    std::string_view name, std::string_view subresource);

namespace resources {
inline constexpr Resource namespaces{"", "v1", "namespaces", "Namespace", false};
inline constexpr Resource nodes{"", "v1", "nodes", "Node", false};
inline constexpr Resource pods{"", "v1", "pods", "Pod"};
inline constexpr Resource services{"", "v1", "services", "Service"};
inline constexpr Resource endpoints{"", "v1", "endpoints", "Endpoints"};
inline constexpr Resource config_maps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Resource secrets{"", "v1", "secrets", "Secret"};
inline constexpr Resource events{"", "v1", "events", "Event"};
inline constexpr Resource service_accounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr Resource replication_controllers{"", "v1", "replicationcontrollers",
                                                  "ReplicationController"};
inline constexpr Resource deployments{"apps", "v1", "deployments", "Deployment"};
inline constexpr Resource replica_sets{"apps", "v1", "replicasets", "ReplicaSet"};
inline constexpr Resource leases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Resource endpoint_slices{"discovery.k8s.io", "v1", "endpointslices",
                                          "EndpointSlice"};
}  // namespace resources

}  // namespace tripod::kube
