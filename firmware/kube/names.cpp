#include "firmware/kube/names.h"

#include <format>

namespace tripod::kube {

std::string GroupVersion::to_string() const {
  return group.empty() ? std::string(version) : std::format("{}/{}", group, version);
}

std::string GroupKind::to_string() const {
  return group.empty() ? std::string(kind) : std::format("{}.{}", kind, group);
}

std::string GroupResource::to_string() const {
  return group.empty() ? std::string(resource) : std::format("{}.{}", resource, group);
}

GroupVersion parse_group_version(std::string_view api_version) {
  const auto slash = api_version.find('/');
  if (slash == api_version.npos) return {{}, api_version};
  return {api_version.substr(0, slash), api_version.substr(slash + 1)};
}

std::string go_quote(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': quoted += "\\\""; break;
      case '\\': quoted += "\\\\"; break;
      case '\a': quoted += "\\a"; break;
      case '\b': quoted += "\\b"; break;
      case '\f': quoted += "\\f"; break;
      case '\n': quoted += "\\n"; break;
      case '\r': quoted += "\\r"; break;
      case '\t': quoted += "\\t"; break;
      case '\v': quoted += "\\v"; break;
      default:
        if (byte < 0x20 || byte == 0x7f) {
          quoted += std::format("\\x{:02x}", byte);
        } else {
          quoted += c;
        }
    }
  }
  return quoted += '"';
}

}  // namespace tripod::kube
