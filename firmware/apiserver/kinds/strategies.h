#pragma once
// The functions that are a kind's own: what the server fills in or resets around a write, beyond
// defaults and validation (firmware/kube). Pure; the rows of rows.cpp point at them.

#include "firmware/apiserver/registry/resource.h"

namespace tripod::apiserver::kinds {

// Pod
void create_pod(json::Value& pod, const WriteContext& context);
void update_pod_status(json::Value& pod, const json::Value& old, const WriteContext& context);
std::int64_t pod_grace_seconds(const json::Value& pod, std::optional<std::int64_t> requested);
/// Guaranteed, Burstable or BestEffort, from requests and limits.
std::string_view qos_class(const json::Value& pod);
/// Sets spec.nodeName and the PodScheduled condition, as a Binding asks. 409 when it is bound or
/// being deleted.
kube::Outcome<> bind_pod(json::Value& pod, const json::Value& binding, WallTime now);

// Namespace
void create_namespace(json::Value& name_space, const WriteContext& context);
void update_namespace(json::Value& name_space, const json::Value& old, const WriteContext& context);
/// False for those the house cannot do without.
bool may_delete_namespace(std::string_view name);

// Workloads
void update_deployment_status(json::Value& deployment, const json::Value& old,
                              const WriteContext& context);
void create_replication_controller(json::Value& controller, const WriteContext& context);

// Service
void update_service(json::Value& service, const json::Value& old, const WriteContext& context);

// Secret
void create_secret(json::Value& secret, const WriteContext& context);
void update_secret(json::Value& secret, const json::Value& old, const WriteContext& context);

// Event: events.k8s.io/v1 over what is stored as core/v1
void event_from_core(json::Value& event);
void event_to_core(json::Value& event);

// Scale of Deployment, ReplicaSet, ReplicationController (autoscaling/v1)
json::Value scale_of(const json::Value& workload);
kube::Outcome<> apply_scale(json::Value& workload, const json::Value& scale);

}  // namespace tripod::apiserver::kinds
