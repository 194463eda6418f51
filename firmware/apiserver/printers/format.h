#pragma once
// Texts that the cells of many kinds share, as kubectl's printers word them. Pure.

#include <string>
#include <string_view>

#include "platform/base/time.h"
#include "platform/json/json.h"

namespace tripod::apiserver {

inline constexpr std::string_view none_text = "<none>";

/// "5s", "3m20s", "4h", "2d5h", "3y": how kubectl prints spans.
std::string human_duration(std::chrono::seconds span);
/// Time since an RFC 3339 text; "<unknown>" without one.
std::string since(std::string_view timestamp, WallTime now);
inline std::string age(const json::Value& object, WallTime now) {
  return since(json::get_string(object, "metadata", "creationTimestamp"), now);
}
/// "a=b,c=d", sorted; "<none>" when empty.
std::string format_labels(const json::Object* labels);
/// A metav1.LabelSelector as a query; "<none>" when empty.
std::string format_selector(const json::Value* selector);
/// Names and images of spec.containers of a pod template, each joined by commas.
std::pair<std::string, std::string> format_containers(const json::Value* pod_spec);
std::string or_none(std::string_view text);
json::Value text_cell(std::string_view text);
json::Value number_cell(std::optional<std::int64_t> number);
std::size_t size_of(const json::Array* array);
std::size_t size_of(const json::Object* object);

}  // namespace tripod::apiserver
