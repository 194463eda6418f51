#pragma once
// Reading and writing what every Kubernetes object has: metadata, owners, conditions. Objects are
// JSON documents; there are no classes per kind. Views borrow from the object.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/kube/names.h"
#include "platform/base/time.h"
#include "platform/json/json.h"

namespace tripod::kube {

inline std::string_view name_of(const json::Value& object) {
  return json::get_string(object, "metadata", "name");
}
inline std::string_view namespace_of(const json::Value& object) {
  return json::get_string(object, "metadata", "namespace");
}
inline std::string_view uid_of(const json::Value& object) {
  return json::get_string(object, "metadata", "uid");
}
inline std::string_view resource_version_of(const json::Value& object) {
  return json::get_string(object, "metadata", "resourceVersion");
}
inline std::int64_t generation_of(const json::Value& object) {
  return json::get_int(object, "metadata", "generation").value_or(0);
}
inline bool is_deleting(const json::Value& object) {
  return !json::get_string(object, "metadata", "deletionTimestamp").empty();
}
inline const json::Value* labels_of(const json::Value& object) {
  return json::find(object, "metadata", "labels");
}
inline std::string_view label(const json::Value& object, std::string_view key) {
  return json::get_string(object, "metadata", "labels", key);
}
inline std::string_view annotation(const json::Value& object, std::string_view key) {
  return json::get_string(object, "metadata", "annotations", key);
}
void set_label(json::Value& object, std::string_view key, std::string_view value);
void set_annotation(json::Value& object, std::string_view key, std::string_view value);

/// apiVersion and kind as they stand in the object.
GroupVersionKind kind_of(const json::Value& object);
/// {"apiVersion":...,"kind":...,"metadata":{"name":...,"namespace":...}}; `name_space` may be
/// empty.
json::Value make_object(const GroupVersionKind& kind, std::string_view name_space,
                        std::string_view name);
/// "namespace/name", or "name" when there is no namespace: the key of queues and caches.
std::string key_of(const json::Value& object);

std::optional<WallTime> time_at(const json::Value& object, json::Path path);
inline std::optional<WallTime> created_at(const json::Value& object) {
  return time_at(object, {"metadata", "creationTimestamp"});
}

struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  bool controller = false;
  bool block_owner_deletion = false;

  json::Value to_json() const;
};

std::vector<OwnerReference> owners_of(const json::Value& object);
/// The one owner that manages the object.
std::optional<OwnerReference> controller_of(const json::Value& object);
/// As a controller refers to what it made: controller and blockOwnerDeletion set.
OwnerReference controller_reference(const json::Value& owner);

bool has_finalizer(const json::Value& object, std::string_view finalizer);
void add_finalizer(json::Value& object, std::string_view finalizer);
/// True if it was there.
bool remove_finalizer(json::Value& object, std::string_view finalizer);

/// The element of status.conditions of that type, or null.
const json::Value* condition(const json::Value& object, std::string_view type);
/// "True", "False", "Unknown" or "" when there is no such condition.
std::string_view condition_status(const json::Value& object, std::string_view type);

struct Condition {
  std::string_view type;
  std::string_view status;
  std::string_view reason;
  std::string_view message;
};
/// Sets status.conditions[type]; lastTransitionTime moves only when the status changes. True if
/// anything changed.
bool set_condition(json::Value& object, const Condition& condition, WallTime now);

/// The Ready condition of a pod is True.
bool is_pod_ready(const json::Value& pod);
/// Phase Succeeded or Failed.
bool is_pod_finished(const json::Value& pod);

}  // namespace tripod::kube
