#pragma once
// Names of the API: groups, versions, kinds, resources. Views: they borrow from tables or from the
// caller.

#include <string>
#include <string_view>

namespace tripod::kube {

/// group "" is the core group.
struct GroupVersion {
  std::string_view group;
  std::string_view version;

  std::string to_string() const;  // "v1", "apps/v1"
  friend bool operator==(const GroupVersion&, const GroupVersion&) = default;
};

struct GroupKind {
  std::string_view group;
  std::string_view kind;

  std::string to_string() const;  // "Pod", "Deployment.apps"
  friend bool operator==(const GroupKind&, const GroupKind&) = default;
};

struct GroupResource {
  std::string_view group;
  std::string_view resource;

  std::string to_string() const;  // "pods", "deployments.apps"
  friend bool operator==(const GroupResource&, const GroupResource&) = default;
};

struct GroupVersionKind {
  std::string_view group;
  std::string_view version;
  std::string_view kind;

  GroupVersion group_version() const { return {group, version}; }
  GroupKind group_kind() const { return {group, kind}; }
  friend bool operator==(const GroupVersionKind&, const GroupVersionKind&) = default;
};

/// The value of an apiVersion field: "apps/v1", "v1".
GroupVersion parse_group_version(std::string_view api_version);

/// As Go's %q prints it: control characters and invalid UTF-8 escaped.
std::string go_quote(std::string_view text);

}  // namespace tripod::kube
