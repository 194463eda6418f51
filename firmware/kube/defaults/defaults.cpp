#include "firmware/kube/defaults/defaults.h"

#include "firmware/kube/defaults/hooks.h"
#include "platform/base/check.h"

namespace tripod::kube {

namespace defaults {

json::Object& fill_object(json::Object& object, std::string_view key) {
  json::Value& slot = object[key];
  if (!slot.is_object()) slot.emplace_object();
  return slot.get_object();
}

std::string_view text_at(const json::Object& object, std::string_view key) {
  const json::Value* value = object.if_contains(key);
  return value ? json::as_string(*value) : std::string_view();
}

namespace {

Hook hook_of(const schema::Type& type) {
  for (auto hooks : {pod_hooks(), core_hooks(), workload_hooks()}) {
    for (const HookEntry& entry : hooks) {
      if (entry.type == type.name && entry.group == type.package->group) return entry.hook;
    }
  }
  return nullptr;
}

void apply(const schema::Type& type, json::Object& object);

void apply_below(const schema::Field& field, json::Value& value) {
  if (field.is_list() && value.is_array()) {
    for (json::Value& element : value.get_array()) {
      if (element.is_object()) apply(*field.type, element.get_object());
    }
  } else if (field.is_map() && value.is_object()) {
    for (auto& [key, element] : value.get_object()) {
      if (element.is_object()) apply(*field.type, element.get_object());
    }
  } else if (field.is_object() && value.is_object()) {
    apply(*field.type, value.get_object());
  }
}

void apply(const schema::Type& type, json::Object& object) {
  if (Hook hook = hook_of(type)) hook(object);
  type.each_field([&](const schema::Field& field) {
    json::Value* present = object.if_contains(field.name);
    if (!present && field.extra && !field.extra->default_json.empty()) {
      auto value = json::parse(field.extra->default_json);
      CHECK(value.has_value(), field.name);
      object[field.name] = std::move(*value);
    } else if (present && field.type) {
      apply_below(field, *present);
    }
  });
}

}  // namespace
}  // namespace defaults

void apply_defaults(const schema::Type& type, json::Value& object) {
  if (object.is_object()) defaults::apply(type, object.get_object());
}

void default_pod_spec(json::Object& spec) {
  defaults::apply(schema::must_find_type("", "v1", "PodSpec"), spec);
}

}  // namespace tripod::kube
