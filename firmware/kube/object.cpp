#include "firmware/kube/object.h"

#include <format>

namespace tripod::kube {

namespace {

std::string_view text_of(const json::Value& object, std::string_view key) {
  return json::get_string(object, key);
}

}  // namespace

void set_label(json::Value& object, std::string_view key, std::string_view value) {
  json::ensure_object(object, "metadata", "labels")[key] = value;
}

void set_annotation(json::Value& object, std::string_view key, std::string_view value) {
  json::ensure_object(object, "metadata", "annotations")[key] = value;
}

GroupVersionKind kind_of(const json::Value& object) {
  const GroupVersion version = parse_group_version(text_of(object, "apiVersion"));
  return {version.group, version.version, text_of(object, "kind")};
}

json::Value make_object(const GroupVersionKind& kind, std::string_view name_space,
                        std::string_view name) {
  json::Object metadata;
  if (!name.empty()) metadata["name"] = name;
  if (!name_space.empty()) metadata["namespace"] = name_space;
  json::Object object;
  object["kind"] = kind.kind;
  object["apiVersion"] = kind.group_version().to_string();
  object["metadata"] = std::move(metadata);
  return object;
}

std::string key_of(const json::Value& object) {
  const std::string_view name_space = namespace_of(object);
  if (name_space.empty()) return std::string(name_of(object));
  return std::format("{}/{}", name_space, name_of(object));
}

std::optional<WallTime> time_at(const json::Value& object, json::Path path) {
  const json::Value* value = json::find(object, path);
  if (!value || !value->is_string()) return std::nullopt;
  auto time = parse_rfc3339(json::as_string(*value));
  return time ? std::optional(*time) : std::nullopt;
}

json::Value OwnerReference::to_json() const {
  json::Object reference;
  reference["apiVersion"] = api_version;
  reference["kind"] = kind;
  reference["name"] = name;
  reference["uid"] = uid;
  if (controller) reference["controller"] = true;
  if (block_owner_deletion) reference["blockOwnerDeletion"] = true;
  return reference;
}

std::vector<OwnerReference> owners_of(const json::Value& object) {
  std::vector<OwnerReference> owners;
  const json::Array* references = json::get_array(object, "metadata", "ownerReferences");
  if (!references) return owners;
  for (const json::Value& reference : *references) {
    owners.push_back({.api_version = std::string(text_of(reference, "apiVersion")),
                      .kind = std::string(text_of(reference, "kind")),
                      .name = std::string(text_of(reference, "name")),
                      .uid = std::string(text_of(reference, "uid")),
                      .controller = json::get_bool(reference, "controller"),
                      .block_owner_deletion = json::get_bool(reference, "blockOwnerDeletion")});
  }
  return owners;
}

std::optional<OwnerReference> controller_of(const json::Value& object) {
  for (OwnerReference& owner : owners_of(object)) {
    if (owner.controller) return std::move(owner);
  }
  return std::nullopt;
}

OwnerReference controller_reference(const json::Value& owner) {
  return {.api_version = std::string(text_of(owner, "apiVersion")),
          .kind = std::string(text_of(owner, "kind")),
          .name = std::string(name_of(owner)),
          .uid = std::string(uid_of(owner)),
          .controller = true,
          .block_owner_deletion = true};
}

bool has_finalizer(const json::Value& object, std::string_view finalizer) {
  const json::Array* finalizers = json::get_array(object, "metadata", "finalizers");
  return finalizers && std::ranges::any_of(*finalizers, [&](const json::Value& one) {
           return json::as_string(one) == finalizer;
         });
}

void add_finalizer(json::Value& object, std::string_view finalizer) {
  if (!has_finalizer(object, finalizer)) {
    json::ensure_array(object, {"metadata", "finalizers"}).push_back(json::Value(finalizer));
  }
}

bool remove_finalizer(json::Value& object, std::string_view finalizer) {
  if (!has_finalizer(object, finalizer)) return false;
  json::Array& finalizers = json::ensure_array(object, {"metadata", "finalizers"});
  for (auto at = finalizers.begin(); at != finalizers.end();) {
    at = json::as_string(*at) == finalizer ? finalizers.erase(at) : at + 1;
  }
  if (finalizers.empty()) json::erase(object, {"metadata", "finalizers"});
  return true;
}

const json::Value* condition(const json::Value& object, std::string_view type) {
  const json::Array* conditions = json::get_array(object, "status", "conditions");
  if (!conditions) return nullptr;
  for (const json::Value& one : *conditions) {
    if (text_of(one, "type") == type) return &one;
  }
  return nullptr;
}

std::string_view condition_status(const json::Value& object, std::string_view type) {
  const json::Value* found = condition(object, type);
  return found ? text_of(*found, "status") : std::string_view();
}

bool set_condition(json::Value& object, const Condition& wanted, WallTime now) {
  json::Array& conditions = json::ensure_array(object, {"status", "conditions"});
  json::Value* present = nullptr;
  for (json::Value& one : conditions) {
    if (text_of(one, "type") == wanted.type) present = &one;
  }
  if (present && text_of(*present, "status") == wanted.status &&
      text_of(*present, "reason") == wanted.reason &&
      text_of(*present, "message") == wanted.message) {
    return false;
  }
  if (!present) {
    conditions.push_back(json::Object{{"type", wanted.type}});
    present = &conditions.back();
  }
  const bool moved = text_of(*present, "status") != wanted.status;
  json::Object& entry = present->get_object();
  entry["status"] = wanted.status;
  if (moved) entry["lastTransitionTime"] = to_rfc3339(now);
  auto put = [&](std::string_view key, std::string_view value) {
    if (value.empty()) {
      json::erase(entry, key);
    } else {
      entry[key] = value;
    }
  };
  put("reason", wanted.reason);
  put("message", wanted.message);
  return true;
}

bool is_pod_ready(const json::Value& pod) {
  return condition_status(pod, "Ready") == "True";
}

bool is_pod_finished(const json::Value& pod) {
  const std::string_view phase = json::get_string(pod, "status", "phase");
  return phase == "Succeeded" || phase == "Failed";
}

}  // namespace tripod::kube
