#include <array>
#include <utility>

#include "firmware/apiserver/kinds/strategies.h"

namespace tripod::apiserver::kinds {

namespace {

/// core/v1 name, events.k8s.io/v1 name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> names{{
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
    {"apiVersion", "apiVersion"},
}};

void rename(json::Value& event, std::string_view from, std::string_view to) {
  json::Object& object = event.get_object();
  const auto at = object.find(from);
  if (at == object.end() || from == to) return;
  json::Value value = std::move(at->value());
  json::erase(object, from);
  object[to] = std::move(value);
}

}  // namespace

void event_from_core(json::Value& event) {
  if (!event.is_object()) return;
  for (const auto& [core, named] : names) rename(event, core, named);
  json::set(event, {"apiVersion"}, "events.k8s.io/v1");
}

void event_to_core(json::Value& event) {
  if (!event.is_object()) return;
  for (const auto& [core, named] : names) rename(event, named, core);
  json::set(event, {"apiVersion"}, "v1");
}

}  // namespace tripod::apiserver::kinds
