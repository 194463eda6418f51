#pragma once
// Defaults: what Kubernetes fills in before it validates and stores an object. Pure and idempotent.
// Values that need the cluster (cluster IPs, service accounts, tolerations by admission) are not
// here.

#include <string_view>

#include "firmware/kube/schema/schema.h"
#include "platform/json/json.h"

namespace tripod::kube {

/// Fills in the defaults of the kind, those of the schema and those of its own function.
void apply_defaults(const schema::Type& type, json::Value& object);

/// A pod template's spec or a pod's.
void default_pod_spec(json::Object& spec);

/// "IfNotPresent", or "Always" when the tag is absent or "latest".
std::string_view default_pull_policy(std::string_view image);

/// status.qosClass of a pod: BestEffort, Burstable, Guaranteed. Quantities must be in canonical
/// form.
std::string_view qos_class(const json::Value& pod);

}  // namespace tripod::kube
