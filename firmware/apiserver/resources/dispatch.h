#pragma once
// From verb and subresource to the function that serves it. 404 for what is not there, 405 for
// verbs it does not have.

#include "firmware/apiserver/resources/call.h"

namespace tripod::apiserver {

/// Everything but watch.
Task<kube::Outcome<Reply>> dispatch(const Backend* backend, const Call* call);

/// Verbs of a resource or of one of its subresources, sorted as discovery shows them; empty when
/// there is no such.
std::vector<std::string_view> verbs_of(const Resource& resource, std::string_view subresource);
/// "", "status", "scale", ... that the resource has.
std::vector<std::string_view> subresources_of(const Resource& resource);

}  // namespace tripod::apiserver
