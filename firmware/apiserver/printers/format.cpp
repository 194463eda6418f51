#include "firmware/apiserver/printers/format.h"

#include <algorithm>
#include <format>
#include <map>
#include <optional>

#include "firmware/kube/selector.h"

namespace tripod::apiserver {

std::string human_duration(std::chrono::seconds span) {
  const std::int64_t seconds = span.count();
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return std::format("{}s", seconds);
  const auto two = [](std::int64_t whole, char unit, std::int64_t rest, char rest_unit) {
    return rest == 0 ? std::format("{}{}", whole, unit)
                     : std::format("{}{}{}{}", whole, unit, rest, rest_unit);
  };
  const std::int64_t minutes = seconds / 60;
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return std::format("{}m", minutes);
  const std::int64_t hours = seconds / 3600;
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return std::format("{}h", hours);
  if (hours < 24 * 8) return two(hours / 24, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return std::format("{}d", hours / 24);
  if (hours < 24 * 365 * 8) return two(hours / 24 / 365, 'y', hours / 24 % 365, 'd');
  return std::format("{}y", hours / 24 / 365);
}

std::string since(std::string_view timestamp, WallTime now) {
  if (timestamp.empty()) return "<unknown>";
  const auto then = parse_rfc3339(timestamp);
  if (!then) return "<unknown>";
  return human_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *then));
}

std::string format_labels(const json::Object* labels) {
  std::map<std::string_view, std::string_view> sorted;
  if (labels) {
    for (const auto& [key, value] : *labels)
      sorted.emplace(std::string_view(key), json::as_string(value));
  }
  std::string text;
  for (const auto& [key, value] : sorted)
    text += std::format("{}{}={}", text.empty() ? "" : ",", key, value);
  return text.empty() ? std::string(none_text) : text;
}

std::string format_selector(const json::Value* selector) {
  const auto parsed = kube::LabelSelector::from_object(selector);
  if (!parsed) return "<error>";
  const std::string text = parsed->to_string();
  return text.empty() ? std::string(none_text) : text;
}

std::pair<std::string, std::string> format_containers(const json::Value* pod_spec) {
  std::pair<std::string, std::string> texts;
  const json::Array* containers = pod_spec ? json::get_array(*pod_spec, "containers") : nullptr;
  if (!containers) return texts;
  for (const json::Value& container : *containers) {
    if (!texts.first.empty()) {
      texts.first += ',';
      texts.second += ',';
    }
    texts.first += json::get_string(container, "name");
    texts.second += json::get_string(container, "image");
  }
  return texts;
}

std::string or_none(std::string_view text) {
  return std::string(text.empty() ? none_text : text);
}

json::Value text_cell(std::string_view text) {
  return json::Value(json::String(text));
}

json::Value number_cell(std::optional<std::int64_t> number) {
  return json::Value(number.value_or(0));
}

std::size_t size_of(const json::Array* array) {
  return array ? array->size() : 0;
}
std::size_t size_of(const json::Object* object) {
  return object ? object->size() : 0;
}

}  // namespace tripod::apiserver
