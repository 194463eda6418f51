#pragma once
// The rules of validation that several kinds share, and the function of each kind. Used by
// validation/*.cpp.

#include <span>
#include <string_view>

#include "firmware/kube/field_error.h"
#include "firmware/kube/syntax.h"
#include "firmware/kube/validation/validation.h"
#include "platform/json/json.h"

namespace tripod::kube::validation {

constexpr std::string_view immutable_wording = "field is immutable";
constexpr std::string_view non_negative_wording = "must be greater than or equal to 0";

/// One object under validation: where it is, and where complaints go.
struct Scope {
  const json::Value& value;
  FieldPath path;
  FieldErrors& errors;

  const json::Value* find(std::string_view key) const { return json::find(value, key); }
  std::string_view text(std::string_view key) const { return json::get_string(value, key); }
  bool has(std::string_view key) const;  // there, and no null
  Scope at(std::string_view key, const json::Value& child) const {
    return {child, path.child(key), errors};
  }

  /// visit(Scope of the element, index) for each element of the list `key`.
  template <typename Visit>
  void each(std::string_view key, const Visit& visit) const {
    const json::Array* list = json::get_array(value, key);
    if (!list) return;
    for (std::size_t i = 0; i < list->size(); ++i)
      visit(Scope{(*list)[i], path.child(key).index(i), errors}, i);
  }
  /// visit(Scope of the object) when `key` is an object.
  template <typename Visit>
  void with(std::string_view key, const Visit& visit) const {
    const json::Value* child = find(key);
    if (child && child->is_object()) visit(at(key, *child));
  }

  void add(FieldError error) const { errors.push_back(std::move(error)); }
  /// One error per complaint about the text under `key`.
  void check(std::string_view key, const Complaints& complaints) const;
  /// Required, then the check. True if it is there.
  bool require(std::string_view key, std::string_view detail = {}) const;
  /// The text under `key`, when there, is one of `supported`.
  void one_of(std::string_view key, std::initializer_list<std::string_view> supported) const;
  void non_negative(std::string_view key) const;
  void in_range(std::string_view key, std::int64_t low, std::int64_t high) const;
};

/// A number from 1 to 65535 or a port name, under `key`.
void check_port(const Scope& scope, std::string_view key);
/// A whole number of zero or more, or a percentage.
void check_count_or_percent(const Scope& scope, std::string_view key);
/// `key` must be what it was in `old`; absent, empty and null are the same.
void check_immutable(const Scope& scope, const json::Value& old, std::string_view key);
void check_labels_of(const Scope& scope, std::string_view key);

// Parts of pods.
void check_containers(const Scope& spec, const std::vector<std::string_view>& volumes);
void check_resources(const Scope& container);
void check_probes(const Scope& container, bool init);
std::vector<std::string_view> check_volumes(const Scope& spec);
void check_scheduling(const Scope& spec);
/// metadata labels, annotations and the spec of a template.
void check_pod_template(const Scope& pod_template);

/// What one kind demands beyond its metadata.
struct KindRules {
  std::string_view group;
  std::string_view kind;
  Complaints (*name)(std::string_view);
  void (*check)(const Scope& object);                                 // create and update
  void (*check_update)(const Scope& object, const json::Value& old);  // update only; may be null
};

std::span<const KindRules> core_rules();
std::span<const KindRules> network_rules();
std::span<const KindRules> workload_rules();
std::span<const KindRules> pod_rules();

}  // namespace tripod::kube::validation
