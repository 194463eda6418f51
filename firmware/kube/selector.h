#pragma once
// Label and field selectors: "a=b,c in (x,y),!d" as queries, LabelSelector objects as in specs, and
// plain maps as in Service and ReplicationController. Immutable once made; errors are worded as
// Kubernetes words them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/json/json.h"

namespace tripod::kube {

enum class SelectorOperator : std::uint8_t {
  in,
  not_in,
  equals,
  not_equals,
  exists,
  not_exists,
  greater,
  less
};

struct Requirement {
  std::string key;
  SelectorOperator op = SelectorOperator::exists;
  std::vector<std::string> values;  // sorted, without repetitions

  /// `value` is what the object has under `key`, if anything.
  bool matches(std::optional<std::string_view> value) const;
};

class LabelSelector {
 public:
  /// Matches everything.
  LabelSelector() = default;
  static LabelSelector nothing();
  /// A query parameter. "" matches everything.
  static Result<LabelSelector> parse(std::string_view text);
  /// A metav1.LabelSelector object: absent or null matches nothing, {} everything.
  static Result<LabelSelector> from_object(const json::Value* selector);
  /// A map of labels, all of which must be there. Absent or empty matches everything.
  static LabelSelector from_map(const json::Value* labels);

  /// `labels` is metadata.labels, or null.
  bool matches(const json::Value* labels) const;
  /// get(key) -> std::optional<std::string_view>
  template <typename Get>
  bool matches_by(const Get& get) const {
    if (nothing_) return false;
    for (const Requirement& requirement : requirements_) {
      if (!requirement.matches(get(std::string_view(requirement.key)))) return false;
    }
    return true;
  }

  bool everything() const { return !nothing_ && requirements_.empty(); }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  std::string to_string() const;  // sorted by key, as Scale.status.selector wants it

 private:
  bool nothing_ = false;
  std::vector<Requirement> requirements_;
};

class FieldSelector {
 public:
  struct Term {
    std::string field;
    std::string value;
    bool equals = true;
  };

  FieldSelector() = default;
  /// "metadata.name=x,spec.nodeName!=y", with \, \= and \\ as escapes. "" matches everything.
  static Result<FieldSelector> parse(std::string_view text);

  /// get(field) -> std::string_view; a field without value is "".
  template <typename Get>
  bool matches_by(const Get& get) const {
    for (const Term& term : terms_) {
      if ((get(std::string_view(term.field)) == term.value) != term.equals) return false;
    }
    return true;
  }
  /// Reads dotted paths from the object itself; booleans and numbers compare by their text.
  bool matches(const json::Value& object) const;

  bool everything() const { return terms_.empty(); }
  /// The value that `field` must have, when a term demands it.
  std::optional<std::string_view> exact(std::string_view field) const;
  const std::vector<Term>& terms() const { return terms_; }
  std::string to_string() const;

 private:
  std::vector<Term> terms_;
};

}  // namespace tripod::kube
