#pragma once
// What hangs below an object: scale, binding, eviction, and the finalizing of namespaces. (status
// is an update or patch of the object itself, see writes.h.)

#include "firmware/apiserver/resources/call.h"

namespace tripod::apiserver {

Task<kube::Outcome<Reply>> get_scale(const Backend* backend, const Call* call);
Task<kube::Outcome<Reply>> update_scale(const Backend* backend, const Call* call);
Task<kube::Outcome<Reply>> patch_scale(const Backend* backend, const Call* call);
/// POST pods/NAME/binding, and POST bindings with the pod's name in the body.
Task<kube::Outcome<Reply>> bind(const Backend* backend, const Call* call);
/// POST pods/NAME/eviction. Without PodDisruptionBudgets every eviction is granted.
Task<kube::Outcome<Reply>> evict(const Backend* backend, const Call* call);
/// PUT namespaces/NAME/finalize: changes spec.finalizers; the last one gone removes a terminating
/// namespace.
Task<kube::Outcome<Reply>> finalize_namespace(const Backend* backend, const Call* call);

}  // namespace tripod::apiserver
