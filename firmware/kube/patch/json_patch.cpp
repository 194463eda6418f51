// RFC 6902.

#include <charconv>
#include <format>

#include "firmware/kube/patch/patch.h"

namespace tripod::kube {

namespace {

/// Why an operation does not fit; the answer of the API does not repeat it.
using Step = Result<>;

struct Target {
  json::Value* parent = nullptr;  // null: the whole document
  std::string key;
};

Step missing(std::string_view path) {
  return fail(ErrorCode::not_found, std::format("path {} is not in the document", path));
}

/// Array positions: digits without leading zero; "-" is the end where that makes sense.
std::optional<std::size_t> index_of(std::string_view text, std::size_t size, bool may_append) {
  if (text == "-") return may_append ? std::optional(size) : std::nullopt;
  std::size_t index = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  return index < size + (may_append ? 1 : 0) ? std::optional(index) : std::nullopt;
}

json::Value* child_of(json::Value& parent, std::string_view key) {
  if (json::Object* object = parent.if_object()) return object->if_contains(key);
  if (json::Array* array = parent.if_array()) {
    auto index = index_of(key, array->size(), false);
    return index ? &(*array)[*index] : nullptr;
  }
  return nullptr;
}

Result<Target> locate(json::Value& document, std::string_view path) {
  auto keys = json::parse_pointer(path);
  if (!keys) return std::unexpected(keys.error());
  if (keys->empty()) return Target{};
  json::Value* at = &document;
  for (std::size_t i = 0; i + 1 < keys->size(); ++i) {
    at = child_of(*at, (*keys)[i]);
    if (!at) return std::unexpected(missing(path).error());
  }
  return Target{at, std::move(keys->back())};
}

json::Value* value_at(json::Value& document, const Target& target) {
  return target.parent ? child_of(*target.parent, target.key) : &document;
}

Step add(json::Value& document, std::string_view path, json::Value value) {
  auto target = locate(document, path);
  if (!target) return std::unexpected(target.error());
  if (!target->parent) {
    document = std::move(value);
    return {};
  }
  if (json::Object* object = target->parent->if_object()) {
    (*object)[target->key] = std::move(value);
    return {};
  }
  if (json::Array* array = target->parent->if_array()) {
    auto index = index_of(target->key, array->size(), true);
    if (!index) return missing(path);
    array->insert(array->begin() + *index, std::move(value));
    return {};
  }
  return missing(path);
}

/// Takes the value out of the document.
Result<json::Value> remove(json::Value& document, std::string_view path) {
  auto target = locate(document, path);
  if (!target) return std::unexpected(target.error());
  json::Value* found = value_at(document, *target);
  if (!found || !target->parent) return std::unexpected(missing(path).error());
  json::Value taken = std::move(*found);
  if (json::Object* object = target->parent->if_object()) {
    json::erase(*object, target->key);
  } else {
    json::Array& array = target->parent->get_array();
    array.erase(array.begin() + (found - array.data()));
  }
  return taken;
}

class JsonPatch {
 public:
  JsonPatch(json::Value document, const PatchLimits& limits)
      : document_(std::move(document)), limits_(limits) {}

  Step apply(const json::Value& operation) {
    const std::string_view op = json::get_string(operation, "op");
    const std::string_view path = json::get_string(operation, "path");
    const json::Value* value = json::find(operation, "value");
    if (op == "add") return add(document_, path, value ? *value : json::Value());
    if (op == "remove") return discard(remove(document_, path));
    if (op == "replace") return replace(path, value ? *value : json::Value());
    if (op == "move") return move(json::get_string(operation, "from"), path);
    if (op == "copy") return copy(json::get_string(operation, "from"), path);
    if (op == "test") return test(path, value ? *value : json::Value());
    return fail(ErrorCode::invalid, std::format("unexpected operation {}", op));
  }

  json::Value take() { return std::move(document_); }

 private:
  static Step discard(Result<json::Value> removed) {
    if (!removed) return std::unexpected(removed.error());
    return {};
  }

  Result<json::Value*> at(std::string_view path) {
    auto target = locate(document_, path);
    if (!target) return std::unexpected(target.error());
    json::Value* found = value_at(document_, *target);
    if (!found) return std::unexpected(missing(path).error());
    return found;
  }

  Step replace(std::string_view path, json::Value value) {
    auto found = at(path);
    if (!found) return std::unexpected(found.error());
    **found = std::move(value);
    return {};
  }

  Step move(std::string_view from, std::string_view path) {
    if (path.starts_with(std::format("{}/", from))) {
      return fail(ErrorCode::invalid, "a value cannot move into itself");
    }
    auto taken = remove(document_, from);
    if (!taken) return std::unexpected(taken.error());
    return add(document_, path, std::move(*taken));
  }

  Step copy(std::string_view from, std::string_view path) {
    auto found = at(from);
    if (!found) return std::unexpected(found.error());
    copied_bytes_ += json::serialize(**found).size();
    if (copied_bytes_ > limits_.copied_bytes_max) {
      return fail(ErrorCode::too_large, "the patch copies more than is allowed");
    }
    return add(document_, path, json::Value(**found));
  }

  /// A missing value equals null.
  Step test(std::string_view path, const json::Value& expected) {
    auto found = at(path);
    const json::Value nothing;
    if (!json::equal(found ? **found : nothing, expected)) {
      return fail(ErrorCode::conflict, std::format("testing value {} failed", path));
    }
    return {};
  }

  json::Value document_;
  PatchLimits limits_;
  std::size_t copied_bytes_ = 0;
};

}  // namespace

Outcome<json::Value> apply_json_patch(json::Value document, const json::Value& patch,
                                      const PatchLimits& limits) {
  const json::Array* operations = patch.if_array();
  if (!operations) {
    return std::unexpected(
        errors::bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch"));
  }
  if (operations->size() > limits.operations_max) {
    return std::unexpected(errors::too_large(
        std::format("The allowed maximum operations in a JSON patch is {}, got {}",
                    limits.operations_max, operations->size())));
  }
  JsonPatch state(std::move(document), limits);
  for (const json::Value& operation : *operations) {
    if (!operation.is_object()) {
      return std::unexpected(errors::bad_request("a JSON patch is a list of operations"));
    }
    if (!state.apply(operation)) {
      return std::unexpected(errors::generic(
          422, "Invalid", "the server rejected our request due to an error in our request"));
    }
  }
  return state.take();
}

}  // namespace tripod::kube
