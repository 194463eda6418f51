#include "firmware/kube/client/objects.h"

namespace tripod::kube {

std::uint64_t revision_of(const json::Value& object) {
  std::string_view text = resource_version_of(object);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string make_key(std::string_view name_space, std::string_view name) {
  return name_space.empty() ? std::string(name) : std::format("{}/{}", name_space, name);
}

std::pair<std::string_view, std::string_view> split_key(std::string_view key) {
  std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return {{}, key};
  return {key.substr(0, slash), key.substr(slash + 1)};
}

std::string_view controller_uid(const json::Value& object) {
  const json::Array* owners = json::get_array(object, "metadata", "ownerReferences");
  if (!owners) return {};
  for (const json::Value& owner : *owners) {
    if (json::get_bool(owner, "controller")) return json::get_string(owner, "uid");
  }
  return {};
}

bool is_pod_active(const json::Value& pod) {
  return !is_pod_finished(pod) && !is_deleting(pod);
}

bool is_pod_available(const json::Value& pod, std::chrono::seconds min_ready, WallTime now,
                      std::optional<Duration>* wait) {
  if (!is_pod_ready(pod)) return false;
  if (min_ready.count() == 0) return true;
  auto since = time_at(*condition(pod, "Ready"), {"lastTransitionTime"});
  if (!since) return false;
  if (*since + min_ready <= now) return true;
  const Duration left = *since + min_ready - now;
  if (wait && (!*wait || left < **wait)) *wait = left;
  return false;
}

void prune_metadata(json::Value& object) {
  json::erase(object, {"metadata", "managedFields"});
}

}  // namespace tripod::kube
