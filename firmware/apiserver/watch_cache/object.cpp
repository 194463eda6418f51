#include "firmware/apiserver/watch_cache/object.h"

#include <algorithm>
#include <format>

#include "firmware/kube/object.h"
#include "platform/base/check.h"

namespace tripod::apiserver {

namespace {

const json::Value* at_dotted(const json::Value& root, std::string_view path) {
  const json::Value* at = &root;
  while (at && !path.empty()) {
    const std::size_t end = std::min(path.find('.'), path.size());
    at = json::find(*at, path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return at;
}

std::string field_value(const json::Value& document, const SelectableField& field) {
  const json::Value* value = at_dotted(document, field.path);
  if (!value && !field.else_path.empty()) value = at_dotted(document, field.else_path);
  if (value && value->is_string()) return std::string(json::as_string(*value));
  if (value && value->is_bool()) return value->get_bool() ? "true" : "false";
  if (value) {
    if (auto number = json::as_int(*value)) return std::to_string(*number);
  }
  switch (field.type) {
    case SelectableField::Type::boolean: return "false";
    case SelectableField::Type::number: return "0";
    case SelectableField::Type::text: return {};
  }
  return {};
}

}  // namespace

bool Selection::matches(const Resource& resource, const StoredObject& object) const {
  if (!name_space.empty() && object.name_space != name_space) return false;
  if (!name.empty() && object.name != name) return false;
  const auto label_of = [&](std::string_view key) -> std::optional<std::string_view> {
    const auto at = std::ranges::lower_bound(object.labels, key, {},
                                             &std::pair<std::string, std::string>::first);
    if (at == object.labels.end() || at->first != key) return std::nullopt;
    return std::string_view(at->second);
  };
  if (!labels.everything() && !labels.matches_by(label_of)) return false;
  if (fields.everything()) return true;
  return fields.matches_by([&](std::string_view field) -> std::string_view {
    if (field == "metadata.name") return object.name;
    if (field == "metadata.namespace") return object.name_space;
    for (std::size_t i = 0; i < resource.fields.size() && i < object.fields.size(); ++i) {
      if (resource.fields[i].path == field) return object.fields[i];
    }
    return {};
  });
}

kube::Outcome<> check_fields(const Resource& resource, const kube::FieldSelector& selector) {
  for (const auto& term : selector.terms()) {
    const bool known = term.field == "metadata.name" ||
                       (term.field == "metadata.namespace" && resource.namespaced) ||
                       std::ranges::any_of(resource.fields, [&](const auto& field) {
                         return field.path == term.field;
                       });
    if (!known) {
      return std::unexpected(
          kube::errors::bad_request(std::format("field label not supported: {}", term.field)));
    }
  }
  return {};
}

ObjectRef make_object(const Resource& resource, json::Value document, etcd::Revision revision) {
  auto object = std::make_shared<StoredObject>();
  object->name = kube::name_of(document);
  object->name_space = kube::namespace_of(document);
  object->revision = revision;
  json::set(document, {"metadata", "resourceVersion"}, json::Value(std::to_string(revision)));
  if (const json::Object* labels = json::get_object(document, "metadata", "labels")) {
    for (const auto& [key, value] : *labels) {
      object->labels.emplace_back(std::string(key), std::string(json::as_string(value)));
    }
    std::ranges::sort(object->labels);
  }
  object->fields.reserve(resource.fields.size());
  for (const SelectableField& field : resource.fields)
    object->fields.push_back(field_value(document, field));
  object->json = json::serialize(document);
  object->json.shrink_to_fit();
  return object;
}

Result<ObjectRef> decode_object(const Resource& resource, BytesView stored,
                                etcd::Revision revision) {
  auto document = json::parse(stored);
  if (!document) return std::unexpected(document.error());
  if (!document->is_object()) return fail(ErrorCode::corrupt, "stored object is no JSON object");
  return make_object(resource, std::move(*document), revision);
}

ObjectRef at_revision(const Resource& resource, const StoredObject& object,
                      etcd::Revision revision) {
  auto document = json::parse(object.json);
  CHECK(document.has_value());
  return make_object(resource, std::move(*document), revision);
}

}  // namespace tripod::apiserver
