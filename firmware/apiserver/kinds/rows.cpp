// The registry: one row per kind. Facts of upstream's storage layout, printers and strategies.

#include <array>
#include <format>

#include "firmware/apiserver/kinds/columns.h"
#include "firmware/apiserver/kinds/strategies.h"
#include "firmware/apiserver/printers/printers.h"
#include "firmware/apiserver/registry/resource.h"
#include "platform/base/check.h"

namespace tripod::apiserver {

namespace {

using Text = std::string_view;
using FieldType = SelectableField::Type;

constexpr std::array short_configmaps{Text("cm")};
constexpr std::array short_endpoints{Text("ep")};
constexpr std::array short_events{Text("ev")};
constexpr std::array short_namespaces{Text("ns")};
constexpr std::array short_nodes{Text("no")};
constexpr std::array short_pods{Text("po")};
constexpr std::array short_controllers{Text("rc")};
constexpr std::array short_accounts{Text("sa")};
constexpr std::array short_services{Text("svc")};
constexpr std::array short_deployments{Text("deploy")};
constexpr std::array short_replica_sets{Text("rs")};
constexpr std::array in_all{Text("all")};

constexpr std::array pod_fields{
    SelectableField{"spec.nodeName"},
    SelectableField{"spec.restartPolicy"},
    SelectableField{"spec.schedulerName"},
    SelectableField{"spec.serviceAccountName"},
    SelectableField{"spec.hostNetwork", FieldType::boolean},
    SelectableField{"status.phase"},
    SelectableField{"status.podIP"},
    SelectableField{"status.nominatedNodeName"},
};
constexpr std::array node_fields{SelectableField{"spec.unschedulable", FieldType::boolean}};
constexpr std::array namespace_fields{SelectableField{"status.phase"}};
constexpr std::array service_fields{SelectableField{"spec.clusterIP"},
                                    SelectableField{"spec.type"}};
constexpr std::array secret_fields{SelectableField{"type"}};
constexpr std::array replica_fields{SelectableField{"status.replicas", FieldType::number}};
constexpr std::array event_fields{
    SelectableField{"involvedObject.kind"},
    SelectableField{"involvedObject.namespace"},
    SelectableField{"involvedObject.name"},
    SelectableField{"involvedObject.uid"},
    SelectableField{"involvedObject.apiVersion"},
    SelectableField{"involvedObject.resourceVersion"},
    SelectableField{"involvedObject.fieldPath"},
    SelectableField{"reason"},
    SelectableField{"reportingComponent", FieldType::text, "source.component"},
    SelectableField{"source", FieldType::text, "source.component"},
    SelectableField{"type"},
};
/// The same values, in the same order, under the names of events.k8s.io/v1.
constexpr std::array named_event_fields{
    SelectableField{"regarding.kind"},
    SelectableField{"regarding.namespace"},
    SelectableField{"regarding.name"},
    SelectableField{"regarding.uid"},
    SelectableField{"regarding.apiVersion"},
    SelectableField{"regarding.resourceVersion"},
    SelectableField{"regarding.fieldPath"},
    SelectableField{"reason"},
    SelectableField{"reportingController"},
    SelectableField{"source"},
    SelectableField{"type"},
};
static_assert(event_fields.size() == named_event_fields.size());

constexpr std::array rows{
    Resource{.kind = {"", "v1", "ConfigMap"},
             .plural = "configmaps",
             .singular = "configmap",
             .short_names = short_configmaps,
             .storage_prefix = "/registry/configmaps/",
             .columns = columns::config_map,
             .cells = printers::config_map},
    Resource{.kind = {"", "v1", "Endpoints"},
             .plural = "endpoints",
             .singular = "endpoints",
             .short_names = short_endpoints,
             .storage_prefix = "/registry/services/endpoints/",
             .columns = columns::endpoints,
             .cells = printers::endpoints,
             .create_on_update = true},
    Resource{.kind = {"", "v1", "Event"},
             .plural = "events",
             .singular = "event",
             .short_names = short_events,
             .storage_prefix = "/registry/events/",
             .columns = columns::event,
             .cells = printers::event,
             .fields = event_fields,
             .create_on_update = true,
             .expires = true},
    Resource{.kind = {"", "v1", "Namespace"},
             .plural = "namespaces",
             .singular = "namespace",
             .short_names = short_namespaces,
             .namespaced = false,
             .storage_prefix = "/registry/namespaces/",
             .columns = columns::name_space,
             .cells = printers::name_space,
             .fields = namespace_fields,
             .has_status = true,
             .prepare_create = kinds::create_namespace,
             .prepare_update = kinds::update_namespace},
    Resource{.kind = {"", "v1", "Node"},
             .plural = "nodes",
             .singular = "node",
             .short_names = short_nodes,
             .namespaced = false,
             .storage_prefix = "/registry/minions/",
             .columns = columns::node,
             .cells = printers::node,
             .fields = node_fields,
             .has_status = true,
             .status_on_create = true},
    Resource{.kind = {"", "v1", "Pod"},
             .plural = "pods",
             .singular = "pod",
             .short_names = short_pods,
             .categories = in_all,
             .storage_prefix = "/registry/pods/",
             .columns = columns::pod,
             .cells = printers::pod,
             .fields = pod_fields,
             .has_status = true,
             .has_generation = true,
             .graceful = true,
             .prepare_create = kinds::create_pod,
             .prepare_status = kinds::update_pod_status,
             .grace_seconds = kinds::pod_grace_seconds},
    Resource{.kind = {"", "v1", "ReplicationController"},
             .plural = "replicationcontrollers",
             .singular = "replicationcontroller",
             .short_names = short_controllers,
             .categories = in_all,
             .storage_prefix = "/registry/controllers/",
             .columns = columns::replicas,
             .cells = printers::replicas,
             .fields = replica_fields,
             .has_status = true,
             .has_scale = true,
             .has_generation = true},
    Resource{.kind = {"", "v1", "Secret"},
             .plural = "secrets",
             .singular = "secret",
             .storage_prefix = "/registry/secrets/",
             .columns = columns::secret,
             .cells = printers::secret,
             .fields = secret_fields,
             .prepare_create = kinds::create_secret,
             .prepare_update = kinds::update_secret},
    Resource{.kind = {"", "v1", "ServiceAccount"},
             .plural = "serviceaccounts",
             .singular = "serviceaccount",
             .short_names = short_accounts,
             .storage_prefix = "/registry/serviceaccounts/",
             .columns = columns::service_account,
             .cells = printers::service_account},
    Resource{.kind = {"", "v1", "Service"},
             .plural = "services",
             .singular = "service",
             .short_names = short_services,
             .categories = in_all,
             .storage_prefix = "/registry/services/specs/",
             .columns = columns::service,
             .cells = printers::service,
             .fields = service_fields,
             .has_status = true,
             .allocates = true,
             .prepare_update = kinds::update_service},
    Resource{.kind = {"apps", "v1", "Deployment"},
             .plural = "deployments",
             .singular = "deployment",
             .short_names = short_deployments,
             .categories = in_all,
             .storage_prefix = "/registry/deployments/",
             .columns = columns::deployment,
             .cells = printers::deployment,
             .has_status = true,
             .has_scale = true,
             .has_generation = true,
             .prepare_status = kinds::update_deployment_status},
    Resource{.kind = {"apps", "v1", "ReplicaSet"},
             .plural = "replicasets",
             .singular = "replicaset",
             .short_names = short_replica_sets,
             .categories = in_all,
             .storage_prefix = "/registry/replicasets/",
             .columns = columns::replicas,
             .cells = printers::replicas,
             .fields = replica_fields,
             .has_status = true,
             .has_scale = true,
             .has_generation = true},
    Resource{.kind = {"coordination.k8s.io", "v1", "Lease"},
             .plural = "leases",
             .singular = "lease",
             .storage_prefix = "/registry/leases/",
             .columns = columns::lease,
             .cells = printers::lease,
             .create_on_update = true,
             .unconditional_update = false},
    Resource{.kind = {"discovery.k8s.io", "v1", "EndpointSlice"},
             .plural = "endpointslices",
             .singular = "endpointslice",
             .storage_prefix = "/registry/endpointslices/",
             .columns = columns::endpoint_slice,
             .cells = printers::endpoint_slice,
             .has_generation = true},
    Resource{.kind = {"events.k8s.io", "v1", "Event"},
             .plural = "events",
             .singular = "event",
             .short_names = short_events,
             .storage_prefix = "/registry/events/",
             .columns = columns::event,
             .cells = printers::event,
             .fields = named_event_fields,
             .create_on_update = true,
             .expires = true,
             .from_storage = kinds::event_from_core,
             .to_storage = kinds::event_to_core},
};

}  // namespace

Bytes Resource::key(std::string_view name_space, std::string_view name) const {
  return namespaced ? std::format("{}{}/{}", storage_prefix, name_space, name)
                    : std::format("{}{}", storage_prefix, name);
}

std::span<const Resource> all_resources() {
  return rows;
}

const Resource* find_resource(std::string_view group, std::string_view version,
                              std::string_view plural) {
  for (const Resource& row : rows) {
    if (row.plural == plural && row.kind.group == group && row.kind.version == version) return &row;
  }
  return nullptr;
}

const Resource* find_kind(const kube::GroupVersionKind& kind) {
  for (const Resource& row : rows) {
    if (row.kind == kind) return &row;
  }
  return nullptr;
}

}  // namespace tripod::apiserver
