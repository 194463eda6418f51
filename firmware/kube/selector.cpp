#include "firmware/kube/selector.h"

#include <charconv>
#include <format>

#include "firmware/kube/field_error.h"
#include "firmware/kube/names.h"
#include "firmware/kube/selector_parser.h"
#include "firmware/kube/syntax.h"

namespace tripod::kube {

namespace {

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool Requirement::matches(std::optional<std::string_view> value) const {
  const auto among = [&] { return std::ranges::find(values, *value) != values.end(); };
  switch (op) {
    case SelectorOperator::in:
    case SelectorOperator::equals: return value && among();
    case SelectorOperator::not_in:
    case SelectorOperator::not_equals: return !value || !among();
    case SelectorOperator::exists: return value.has_value();
    case SelectorOperator::not_exists: return !value;
    case SelectorOperator::greater:
    case SelectorOperator::less: {
      if (!value || values.size() != 1) return false;
      const auto left = integer(*value), right = integer(values[0]);
      if (!left || !right) return false;
      return op == SelectorOperator::greater ? *left > *right : *left < *right;
    }
  }
  return false;
}

LabelSelector LabelSelector::nothing() {
  LabelSelector selector;
  selector.nothing_ = true;
  return selector;
}

Result<Requirement> make_requirement(std::string_view key, SelectorOperator op,
                                     std::vector<std::string> values) {
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
  FieldErrors errors;
  const auto as_json = [&] { return json::Array(values.begin(), values.end()); };
  if (auto found = check_qualified_name(key); !found.empty())
    errors.push_back(invalid("key", key, join(found)));
  switch (op) {
    case SelectorOperator::in:
    case SelectorOperator::not_in:
      if (values.empty()) {
        errors.push_back(
            invalid("values", as_json(), "for 'in', 'notin' operators, values set can't be empty"));
      }
      break;
    case SelectorOperator::equals:
    case SelectorOperator::not_equals:
      if (values.size() != 1) {
        errors.push_back(
            invalid("values", as_json(), "exact-match compatibility requires one single value"));
      }
      break;
    case SelectorOperator::exists:
    case SelectorOperator::not_exists:
      if (!values.empty()) {
        errors.push_back(
            invalid("values", as_json(), "values set must be empty for exists and does not exist"));
      }
      break;
    case SelectorOperator::greater:
    case SelectorOperator::less:
      if (values.size() != 1) {
        errors.push_back(invalid("values", as_json(),
                                 "for 'Gt', 'Lt' operators, exactly one value is required"));
      }
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (!integer(values[i])) {
          errors.push_back(invalid(FieldPath("values").index(i), values[i],
                                   "for 'Gt', 'Lt' operators, the value must be an integer"));
        }
      }
      break;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (auto found = check_label_value(values[i]); !found.empty()) {
      errors.push_back(invalid(FieldPath("values").index(i).key(key), values[i], join(found)));
    }
  }
  if (!errors.empty()) return fail(ErrorCode::invalid, join(errors));
  return Requirement{std::string(key), op, std::move(values)};
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  if (text.size() > 16 * 1024)
    return fail(ErrorCode::too_large, "label selector is longer than 16384 bytes");
  auto requirements = parse_requirements(text);
  if (!requirements) return std::unexpected(requirements.error());
  LabelSelector selector;
  selector.requirements_ = std::move(*requirements);
  std::ranges::stable_sort(selector.requirements_, {}, &Requirement::key);
  return selector;
}

namespace {

Result<SelectorOperator> expression_operator(std::string_view name) {
  if (name == "In") return SelectorOperator::in;
  if (name == "NotIn") return SelectorOperator::not_in;
  if (name == "Exists") return SelectorOperator::exists;
  if (name == "DoesNotExist") return SelectorOperator::not_exists;
  return fail(ErrorCode::invalid,
              std::format("{} is not a valid label selector operator", go_quote(name)));
}

}  // namespace

Result<LabelSelector> LabelSelector::from_object(const json::Value* object) {
  if (!object || object->is_null()) return nothing();
  LabelSelector selector;
  if (const json::Object* labels = json::get_object(*object, "matchLabels")) {
    for (const auto& [key, value] : *labels) {
      auto made =
          make_requirement(key, SelectorOperator::equals, {std::string(json::as_string(value))});
      if (!made) return std::unexpected(made.error());
      selector.requirements_.push_back(std::move(*made));
    }
  }
  if (const json::Array* expressions = json::get_array(*object, "matchExpressions")) {
    for (const json::Value& expression : *expressions) {
      auto op = expression_operator(json::get_string(expression, "operator"));
      if (!op) return std::unexpected(op.error());
      std::vector<std::string> values;
      if (const json::Array* list = json::get_array(expression, "values")) {
        for (const json::Value& value : *list) values.emplace_back(json::as_string(value));
      }
      auto made = make_requirement(json::get_string(expression, "key"), *op, std::move(values));
      if (!made) return std::unexpected(made.error());
      selector.requirements_.push_back(std::move(*made));
    }
  }
  std::ranges::stable_sort(selector.requirements_, {}, &Requirement::key);
  return selector;
}

LabelSelector LabelSelector::from_map(const json::Value* labels) {
  LabelSelector selector;
  if (!labels || !labels->is_object()) return selector;
  for (const auto& [key, value] : labels->get_object()) {
    selector.requirements_.push_back(
        {std::string(key), SelectorOperator::equals, {std::string(json::as_string(value))}});
  }
  std::ranges::stable_sort(selector.requirements_, {}, &Requirement::key);
  return selector;
}

bool LabelSelector::matches(const json::Value* labels) const {
  const json::Object* map = labels ? labels->if_object() : nullptr;
  return matches_by([map](std::string_view key) -> std::optional<std::string_view> {
    const json::Value* value = map ? map->if_contains(key) : nullptr;
    if (!value || !value->is_string()) return std::nullopt;
    return json::as_string(*value);
  });
}

std::string LabelSelector::to_string() const {
  std::string text;
  for (const Requirement& requirement : requirements_) {
    if (!text.empty()) text += ',';
    std::string values;
    for (const std::string& value : requirement.values)
      values += (values.empty() ? "" : ",") + value;
    switch (requirement.op) {
      case SelectorOperator::in: text += std::format("{} in ({})", requirement.key, values); break;
      case SelectorOperator::not_in:
        text += std::format("{} notin ({})", requirement.key, values);
        break;
      case SelectorOperator::equals: text += std::format("{}={}", requirement.key, values); break;
      case SelectorOperator::not_equals:
        text += std::format("{}!={}", requirement.key, values);
        break;
      case SelectorOperator::exists: text += requirement.key; break;
      case SelectorOperator::not_exists: text += "!" + requirement.key; break;
      case SelectorOperator::greater: text += std::format("{}>{}", requirement.key, values); break;
      case SelectorOperator::less: text += std::format("{}<{}", requirement.key, values); break;
    }
  }
  return text;
}

}  // namespace tripod::kube
