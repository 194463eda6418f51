// Strategic merge patch, with the directives described in
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md

#include <format>

#include "firmware/kube/patch/patch.h"
#include "firmware/kube/patch/strategic_lists.h"

namespace tripod::kube {

namespace {

using strategic::identity_of;
using strategic::index_of;

constexpr std::string_view directive = "$patch";
constexpr std::string_view retain_keys = "$retainKeys";
constexpr std::string_view delete_prefix = "$deleteFromPrimitiveList/";
constexpr std::string_view order_prefix = "$setElementOrder/";

std::unexpected<StatusError> malformed(std::string_view why) {
  return std::unexpected(errors::bad_request(why));
}

/// What the schema says about the place that is being merged; `type` is null where it says nothing.
struct Place {
  const schema::Type* type = nullptr;
  bool is_map = false;

  const schema::Field* field(std::string_view key) const {
    return type && !is_map ? type->field(key) : nullptr;
  }
  Place below(std::string_view key) const {
    if (is_map) return {type, false};
    const schema::Field* found = field(key);
    return found ? Place{found->type, found->is_map()} : Place{};
  }
};

/// What a patch leaves behind where nothing was: no directives, no nulls. False if the value itself
/// is a directive.
bool strip_directives(json::Value& value) {
  if (json::Object* object = value.if_object()) {
    if (object->contains(directive)) return false;
    json::Object kept;
    for (auto& [key, member] : *object) {
      const std::string_view name = key;
      if (member.is_null() || name.starts_with(delete_prefix) || name.starts_with(order_prefix) ||
          name == retain_keys) {
        continue;
      }
      if (strip_directives(member)) kept[key] = std::move(member);
    }
    *object = std::move(kept);
  } else if (json::Array* array = value.if_array()) {
    json::Array kept;
    for (json::Value& element : *array) {
      if (strip_directives(element)) kept.push_back(std::move(element));
    }
    *array = std::move(kept);
  }
  return true;
}

void put(json::Object& object, std::string_view key, json::Value value) {
  if (strip_directives(value)) {
    object[key] = std::move(value);
  } else {
    json::erase(object, key);
  }
}

Outcome<json::Value> merge_object(json::Value original, const json::Object& patch,
                                  const Place& place);

/// Deletes and replaces as elements of the patch demand; the rest of the patch goes to `plain`.
Outcome<json::Array> apply_list_directives(json::Array original, const json::Array& patch,
                                           std::string_view merge_key, json::Array& plain) {
  bool replace = false;
  for (const json::Value& element : patch) {
    const json::Value* wanted = json::find(element, directive);
    if (!wanted) {
      plain.push_back(element);
      continue;
    }
    const std::string_view what = json::as_string(*wanted);
    if (what == "replace") {
      replace = true;
    } else if (what == "delete") {
      const json::Value* identity = identity_of(element, merge_key);
      if (!identity) {
        return malformed(std::format("map: {} does not contain declared merge key: {}",
                                     json::serialize(element), merge_key));
      }
      for (std::ptrdiff_t at; (at = index_of(original, *identity, merge_key)) >= 0;) {
        original.erase(original.begin() + at);
      }
    } else if (what == "merge") {
      return malformed("merging lists cannot yet be specified in the patch");
    } else {
      return malformed(
          std::format("unknown patch type: {} in map: {}", what, json::serialize(element)));
    }
  }
  if (replace) original = std::exchange(plain, {});
  return original;
}

Outcome<json::Array> merge_keyed_list(json::Array original, const json::Array& patch,
                                      const Place& element, std::string_view merge_key) {
  json::Array plain;
  auto kept = apply_list_directives(std::move(original), patch, merge_key, plain);
  if (!kept) return kept;
  const json::Array server = *kept;
  json::Array merged = std::move(*kept);
  for (const json::Value& change : plain) {
    const json::Value* identity = identity_of(change, merge_key);
    if (!identity) {
      return malformed(std::format("map: {} does not contain declared merge key: {}",
                                   json::serialize(change), merge_key));
    }
    const std::ptrdiff_t at = index_of(merged, *identity, merge_key);
    if (at < 0) {
      json::Value added = change;
      if (strip_directives(added)) merged.push_back(std::move(added));
      continue;
    }
    json::Value& present = merged[static_cast<std::size_t>(at)];
    auto result = merge_object(std::move(present), change.get_object(), element);
    if (!result) return std::unexpected(result.error());
    present = std::move(*result);
  }
  return strategic::reorder(std::move(merged), plain, server, merge_key);
}

Outcome<json::Value> merge_list(json::Array original, const json::Array& patch,
                                const schema::Field* field) {
  if (!field || !field->patch_merge) {
    json::Value replaced = patch;
    strip_directives(replaced);
    return replaced;
  }
  const auto first = [](const json::Array& list) { return list.empty() ? nullptr : &list[0]; };
  const json::Value* sample = first(patch) ? first(patch) : first(original);
  if (!sample) return json::Value(std::move(original));
  const auto is_like = [sample](const json::Value& value) {
    return value.is_object() == sample->is_object();
  };
  if (!std::ranges::all_of(patch, is_like) || !std::ranges::all_of(original, is_like)) {
    return malformed("list element types are not identical");
  }
  if (!sample->is_object()) {
    const json::Array server = original;
    original.insert(original.end(), patch.begin(), patch.end());
    return json::Value(
        strategic::reorder(strategic::without_repetitions(std::move(original)), patch, server, {}));
  }
  if (field->merge_key().empty()) {
    return malformed(std::format("cannot merge lists without merge key for {}", field->name));
  }
  auto merged =
      merge_keyed_list(std::move(original), patch, Place{field->type, false}, field->merge_key());
  if (!merged) return std::unexpected(merged.error());
  return json::Value(std::move(*merged));
}

Outcome<> apply_retain_keys(json::Object& original, const json::Object& patch) {
  const json::Value* wanted = patch.if_contains(retain_keys);
  if (!wanted) return {};
  const auto refuse = [] { return malformed("invalid patch format of retainKeys"); };
  const json::Array* list = wanted->if_array();
  if (!list) return refuse();
  for (const auto& [key, value] : patch) {
    const std::string_view name = key;
    if (value.is_null() || name == retain_keys || name.starts_with(delete_prefix) ||
        name.starts_with(order_prefix)) {
      continue;
    }
    if (index_of(*list, json::Value(key), {}) < 0) return refuse();
  }
  json::Object kept;
  for (auto& [key, value] : original) {
    if (index_of(*list, json::Value(key), {}) >= 0) kept[key] = std::move(value);
  }
  original = std::move(kept);
  return {};
}

/// Puts the elements of `original[key]` into the order that $setElementOrder/key demands.
Outcome<> apply_order(json::Object& original, const json::Array& server, std::string_view key,
                      const json::Value& wanted, const Place& place) {
  const json::Array* order = wanted.if_array();
  if (!order) return malformed("invalid patch format of setElementOrder list");
  json::Value* list = original.if_contains(key);
  if (!list || !list->is_array()) return {};
  const schema::Field* field = place.field(key);
  const std::string_view merge_key = field ? field->merge_key() : std::string_view();
  *list = strategic::reorder(std::move(list->get_array()), *order, server, merge_key);
  return {};
}

void delete_primitives(json::Object& original, std::string_view key, const json::Value& unwanted) {
  json::Value* list = original.if_contains(key);
  if (!list || !list->is_array() || !unwanted.is_array()) return;
  json::Array kept;
  for (json::Value& value : list->get_array()) {
    if (index_of(unwanted.get_array(), value, {}) < 0) kept.push_back(std::move(value));
  }
  *list = std::move(kept);
}

Outcome<> merge_member(json::Object& original, std::string_view key, const json::Value& change,
                       const Place& place) {
  if (change.is_null()) {
    json::erase(original, key);
    return {};
  }
  json::Value* present = original.if_contains(key);
  const schema::Field* field = place.field(key);
  const bool replace = field && field->patch_replace;
  if (present && present->is_object() && change.is_object() && !replace) {
    auto merged = merge_object(std::move(*present), change.get_object(), place.below(key));
    if (!merged) return std::unexpected(merged.error());
    *present = std::move(*merged);
    return {};
  }
  if (present && present->is_array() && change.is_array() && !replace) {
    auto merged = merge_list(std::move(present->get_array()), change.get_array(), field);
    if (!merged) return std::unexpected(merged.error());
    *present = std::move(*merged);
    return {};
  }
  put(original, key, change);
  return {};
}

Outcome<json::Value> merge_object(json::Value original, const json::Object& patch,
                                  const Place& place) {
  if (const json::Value* wanted = patch.if_contains(directive)) {
    const std::string_view what = json::as_string(*wanted);
    if (what == "delete") return json::Object();
    if (what != "replace") {
      return malformed(std::format("unknown patch type: {} in map: {}", what,
                                   json::serialize(json::Value(patch))));
    }
    json::Object replaced = patch;
    json::erase(replaced, directive);
    return replaced;
  }
  if (!original.is_object()) original.emplace_object();
  json::Object& object = original.get_object();
  if (auto done = apply_retain_keys(object, patch); !done) return std::unexpected(done.error());
  std::vector<std::pair<std::string_view, json::Array>>
      server_lists;  // as they were, for $setElementOrder
  for (const auto& [key, change] : patch) {
    const std::string_view name = key;
    if (!name.starts_with(order_prefix)) continue;
    const json::Value* list = object.if_contains(name.substr(order_prefix.size()));
    server_lists.emplace_back(name.substr(order_prefix.size()),
                              list && list->is_array() ? list->get_array() : json::Array());
  }
  for (const auto& [key, change] : patch) {
    const std::string_view name = key;
    if (name == retain_keys || name.starts_with(order_prefix)) continue;
    if (name.starts_with(delete_prefix)) {
      delete_primitives(object, name.substr(delete_prefix.size()), change);
    } else if (auto done = merge_member(object, name, change, place); !done) {
      return std::unexpected(done.error());
    }
  }
  for (const auto& [name, server] : server_lists) {
    const json::Value& order = patch.at(std::format("{}{}", order_prefix, name));
    if (auto done = apply_order(object, server, name, order, place); !done)
      return std::unexpected(done.error());
  }
  return original;
}

}  // namespace

Outcome<json::Value> apply_strategic_merge_patch(const schema::Type& type, json::Value document,
                                                 const json::Value& patch) {
  if (!patch.is_object()) return malformed("invalid JSON document");
  return merge_object(std::move(document), patch.get_object(), Place{&type, false});
}

}  // namespace tripod::kube
