#pragma once
// The defaults that are more than a constant: one function per type, called for every object of
// that type, the outermost first. Used by defaults.cpp.

#include <span>
#include <string_view>

#include "platform/json/json.h"

namespace tripod::kube::defaults {

using Hook = void (*)(json::Object& object);

struct HookEntry {
  std::string_view group;
  std::string_view type;
  Hook hook;
};

std::span<const HookEntry> pod_hooks();       // pods and what they consist of
std::span<const HookEntry> core_hooks();      // other kinds of core/v1 and discovery
std::span<const HookEntry> workload_hooks();  // apps, batch

/// Sets `object[key]` unless it is there.
template <typename T>
json::Value& fill(json::Object& object, std::string_view key, T&& value) {
  json::Value& slot = object[key];
  if (slot.is_null()) slot = std::forward<T>(value);
  return slot;
}
/// The object at `object[key]`, made if it is not there.
json::Object& fill_object(json::Object& object, std::string_view key);
std::string_view text_at(const json::Object& object, std::string_view key);

}  // namespace tripod::kube::defaults
