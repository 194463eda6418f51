#pragma once
// What is wrong with one field of an object, worded as Kubernetes words it:
//   spec.containers[0].image: Required value
//   metadata.name: Invalid value: "X": a lowercase RFC 1123 subdomain must consist of ...

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "platform/json/json.h"

namespace tripod::kube {

enum class FieldErrorType : std::uint8_t {
  required,
  invalid,
  type_invalid,
  not_supported,
  duplicate,
  forbidden,
  not_found,
  too_long,
  too_many,
  too_few,
  internal,
};

/// The reason of a Status cause: "FieldValueRequired".
std::string_view reason_of(FieldErrorType type);

struct FieldError {
  FieldErrorType type = FieldErrorType::invalid;
  std::string field;
  json::Value value;
  std::string detail;

  std::string body() const;       // "Invalid value: \"X\": must be ..."
  std::string to_string() const;  // field, colon, body
};

using FieldErrors = std::vector<FieldError>;

/// Where in the object: "spec.containers[0].ports[1]", "metadata.labels[a/b]".
class FieldPath {
 public:
  FieldPath() = default;
  FieldPath(std::string_view text) : text_(text) {}
  FieldPath(const char* text) : text_(text) {}

  FieldPath child(std::string_view name) const;
  FieldPath index(std::size_t index) const;
  FieldPath key(std::string_view key) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// The value that was found: any text, number, or document.
class BadValue {
 public:
  template <typename T>
  BadValue(const T& value) {
    if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      value_ = std::string_view(value);
    } else {
      value_ = json::Value(value);
    }
  }

  json::Value take() { return std::move(value_); }

 private:
  json::Value value_;
};

FieldError required(const FieldPath& path, std::string_view detail = {});
FieldError invalid(const FieldPath& path, BadValue value, std::string_view detail);
FieldError not_supported(const FieldPath& path, BadValue value,
                         std::initializer_list<std::string_view> supported);
FieldError not_supported(const FieldPath& path, BadValue value,
                         const std::vector<std::string_view>& supported);
FieldError duplicate(const FieldPath& path, BadValue value);
FieldError forbidden(const FieldPath& path, std::string_view detail);
FieldError not_found(const FieldPath& path, BadValue value);
FieldError too_long(const FieldPath& path, std::size_t length_max);
FieldError too_many(const FieldPath& path, std::size_t actual, std::size_t count_max);

/// "a", or "[a, b]" for several, without repetitions.
std::string join(const FieldErrors& errors);

}  // namespace tripod::kube
