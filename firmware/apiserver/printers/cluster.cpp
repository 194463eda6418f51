#include <algorithm>
#include <format>
#include <set>

#include "firmware/apiserver/printers/format.h"
#include "firmware/apiserver/printers/printers.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver::printers {

namespace {

std::string node_status_text(const json::Value& object) {
  const std::string_view ready = kube::condition_status(object, "Ready");
  std::string text = ready.empty() ? "Unknown" : ready == "True" ? "Ready" : "NotReady";
  if (json::get_bool(object, "spec", "unschedulable")) text += ",SchedulingDisabled";
  return text;
}

std::string node_roles_text(const json::Value& object) {
  constexpr std::string_view prefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  if (const json::Object* labels = json::get_object(object, "metadata", "labels")) {
    for (const auto& [key, value] : *labels) {
      const std::string_view name = key;
      if (name.starts_with(prefix) && name.size() > prefix.size())
        roles.emplace(name.substr(prefix.size()));
      if (name == "kubernetes.io/role" && !json::as_string(value).empty())
        roles.emplace(json::as_string(value));
    }
  }
  std::string text;
  for (const std::string& role : roles) text += (text.empty() ? "" : ",") + role;
  return or_none(text);
}

std::string_view node_address(const json::Value& object, std::string_view type) {
  const json::Array* addresses = json::get_array(object, "status", "addresses");
  for (std::size_t i = 0; i < size_of(addresses); ++i) {
    if (json::get_string((*addresses)[i], "type") == type)
      return json::get_string((*addresses)[i], "address");
  }
  return {};
}

json::Value or_unknown(std::string_view text) {
  return text_cell(text.empty() ? "<unknown>" : text);
}

void push_sized(const json::Value& object, WallTime now, std::size_t count, json::Array& out) {
  out.push_back(number_cell(static_cast<std::int64_t>(count)));
  out.push_back(text_cell(age(object, now)));
}

/// The first that is set.
std::string_view first_of(std::initializer_list<std::string_view> texts) {
  for (std::string_view text : texts) {
    if (!text.empty()) return text;
  }
  return {};
}

std::string event_source_text(const json::Value& object) {
  const std::string_view component = json::get_string(object, "source", "component");
  const std::string_view host = json::get_string(object, "source", "host");
  if (!host.empty()) return std::format("{}, {}", component, host);
  if (!component.empty()) return std::string(component);
  const std::string_view controller = json::get_string(object, "reportingComponent");
  const std::string_view instance = json::get_string(object, "reportingInstance");
  return instance.empty() ? std::string(controller) : std::format("{}, {}", controller, instance);
}

std::string lower_kind(std::string_view kind) {
  std::string text(kind);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

void node(const json::Value& object, WallTime now, json::Array& out) {
  const auto info = [&](std::string_view field) {
    return json::get_string(object, "status", "nodeInfo", field);
  };
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(node_status_text(object)));
  out.push_back(text_cell(node_roles_text(object)));
  out.push_back(text_cell(age(object, now)));
  out.push_back(text_cell(info("kubeletVersion")));
  out.push_back(text_cell(or_none(node_address(object, "InternalIP"))));
  out.push_back(text_cell(or_none(node_address(object, "ExternalIP"))));
  out.push_back(or_unknown(info("osImage")));
  out.push_back(or_unknown(info("kernelVersion")));
  out.push_back(or_unknown(info("containerRuntimeVersion")));
}

void config_map(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  push_sized(
      object, now,
      size_of(json::get_object(object, "data")) + size_of(json::get_object(object, "binaryData")),
      out);
}

void secret(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(json::get_string(object, "type")));
  push_sized(object, now, size_of(json::get_object(object, "data")), out);
}

void service_account(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  push_sized(object, now, size_of(json::get_array(object, "secrets")), out);
}

void name_space(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(json::get_string(object, "status", "phase")));
  out.push_back(text_cell(age(object, now)));
}

void event(const json::Value& object, WallTime now, json::Array& out) {
  const std::string_view created = json::get_string(object, "metadata", "creationTimestamp");
  const std::string_view first = first_of(
      {json::get_string(object, "firstTimestamp"), json::get_string(object, "eventTime"), created});
  const std::string_view last = first_of({json::get_string(object, "series", "lastObservedTime"),
                                          json::get_string(object, "lastTimestamp"), first});
  const auto count =
      json::get_int(object, "series", "count").value_or(json::get_int(object, "count").value_or(1));
  const std::string_view kind = json::get_string(object, "involvedObject", "kind");
  const std::string_view name = json::get_string(object, "involvedObject", "name");
  out.push_back(text_cell(since(last, now)));
  out.push_back(text_cell(json::get_string(object, "type")));
  out.push_back(text_cell(json::get_string(object, "reason")));
  out.push_back(
      text_cell(name.empty() ? lower_kind(kind) : std::format("{}/{}", lower_kind(kind), name)));
  out.push_back(text_cell(json::get_string(object, "involvedObject", "fieldPath")));
  out.push_back(text_cell(event_source_text(object)));
  out.push_back(text_cell(json::get_string(object, "message")));
  out.push_back(text_cell(since(first, now)));
  out.push_back(number_cell(count));
  out.push_back(text_cell(kube::name_of(object)));
}

void lease(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(json::get_string(object, "spec", "holderIdentity")));
  out.push_back(text_cell(age(object, now)));
}

}  // namespace tripod::apiserver::printers
