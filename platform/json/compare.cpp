// Equality and merging of documents.

#include "platform/json/json.h"

namespace tripod::json {

namespace {

bool equal_numbers(const Value& left, const Value& right) {
  if (left.is_double() || right.is_double()) {
    auto real = [](const Value& value) {
      if (const auto* number = value.if_double()) return *number;
      if (const auto* number = value.if_int64()) return static_cast<double>(*number);
      return static_cast<double>(value.get_uint64());
    };
    return real(left) == real(right);
  }
  return left == right;
}

bool is_empty(const Value* value) {
  if (!value || value->is_null()) return true;
  if (const Object* object = value->if_object()) return object->empty();
  if (const Array* array = value->if_array()) return array->empty();
  return false;
}

}  // namespace

bool equal(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) return equal_numbers(left, right);
  if (left.kind() != right.kind()) return false;
  if (const Object* object = left.if_object()) {
    const Object& other = right.get_object();
    if (object->size() != other.size()) return false;
    for (const auto& [key, value] : *object) {
      const Value* counterpart = other.if_contains(key);
      if (!counterpart || !equal(value, *counterpart)) return false;
    }
    return true;
  }
  if (const Array* array = left.if_array()) {
    const Array& other = right.get_array();
    if (array->size() != other.size()) return false;
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (!equal((*array)[i], other[i])) return false;
    }
    return true;
  }
  return left == right;
}

bool equal_semantic(const Value* left, const Value* right) {
  if (is_empty(left) || is_empty(right)) return is_empty(left) == is_empty(right);
  if (left->is_number() && right->is_number()) return equal_numbers(*left, *right);
  if (left->kind() != right->kind()) return false;
  if (const Object* object = left->if_object()) {
    const Object& other = right->get_object();
    for (const auto& [key, value] : *object) {
      if (!equal_semantic(&value, other.if_contains(key))) return false;
    }
    for (const auto& [key, value] : other) {
      if (!object->contains(key) && !is_empty(&value)) return false;
    }
    return true;
  }
  if (const Array* array = left->if_array()) {
    const Array& other = right->get_array();
    if (array->size() != other.size()) return false;
    for (std::size_t i = 0; i < array->size(); ++i) {
      // Elements count even when empty.
      if ((*array)[i].kind() != other[i].kind()) return false;
      if (!equal_semantic(&(*array)[i], &other[i])) return false;
    }
    return true;
  }
  return *left == *right;
}

void merge_missing(Value& into, const Value& from) {
  if (!into.is_object() || !from.is_object()) return;
  for (const auto& [key, value] : from.get_object()) {
    if (Value* present = into.get_object().if_contains(key)) {
      merge_missing(*present, value);
    } else {
      into.get_object()[key] = value;
    }
  }
}

void merge_over(Value& into, const Value& from) {
  if (!into.is_object() || !from.is_object()) {
    into = from;
    return;
  }
  for (const auto& [key, value] : from.get_object()) merge_over(into.get_object()[key], value);
}

}  // namespace tripod::json
