#include "platform/json/json.h"

#include <algorithm>
#include <boost/json/parser.hpp>
#include <boost/throw_exception.hpp>
#include <charconv>
#include <cmath>
#include <format>

#include "platform/base/check.h"

namespace boost {

// Without exceptions Boost calls these. All our uses ask first or pass an error code, so this is a
// bug or no memory.
BOOST_NORETURN void throw_exception(const std::exception& error, const boost::source_location&) {
  tripod::fatal(std::format("JSON library: {}", error.what()));
}
BOOST_NORETURN void throw_exception(const std::exception& error) {
  tripod::fatal(std::format("JSON library: {}", error.what()));
}

}  // namespace boost

namespace tripod::json {
namespace {

/// 1e999 is read as infinity, which JSON cannot say. The depth is bounded by the parser.
bool all_finite(const Value& value) {
  if (const double* number = value.if_double()) return std::isfinite(*number);
  if (const Array* array = value.if_array()) return std::ranges::all_of(*array, all_finite);
  const Object* object = value.if_object();
  return object == nullptr || std::ranges::all_of(*object, [](const auto& member) {
           return all_finite(member.value());
         });
}

}  // namespace

Result<Value> parse(BytesView text, const Limits& limits) {
  if (text.size() > limits.bytes_max) {
    return fail(ErrorCode::too_large, std::format("JSON of {} bytes: at most {} are accepted",
                                                  text.size(), limits.bytes_max));
  }
  boost::json::parse_options options;
  options.max_depth = limits.depth_max;
  options.numbers = boost::json::number_precision::precise;  // as Go reads them, to the last bit
  boost::json::parser parser({}, options);
  boost::system::error_code error;
  const std::size_t offset = parser.write_some(text.data(), text.size(), error);
  if (!error && offset != text.size()) {
    const auto rest = text.substr(offset).find_first_not_of(" \t\r\n");
    if (rest != text.npos) {
      return fail(ErrorCode::invalid,
                  std::format("invalid JSON at offset {}: data after the document", offset + rest));
    }
  }
  if (error) {
    return fail(ErrorCode::invalid,
                std::format("invalid JSON at offset {}: {}", offset, error.message()));
  }
  Value value = parser.release();
  if (!all_finite(value)) {
    return fail(ErrorCode::invalid, "invalid JSON: a number is out of the range of float64");
  }
  return value;
}

namespace {

template <typename V>
V* walk(V& root, Path path) {
  V* at = &root;
  for (std::string_view key : path) {
    auto* object = at->if_object();
    if (!object) return nullptr;
    at = object->if_contains(key);
    if (!at) return nullptr;
  }
  return at;
}

}  // namespace

const Value* find(const Value& root, Path path) {
  return walk(root, path);
}
Value* find(Value& root, Path path) {
  return walk(root, path);
}

std::optional<std::int64_t> as_int(const Value& value) {
  if (const auto* whole = value.if_int64()) return *whole;
  if (const auto* real = value.if_double()) {
    constexpr double bound = 9.2e18;
    if (*real == std::floor(*real) && *real > -bound && *real < bound) {
      return static_cast<std::int64_t>(*real);
    }
  }
  return std::nullopt;
}

std::string_view as_string(const Value& value) {
  const String* text = value.if_string();
  return text ? std::string_view(text->data(), text->size()) : std::string_view();
}

Object& ensure_object(Value& root, Path path) {
  if (!root.is_object()) root.emplace_object();
  Value* at = &root;
  for (std::string_view key : path) {
    at = &at->get_object()[key];
    if (!at->is_object()) at->emplace_object();
  }
  return at->get_object();
}

namespace {

Value& ensure_slot(Value& root, Path path) {
  CHECK(path.size() > 0);
  if (!root.is_object()) root.emplace_object();
  Value* at = &root;
  for (std::string_view key : path) {
    if (!at->is_object()) at->emplace_object();
    at = &at->get_object()[key];
  }
  return *at;
}

}  // namespace

Array& ensure_array(Value& root, Path path) {
  Value& slot = ensure_slot(root, path);
  if (!slot.is_array()) slot.emplace_array();
  return slot.get_array();
}

void set(Value& root, Path path, Value value) {
  ensure_slot(root, path) = std::move(value);
}

bool erase(Object& object, std::string_view key) {
  auto at = object.find(key);
  if (at == object.end()) return false;
  object.stable_erase(at);
  return true;
}

bool erase(Value& root, Path path) {
  CHECK(path.size() > 0);
  Value* at = &root;
  const std::string_view* key = path.begin();
  for (; key + 1 != path.end(); ++key) {
    at = find(*at, Path{*key});
    if (!at) return false;
  }
  return at->is_object() && erase(at->get_object(), *key);
}

Result<std::vector<std::string>> parse_pointer(std::string_view pointer) {
  std::vector<std::string> keys;
  if (pointer.empty()) return keys;
  if (pointer[0] != '/') {
    return fail(ErrorCode::invalid,
                std::format("JSON pointer \"{}\" does not start with /", pointer));
  }
  for (std::size_t at = 1; at <= pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', at), pointer.size());
    std::string key;
    for (std::size_t i = at; i < end; ++i) {
      const bool escape = pointer[i] == '~' && i + 1 < end;
      if (escape && pointer[i + 1] == '1') {
        key += '/', ++i;
      } else if (escape && pointer[i + 1] == '0') {
        key += '~', ++i;
      } else {
        key += pointer[i];
      }
    }
    keys.push_back(std::move(key));
    at = end + 1;
  }
  return keys;
}

const Value* find_pointer(const Value& root, std::string_view pointer) {
  auto keys = parse_pointer(pointer);
  if (!keys) return nullptr;
  const Value* at = &root;
  for (const std::string& key : *keys) {
    if (const Object* object = at->if_object()) {
      at = object->if_contains(key);
    } else if (const Array* array = at->if_array()) {
      std::size_t index = 0;
      auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (error != std::errc() || end != key.data() + key.size()) return nullptr;
      at = array->if_contains(index);
    } else {
      return nullptr;
    }
    if (!at) return nullptr;
  }
  return at;
}

std::string escape_pointer(std::string_view key) {
  std::string escaped;
  for (char c : key) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace tripod::json
