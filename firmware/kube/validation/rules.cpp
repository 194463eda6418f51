#include "firmware/kube/validation/rules.h"

#include <format>

namespace tripod::kube::validation {

bool Scope::has(std::string_view key) const {
  const json::Value* found = find(key);
  return found && !found->is_null();
}

void Scope::check(std::string_view key, const Complaints& complaints) const {
  for (const std::string& complaint : complaints)
    add(invalid(path.child(key), text(key), complaint));
}

bool Scope::require(std::string_view key, std::string_view detail) const {
  const json::Value* found = find(key);
  const bool there =
      found && !found->is_null() && !(found->is_string() && found->get_string().empty());
  if (!there) add(required(path.child(key), detail));
  return there;
}

void Scope::one_of(std::string_view key, std::initializer_list<std::string_view> supported) const {
  const std::string_view found = text(key);
  if (!found.empty() && std::ranges::find(supported, found) == supported.end()) {
    add(not_supported(path.child(key), found, supported));
  }
}

void Scope::non_negative(std::string_view key) const {
  const auto number = json::get_int(value, key);
  if (number && *number < 0) add(invalid(path.child(key), *number, non_negative_wording));
}

void Scope::in_range(std::string_view key, std::int64_t low, std::int64_t high) const {
  const auto number = json::get_int(value, key);
  if (number && (*number < low || *number > high)) {
    add(invalid(path.child(key), *number,
                std::format("must be between {} and {}, inclusive", low, high)));
  }
}

void check_port(const Scope& scope, std::string_view key) {
  const json::Value* port = scope.find(key);
  if (port && port->is_string()) {
    scope.check(key, check_port_name(json::as_string(*port)));
    return;
  }
  const std::int64_t number = port ? json::as_int(*port).value_or(0) : 0;
  for (const std::string& complaint : check_port_number(number)) {
    scope.add(invalid(scope.path.child(key), number, complaint));
  }
}

void check_count_or_percent(const Scope& scope, std::string_view key) {
  const json::Value* value = scope.find(key);
  if (!value) return;
  if (value->is_string()) {
    scope.check(key, check_percent(json::as_string(*value)));
  } else {
    scope.non_negative(key);
  }
}

void check_immutable(const Scope& scope, const json::Value& old, std::string_view key) {
  const json::Value* now = scope.find(key);
  if (!json::equal_semantic(now, json::find(old, key))) {
    scope.add(invalid(scope.path.child(key), now ? *now : json::Value(), immutable_wording));
  }
}

void check_labels_of(const Scope& scope, std::string_view key) {
  validate_labels(scope.find(key), scope.path.child(key), scope.errors);
}

}  // namespace tripod::kube::validation
