#include "firmware/kube/syntax.h"

#include <format>

namespace tripod::kube {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_alnum(char c) {
  return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_lower_alnum(char c) {
  return is_digit(c) || is_lower(c);
}

std::string too_long(std::size_t length_max) {
  return std::format("must be no more than {} bytes", length_max);
}

/// Letters and digits at both ends, `inner` characters too in between.
template <typename Edge>
bool is_bounded(std::string_view value, std::string_view inner, const Edge& edge) {
  if (value.empty() || !edge(value.front()) || !edge(value.back())) return false;
  return std::ranges::all_of(value, [&](char c) { return edge(c) || inner.contains(c); });
}

bool is_label_shape(std::string_view value) {
  return is_bounded(value, "-", is_lower_alnum);
}

bool is_subdomain_shape(std::string_view value) {
  for (std::size_t at = 0; at <= value.size();) {
    const std::size_t end = std::min(value.find('.', at), value.size());
    if (!is_label_shape(value.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

constexpr std::string_view label_wording =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end "
    "with an alphanumeric character (e.g. 'my-name', or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view subdomain_wording =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view dns1035_wording =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name', or 'abc-123', regex used for "
    "validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view key_wording =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character "
    "(e.g. 'MyName', or 'my.name', or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr std::string_view value_wording =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and "
    "end with an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345', regex used for "
    "validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
constexpr std::string_view config_key_wording =
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', "
    "or 'KEY_NAME', or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// A name that a file system would read as a step up.
void refuse_dots(std::string_view value, Complaints& found) {
  if (value == ".") {
    found.emplace_back("must not be '.'");
  } else if (value == "..") {
    found.emplace_back("must not be '..'");
  } else if (value.starts_with("..")) {
    found.emplace_back("must not start with '..'");
  }
}

}  // namespace

bool is_dns1123_subdomain(std::string_view value) {
  return value.size() <= 253 && is_subdomain_shape(value);
}
bool is_dns1123_label(std::string_view value) {
  return value.size() <= 63 && is_label_shape(value);
}

Complaints check_dns1123_subdomain(std::string_view value) {
  Complaints found;
  if (value.size() > 253) found.push_back(too_long(253));
  if (!is_subdomain_shape(value)) found.emplace_back(subdomain_wording);
  return found;
}

Complaints check_dns1123_label(std::string_view value) {
  Complaints found;
  if (value.size() > 63) found.push_back(too_long(63));
  if (!is_label_shape(value)) {
    found.emplace_back(is_subdomain_shape(value) ? "must not contain dots" : label_wording);
  }
  return found;
}

Complaints check_dns1035_label(std::string_view value) {
  Complaints found;
  if (value.size() > 63) found.push_back(too_long(63));
  if (!is_label_shape(value) || is_digit(value.front())) found.emplace_back(dns1035_wording);
  return found;
}

Complaints check_qualified_name(std::string_view value) {
  Complaints found;
  std::string_view name = value;
  if (const auto slash = value.find('/'); slash != value.npos) {
    if (value.find('/', slash + 1) != value.npos) {
      return {
          std::format("a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. "
                      "'example.com/MyName')",
                      key_wording)};
    }
    const std::string_view prefix = value.substr(0, slash);
    name = value.substr(slash + 1);
    if (prefix.empty()) {
      found.emplace_back("prefix part must be non-empty");
    } else {
      for (const std::string& text : check_dns1123_subdomain(prefix))
        found.push_back("prefix part " + text);
    }
  }
  if (name.empty()) {
    found.emplace_back("name part must be non-empty");
  } else if (name.size() > 63) {
    found.push_back("name part " + too_long(63));
  }
  if (!is_bounded(name, "-_.", is_alnum)) found.push_back(std::format("name part {}", key_wording));
  return found;
}

Complaints check_label_value(std::string_view value) {
  Complaints found;
  if (value.size() > 63) found.push_back(too_long(63));
  if (!value.empty() && !is_bounded(value, "-_.", is_alnum)) found.emplace_back(value_wording);
  return found;
}

Complaints check_config_key(std::string_view value) {
  Complaints found;
  if (value.size() > 253) found.push_back(too_long(253));
  const bool shape = !value.empty() && std::ranges::all_of(value, [](char c) {
    return is_alnum(c) || std::string_view("-_.").contains(c);
  });
  if (!shape) found.emplace_back(config_key_wording);
  refuse_dots(value, found);
  return found;
}

Complaints check_port_name(std::string_view value) {
  Complaints found;
  if (value.size() > 15) found.push_back(too_long(15));
  const bool shape = !value.empty() && std::ranges::all_of(value, [](char c) {
    return is_lower_alnum(c) || c == '-';
  });
  if (!shape)
    found.emplace_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (std::ranges::none_of(value, is_lower))
    found.emplace_back("must contain at least one letter (a-z)");
  if (value.contains("--")) found.emplace_back("must not contain consecutive hyphens");
  if (value.starts_with('-') || value.ends_with('-'))
    found.emplace_back("must not begin or end with a hyphen");
  return found;
}

Complaints check_port_number(std::int64_t value) {
  if (value >= 1 && value <= 65535) return {};
  return {"must be between 1 and 65535, inclusive"};
}

Complaints check_env_name(std::string_view value) {
  if (value.empty()) return {"environment variable name must be non-empty"};
  if (std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~' && c != '='; }))
    return {};
  return {
      "a valid environment variable name must consist only of printable ASCII characters other "
      "than '='"};
}

Complaints check_percent(std::string_view value) {
  if (value.size() > 1 && value.ends_with('%') &&
      std::ranges::all_of(value.substr(0, value.size() - 1), is_digit)) {
    return {};
  }
  return {
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or "
      "'93%', regex used for "
      "validation is '[0-9]+%')"};
}

Complaints check_path_segment(std::string_view value) {
  for (std::string_view name : {".", ".."}) {
    if (value == name) return {std::format("may not be '{}'", name)};
  }
  Complaints found;
  for (std::string_view part : {"/", "%"}) {
    if (value.contains(part)) found.push_back(std::format("may not contain '{}'", part));
  }
  return found;
}

namespace {

bool is_ipv4(std::string_view value) {
  int parts = 0;
  for (std::size_t at = 0; at <= value.size(); ++parts) {
    const std::size_t end = std::min(value.find('.', at), value.size());
    const std::string_view part = value.substr(at, end - at);
    if (part.empty() || part.size() > 3 || !std::ranges::all_of(part, is_digit)) return false;
    if (part.size() > 1 && part[0] == '0') return false;
    int number = 0;
    for (char c : part) number = number * 10 + (c - '0');
    if (number > 255) return false;
    at = end + 1;
  }
  return parts == 4;
}

bool is_ipv6(std::string_view value) {
  int groups = 0;
  bool gap = false;
  std::size_t at = 0;
  if (value.starts_with("::")) {
    gap = true;
    at = 2;
  }
  while (at < value.size()) {
    const std::size_t end = std::min(value.find(':', at), value.size());
    const std::string_view part = value.substr(at, end - at);
    if (end == value.size() && part.contains('.')) {
      if (!is_ipv4(part)) return false;
      groups += 2;
      break;
    }
    const bool hex = !part.empty() && part.size() <= 4 && std::ranges::all_of(part, [](char c) {
      return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
    if (!hex) return false;
    ++groups;
    at = end + 1;
    if (end == value.size()) break;
    if (at == value.size()) return false;  // a lone colon at the end
    if (value[at] == ':') {
      if (gap) return false;
      gap = true;
      ++at;
    }
  }
  return gap ? groups < 8 : groups == 8;
}

}  // namespace

int ip_family(std::string_view value) {
  if (is_ipv4(value)) return 4;
  return is_ipv6(value) ? 6 : 0;
}

Complaints check_ip(std::string_view value) {
  if (ip_family(value) != 0) return {};
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

std::string join(const Complaints& complaints) {
  std::string joined;
  for (const std::string& text : complaints) {
    if (!joined.empty()) joined += "; ";
    joined += text;
  }
  return joined;
}

}  // namespace tripod::kube
