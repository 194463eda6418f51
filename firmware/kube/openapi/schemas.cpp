#include "firmware/kube/openapi/schemas.h"

#include <format>

#include "platform/json/json.h"

namespace tripod::kube::openapi {

namespace {

using schema::Field;
using schema::Kind;
using schema::ListType;
using schema::Type;

constexpr std::string_view quantity_name = "io.k8s.apimachinery.pkg.api.resource.Quantity";
constexpr std::string_view int_or_string_name = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
constexpr std::string_view time_name = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
constexpr std::string_view micro_time_name = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";

std::string reference_to(std::string_view name) {
  return std::format(R"({{"$ref":"#/components/schemas/{}"}})", name);
}

template <typename Texts>
std::string list_of(const Texts& texts) {
  std::string list = "[";
  for (std::string_view text : texts) {
    if (list.size() > 1) list += ',';
    list += json_text(text);
  }
  return list += ']';
}

/// The schema of one value, without the braces where more may follow.
std::string scalar(const Field& field) {
  switch (field.kind) {
    case Kind::string: {
      std::string text = R"("type":"string")";
      if (field.extra && !field.extra->enum_values.empty())
        text += R"(,"enum":)" + list_of(field.extra->enum_values);
      return text;
    }
    case Kind::int32: return R"("type":"integer","format":"int32")";
    case Kind::int64: return R"("type":"integer","format":"int64")";
    case Kind::boolean: return R"("type":"boolean")";
    case Kind::number: return R"("type":"number","format":"double")";
    case Kind::bytes: return R"("type":"string","format":"byte")";
    case Kind::duration: return R"("type":"string")";
    case Kind::any: return R"("type":"object")";
    case Kind::time: return std::format(R"("allOf":[{}])", reference_to(time_name));
    case Kind::micro_time: return std::format(R"("allOf":[{}])", reference_to(micro_time_name));
    case Kind::quantity: return std::format(R"("allOf":[{}])", reference_to(quantity_name));
    case Kind::int_or_string:
      return std::format(R"("allOf":[{}])", reference_to(int_or_string_name));
    case Kind::object: return std::format(R"("allOf":[{}])", reference(*field.type));
  }
  return {};
}

std::string element(const Field& field) {
  return field.kind == Kind::object ? reference(*field.type) : std::format("{{{}}}", scalar(field));
}

void write_extensions(std::string& out, const Field& field) {
  if (field.is_list() && field.list_type != ListType::none) {
    constexpr std::string_view names[] = {"", "atomic", "set", "map"};
    out += std::format(R"(,"x-kubernetes-list-type":"{}")",
                       names[static_cast<std::size_t>(field.list_type)]);
    if (field.extra && !field.extra->list_map_keys.empty()) {
      out += R"(,"x-kubernetes-list-map-keys":)" + list_of(field.extra->list_map_keys);
    }
  } else if (field.list_type == ListType::atomic) {
    out += R"(,"x-kubernetes-map-type":"atomic")";
  }
  if (!field.merge_key().empty()) {
    out += std::format(R"(,"x-kubernetes-patch-merge-key":"{}")", field.merge_key());
  }
  std::string strategy;
  const auto add = [&strategy](bool wanted, std::string_view name) {
    if (!wanted) return;
    if (!strategy.empty()) strategy += ',';
    strategy += name;
  };
  add(field.patch_merge, "merge");
  add(field.patch_replace, "replace");
  add(field.retain_keys, "retainKeys");
  if (!strategy.empty()) out += std::format(R"(,"x-kubernetes-patch-strategy":"{}")", strategy);
}

void write_field(std::string& out, const Field& field) {
  out += '{';
  if (field.is_list()) {
    out += std::format(R"("type":"array","items":{})", element(field));
  } else if (field.is_map()) {
    out += std::format(R"("type":"object","additionalProperties":{})", element(field));
  } else {
    out += scalar(field);
  }
  if (field.extra && !field.extra->default_json.empty()) {
    out += std::format(R"(,"default":{})", field.extra->default_json);
  }
  write_extensions(out, field);
  out += '}';
}

}  // namespace

std::string name_of(const Type& type) {
  return std::format("{}.{}", type.package->name, type.name);
}
std::string reference(const Type& type) {
  return reference_to(name_of(type));
}

std::string json_text(std::string_view text) {
  std::string out;
  json::serialize_string_to(out, text);
  return out;
}

void Schemas::add(const Type& type) {
  if (!types_.emplace(name_of(type), &type).second) return;
  type.each_field([this](const Field& field) {
    if (field.type) add(*field.type);
  });
}

void Schemas::write_type(std::string& out, const Type& type) const {
  out += R"({"type":"object")";
  std::vector<std::string_view> required;
  char separator = '{';
  type.each_field([&](const Field& field) {
    if (field.required) required.push_back(field.name);
    out += separator == '{' ? R"(,"properties":)" : "";
    out += separator;
    separator = ',';
    out += json_text(field.name);
    out += ':';
    write_field(out, field);
  });
  if (separator == ',') out += '}';
  if (!required.empty()) out += R"(,"required":)" + list_of(required);
  if (type.atomic) out += R"(,"x-kubernetes-map-type":"atomic")";
  if (type.is_kind || type.name == "WatchEvent") {
    GroupVersion owner = type.gvk().group_version();
    if (owner.group == "meta.k8s.io")
      owner = type.name == "Status" ? GroupVersion{"", "v1"} : home_;
    out += std::format(
        R"(,"x-kubernetes-group-version-kind":[{{"group":"{}","version":"{}","kind":"{}"}}])",
        owner.group, owner.version, type.name);
  }
  out += '}';
}

void Schemas::write(std::string& out) const {
  out += '{';
  for (const auto& [name, type] : types_) {
    out += json_text(name);
    out += ':';
    write_type(out, *type);
    out += ',';
  }
  out +=
      std::format(R"("{}":{{"oneOf":[{{"type":"string"}},{{"type":"number"}}]}},)", quantity_name);
  out += std::format(
      R"("{}":{{"oneOf":[{{"type":"integer"}},{{"type":"string"}}],"format":"int-or-string"}},)",
      int_or_string_name);
  out += std::format(R"("{}":{{"type":"string","format":"date-time"}},)", micro_time_name);
  out += std::format(R"("{}":{{"type":"string","format":"date-time"}})", time_name);
  out += '}';
}

}  // namespace tripod::kube::openapi
