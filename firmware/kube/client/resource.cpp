#include "firmware/kube/client/resource.h"

#include "platform/http/message.h"

namespace tripod::kube {

std::string Resource::api_version() const {
  return group.empty() ? std::string(version) : std::format("{}/{}", group, version);
}

std::string Resource::group_resource() const {
  return group.empty() ? std::string(plural) : std::format("{}.{}", plural, group);
}

std::string path_of(const Resource& resource, std::string_view namespace_name,
                    std::string_view name, std::string_view subresource) {
  std::string path = resource.group.empty()
                         ? std::format("/api/{}", resource.version)
                         : std::format("/apis/{}/{}", resource.group, resource.version);
  if (resource.namespaced && !namespace_name.empty()) {
    path += "/namespaces/" + http::percent_encode(namespace_name);
  }
  path.append("/").append(resource.plural);
  if (!name.empty()) path += "/" + http::percent_encode(name);
  if (!subresource.empty()) path.append("/").append(subresource);
  return path;
}

}  // namespace tripod::kube
