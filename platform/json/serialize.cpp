// Compact text, with numbers as Go's encoding/json prints them.

#include <charconv>
#include <cmath>

#include "platform/base/check.h"
#include "platform/json/json.h"

namespace tripod::json {

namespace {

template <typename Integer>
void append_integer(std::string& out, Integer number) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

/// Shortest digits that read back the same; an exponent below 1e-6 and from 1e21 on, without
/// leading zeros.
void append_double(std::string& out, double number) {
  CHECK(std::isfinite(number));
  const double magnitude = std::fabs(number);
  const bool exponent = magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21);
  char text[64];
  const auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
  std::string_view digits(text, std::to_chars(text, text + sizeof text, number, format).ptr);
  const std::size_t size = digits.size();
  if (exponent && size > 4 && digits[size - 4] == 'e' && digits[size - 3] == '-' &&
      digits[size - 2] == '0') {
    out.append(digits.substr(0, size - 2));
    out += digits[size - 1];
    return;
  }
  out.append(digits);
}

}  // namespace

void serialize_string_to(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  std::size_t clean = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(clean, i - clean));
    clean = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        out += "\\u00";
        out += hex[c >> 4];
        out += hex[c & 15];
    }
  }
  out.append(text.substr(clean));
  out += '"';
}

void serialize_to(std::string& out, const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null: out += "null"; return;
    case boost::json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case boost::json::kind::int64: append_integer(out, value.get_int64()); return;
    case boost::json::kind::uint64: append_integer(out, value.get_uint64()); return;
    case boost::json::kind::double_: append_double(out, value.get_double()); return;
    case boost::json::kind::string: serialize_string_to(out, as_string(value)); return;
    case boost::json::kind::array: {
      char separator = '[';
      for (const Value& element : value.get_array()) {
        out += separator;
        separator = ',';
        serialize_to(out, element);
      }
      if (separator == '[') out += '[';
      out += ']';
      return;
    }
    case boost::json::kind::object: {
      char separator = '{';
      for (const auto& [key, member] : value.get_object()) {
        out += separator;
        separator = ',';
        serialize_string_to(out, std::string_view(key.data(), key.size()));
        out += ':';
        serialize_to(out, member);
      }
      if (separator == '{') out += '{';
      out += '}';
      return;
    }
  }
}

std::string serialize(const Value& value) {
  std::string out;
  serialize_to(out, value);
  return out;
}

}  // namespace tripod::json
