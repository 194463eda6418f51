// RFC 7386.

#include "firmware/kube/patch/patch.h"

namespace tripod::kube {

json::Value apply_merge_patch(json::Value document, const json::Value& patch) {
  const json::Object* changes = patch.if_object();
  if (!changes) return patch;
  if (!document.is_object()) document.emplace_object();
  json::Object& object = document.get_object();
  for (const auto& [key, value] : *changes) {
    if (value.is_null()) {
      json::erase(object, key);
      continue;
    }
    json::Value* present = object.if_contains(key);
    json::Value merged = apply_merge_patch(present ? std::move(*present) : json::Value(), value);
    object[key] = std::move(merged);
  }
  return document;
}

}  // namespace tripod::kube
