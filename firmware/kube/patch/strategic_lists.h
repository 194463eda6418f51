#pragma once
// Order and identity of list elements in strategic merge. Used by strategic_merge.cpp.

#include <string_view>

#include "platform/json/json.h"

namespace tripod::kube::strategic {

/// What identifies an element: its merge key's value, or itself when `merge_key` is empty. Null
/// when the key is absent.
const json::Value* identity_of(const json::Value& element, std::string_view merge_key);

/// The position of the element with that identity, or -1.
std::ptrdiff_t index_of(const json::Array& list, const json::Value& identity,
                        std::string_view merge_key);

/// Elements that `order` names take its order; the others keep theirs from `server`; where both can
/// be compared, by their places in `server`, the two interleave, else named ones come first.
json::Array reorder(json::Array merged, const json::Array& order, const json::Array& server,
                    std::string_view merge_key);

/// `into` without later repetitions.
json::Array without_repetitions(json::Array list);

}  // namespace tripod::kube::strategic
