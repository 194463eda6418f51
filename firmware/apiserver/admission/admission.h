#pragma once
// What happens to a request between authorization and storage: namespace life cycle, service
// account and tolerations of pods, and what a kubelet's identity may touch. Pure but for the
// namespace look-up, which its caller does.

#include "firmware/apiserver/registry/resource.h"
#include "firmware/kube/status.h"

namespace tripod::apiserver::admission {

/// Fills in spec.serviceAccountName and the tolerations for nodes that fail (300 s each).
void mutate_create(const Resource& resource, json::Value& object);

/// 403 for new content in a namespace that is going away. `name_space` is the Namespace object.
kube::Outcome<> check_namespace(const Resource& resource, std::string_view name,
                                const json::Value& name_space);

/// A kubelet creates its own Node and mirror pods on it, and changes or deletes pods bound to it;
/// nobody else's. `object` is what is written, or for deletions what is there.
kube::Outcome<> check_node(const Resource& resource, const json::Value& object,
                           const WriteContext& context);

}  // namespace tripod::apiserver::admission
