#pragma once
// OpenAPI v3 documents of the API, rendered from the schema tables on demand; the caller caches
// (and compresses) them.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/kube/names.h"

namespace tripod::kube {

/// One resource of a group version, as the registry knows it.
struct OpenApiResource {
  std::string_view plural;  // "pods"
  GroupVersionKind kind;  // of the body: Pod; for a subresource its own kind (autoscaling/v1 Scale)
  bool namespaced = true;
  std::string_view subresource;  // "", "status", "scale"
  std::vector<std::string_view>
      verbs;  // create, get, list, watch, update, patch, delete, deletecollection
};

/// The document of one group version: paths of `resources` and the schemas they reach.
std::string openapi_v3(const GroupVersion& group_version,
                       std::span<const OpenApiResource> resources);

}  // namespace tripod::kube
