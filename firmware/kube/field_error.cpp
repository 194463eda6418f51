#include "firmware/kube/field_error.h"

#include <format>

#include "firmware/kube/names.h"

namespace tripod::kube {

std::string_view reason_of(FieldErrorType type) {
  switch (type) {
    case FieldErrorType::required: return "FieldValueRequired";
    case FieldErrorType::invalid: return "FieldValueInvalid";
    case FieldErrorType::type_invalid: return "FieldValueTypeInvalid";
    case FieldErrorType::not_supported: return "FieldValueNotSupported";
    case FieldErrorType::duplicate: return "FieldValueDuplicate";
    case FieldErrorType::forbidden: return "FieldValueForbidden";
    case FieldErrorType::not_found: return "FieldValueNotFound";
    case FieldErrorType::too_long: return "FieldValueTooLong";
    case FieldErrorType::too_many: return "FieldValueTooMany";
    case FieldErrorType::too_few: return "FieldValueTooFew";
    case FieldErrorType::internal: return "InternalError";
  }
  return {};
}

namespace {

struct Wording {
  std::string_view text;
  bool shows_value;
};

Wording wording_of(FieldErrorType type) {
  switch (type) {
    case FieldErrorType::required: return {"Required value", false};
    case FieldErrorType::invalid: return {"Invalid value", true};
    case FieldErrorType::type_invalid: return {"Invalid value", true};
    case FieldErrorType::not_supported: return {"Unsupported value", true};
    case FieldErrorType::duplicate: return {"Duplicate value", true};
    case FieldErrorType::forbidden: return {"Forbidden", false};
    case FieldErrorType::not_found: return {"Not found", true};
    case FieldErrorType::too_long: return {"Too long", false};
    case FieldErrorType::too_many: return {"Too many", true};
    case FieldErrorType::too_few: return {"Too few", true};
    case FieldErrorType::internal: return {"Internal error", false};
  }
  return {};
}

}  // namespace

std::string FieldError::body() const {
  const Wording wording = wording_of(type);
  std::string text(wording.text);
  if (wording.shows_value) {
    text += ": ";
    text += value.is_string() ? go_quote(json::as_string(value)) : json::serialize(value);
  }
  if (!detail.empty()) text += std::format(": {}", detail);
  return text;
}

std::string FieldError::to_string() const {
  return std::format("{}: {}", field, body());
}

FieldPath FieldPath::child(std::string_view name) const {
  if (text_.empty()) return FieldPath(name);
  return FieldPath(std::format("{}.{}", text_, name));
}
FieldPath FieldPath::index(std::size_t index) const {
  return FieldPath(std::format("{}[{}]", text_, index));
}
FieldPath FieldPath::key(std::string_view key) const {
  return FieldPath(std::format("{}[{}]", text_, key));
}

FieldError required(const FieldPath& path, std::string_view detail) {
  return {FieldErrorType::required, path.text(), "", std::string(detail)};
}

FieldError invalid(const FieldPath& path, BadValue value, std::string_view detail) {
  return {FieldErrorType::invalid, path.text(), value.take(), std::string(detail)};
}

FieldError not_supported(const FieldPath& path, BadValue value,
                         std::initializer_list<std::string_view> supported) {
  return not_supported(path, std::move(value), std::vector<std::string_view>(supported));
}

FieldError not_supported(const FieldPath& path, BadValue value,
                         const std::vector<std::string_view>& supported) {
  std::string detail;
  for (std::string_view one : supported) {
    detail += detail.empty() ? "supported values: " : ", ";
    detail += go_quote(one);
  }
  return {FieldErrorType::not_supported, path.text(), value.take(), std::move(detail)};
}

FieldError duplicate(const FieldPath& path, BadValue value) {
  return {FieldErrorType::duplicate, path.text(), value.take(), {}};
}

FieldError forbidden(const FieldPath& path, std::string_view detail) {
  return {FieldErrorType::forbidden, path.text(), "", std::string(detail)};
}

FieldError not_found(const FieldPath& path, BadValue value) {
  return {FieldErrorType::not_found, path.text(), value.take(), {}};
}

FieldError too_long(const FieldPath& path, std::size_t length_max) {
  return {FieldErrorType::too_long, path.text(), "<value omitted>",
          std::format("may not be more than {} byte{}", length_max, length_max == 1 ? "" : "s")};
}

FieldError too_many(const FieldPath& path, std::size_t actual, std::size_t count_max) {
  return {FieldErrorType::too_many, path.text(), actual,
          std::format("must have at most {} item{}", count_max, count_max == 1 ? "" : "s")};
}

std::string join(const FieldErrors& errors) {
  std::vector<std::string> texts;
  for (const FieldError& error : errors) {
    std::string text = error.to_string();
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  }
  if (texts.empty()) return {};
  if (texts.size() == 1) return texts[0];
  std::string joined = "[";
  for (const std::string& text : texts) {
    if (joined.size() > 1) joined += ", ";
    joined += text;
  }
  return joined += ']';
}

}  // namespace tripod::kube
