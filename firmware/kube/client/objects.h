#pragma once
// What components ask of objects beyond firmware/kube/object.h: cache keys, revisions, when a pod
// counts as available. Pure; answers "absent" instead of failing.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/kube/object.h"
#include "platform/base/time.h"
#include "platform/json/json.h"

namespace tripod::kube {

/// An object as caches keep it: one copy, many readers.
using ObjectPtr = std::shared_ptr<const json::Value>;

/// The resourceVersion as a number that orders the writes of one server; 0 when absent.
std::uint64_t revision_of(const json::Value& object);
/// "default/web", or "node-1" without namespace.
std::string make_key(std::string_view name_space, std::string_view name);
/// "default/web" -> {"default", "web"}; "node-1" -> {"", "node-1"}.
std::pair<std::string_view, std::string_view> split_key(std::string_view key);
/// The uid of the owner that manages the object, or empty.
std::string_view controller_uid(const json::Value& object);

/// Phase neither Succeeded nor Failed, and not being deleted.
bool is_pod_active(const json::Value& pod);
/// Ready for at least `min_ready`. When time alone will make it so, `wait` is lowered to how long
/// that takes.
bool is_pod_available(const json::Value& pod, std::chrono::seconds min_ready, WallTime now,
                      std::optional<Duration>* wait = nullptr);

/// Removes what no component of the board reads and no update needs to carry:
/// metadata.managedFields.
void prune_metadata(json::Value& object);

}  // namespace tripod::kube
