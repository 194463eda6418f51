#pragma once
// create, update, patch, delete and deletecollection of resources, and their status.

#include "firmware/apiserver/resources/call.h"

namespace tripod::apiserver {

Task<kube::Outcome<Reply>> create(const Backend* backend, const Call* call);
Task<kube::Outcome<Reply>> update(const Backend* backend, const Call* call);
Task<kube::Outcome<Reply>> patch(const Backend* backend, const Call* call);
Task<kube::Outcome<Reply>> remove(const Backend* backend, const Call* call);
Task<kube::Outcome<Reply>> remove_collection(const Backend* backend, const Call* call);

/// Creates as the server itself, through admission: for bootstrap.
Task<kube::Outcome<Stored>> create_object(const Backend* backend, const Resource* row,
                                          json::Value object, Identity user, bool dry_run);

/// A function from the current object to the one wanted, for updates and patches of any
/// subresource.
using Transform = std::function<kube::Outcome<json::Value>(const json::Value& current)>;
Task<kube::Outcome<Changed>> transform(const Backend* backend, const Call* call,
                                       Transform transform, bool dry_run);

/// The patch of the request's body and content type, applied. 415 for types that are not served.
kube::Outcome<json::Value> apply_patch(const kube::schema::Type& type,
                                       std::string_view content_type, const json::Value& patch,
                                       const json::Value& current);
/// Reads dryRun and the body's patch document.
kube::Outcome<json::Value> parse_patch(const Call& call);

}  // namespace tripod::apiserver
