#pragma once
// JSON documents: Boost.JSON behind one header. Objects keep the order in which keys were inserted;
// integers stay integers (int64, or uint64 beyond it). Nothing here throws; reading helpers answer
// "absent" for a missing path or a value of another type, so that bytes from outside can be asked
// without ceremony.
//
// Values are ordinary values (deep copies); a string_view from get_string borrows from the
// document. Adding a key to an object (also by operator[]) or an element to an array moves its
// values: references into it die.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;
using String = boost::json::string;

struct Limits {
  std::size_t depth_max = 64;
  std::size_t bytes_max = 3 * 1024 * 1024;
};

/// One document, RFC 8259, UTF-8 required. Of a duplicate key the last one wins (see
/// find_duplicates). Errors: too_large, invalid ("invalid JSON at offset 17: syntax error").
Result<Value> parse(BytesView text, const Limits& limits = {});

/// Paths of keys that occur twice in one object, as Kubernetes words them:
/// `spec.containers[0].name`. `text` must have been parsed before. At most `count_max` of them.
std::vector<std::string> find_duplicates(BytesView text, std::size_t count_max = 16);

/// Compact, keys in insertion order, floating numbers as Go prints them (1, 0.5, 1e+21).
std::string serialize(const Value& value);
void serialize_to(std::string& out, const Value& value);
/// With the quotes.
void serialize_string_to(std::string& out, std::string_view text);

using Path = std::initializer_list<std::string_view>;

/// The value under these object keys, or null when any is missing or not an object.
const Value* find(const Value& root, Path path);
Value* find(Value& root, Path path);

/// Whole numbers only: 3 and 3.0, not 3.5.
std::optional<std::int64_t> as_int(const Value& value);
std::string_view as_string(const Value& value);  // empty if no string

/// find(pod, "spec", "nodeName")
template <typename... Keys>
const Value* find(const Value& root, const Keys&... keys) {
  return find(root, Path{std::string_view(keys)...});
}
template <typename... Keys>
Value* find(Value& root, const Keys&... keys) {
  return find(root, Path{std::string_view(keys)...});
}

/// Empty when absent or no string.
template <typename... Keys>
std::string_view get_string(const Value& root, const Keys&... keys) {
  const Value* value = find(root, Path{std::string_view(keys)...});
  return value ? as_string(*value) : std::string_view();
}
/// Nothing when absent or no whole number.
template <typename... Keys>
std::optional<std::int64_t> get_int(const Value& root, const Keys&... keys) {
  const Value* value = find(root, Path{std::string_view(keys)...});
  return value ? as_int(*value) : std::nullopt;
}
/// False when absent or no boolean.
template <typename... Keys>
bool get_bool(const Value& root, const Keys&... keys) {
  const Value* value = find(root, Path{std::string_view(keys)...});
  return value && value->is_bool() && value->get_bool();
}
/// Null when absent or no object (array).
template <typename... Keys>
const Object* get_object(const Value& root, const Keys&... keys) {
  const Value* value = find(root, Path{std::string_view(keys)...});
  return value ? value->if_object() : nullptr;
}
template <typename... Keys>
const Array* get_array(const Value& root, const Keys&... keys) {
  const Value* value = find(root, Path{std::string_view(keys)...});
  return value ? value->if_array() : nullptr;
}

/// The object under that path, made (and put in place of anything that is no object) on the way.
Object& ensure_object(Value& root, Path path);
template <typename... Keys>
Object& ensure_object(Value& root, const Keys&... keys) {
  return ensure_object(root, Path{std::string_view(keys)...});
}
/// The array under that path; its parents are made as objects.
Array& ensure_array(Value& root, Path path);

/// Sets root.path[0].path[1]... = value, making objects on the way. `path` is not empty.
void set(Value& root, Path path, Value value);
/// Removes the last key of `path`, keeping the order of the others. True if it was there.
bool erase(Value& root, Path path);
bool erase(Object& object, std::string_view key);

/// Same document: key order is irrelevant, 1 equals 1.0.
bool equal(const Value& left, const Value& right);
/// Equal, where null pointers, empty objects and empty arrays count as absent (Kubernetes' semantic
/// equality).
bool equal_semantic(const Value* left, const Value* right);

/// Adds what `from` has and `into` has not; objects recursively, anything else stays as it is in
/// `into`.
void merge_missing(Value& into, const Value& from);
/// `from` wins; objects recursively, arrays and scalars replaced as a whole.
void merge_over(Value& into, const Value& from);

/// RFC 6901: "/a~1b/0" -> {"a/b", "0"}. "" is the whole document.
Result<std::vector<std::string>> parse_pointer(std::string_view pointer);
const Value* find_pointer(const Value& root, std::string_view pointer);
/// A key as it stands inside a pointer: "a/b" -> "a~1b".
std::string escape_pointer(std::string_view key);

}  // namespace tripod::json
