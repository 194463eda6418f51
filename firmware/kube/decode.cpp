#include "firmware/kube/decode.h"

#include <format>

namespace tripod::kube {

Outcome<FieldValidation> parse_field_validation(std::string_view parameter) {
  if (parameter.empty() || parameter == "Warn") return FieldValidation::warn;
  if (parameter == "Ignore") return FieldValidation::ignore;
  if (parameter == "Strict") return FieldValidation::strict;
  return std::unexpected(
      errors::bad_request(std::format("fieldValidation: Unsupported value: {}: supported values: "
                                      "\"\", \"Ignore\", \"Strict\", \"Warn\"",
                                      go_quote(parameter))));
}

StatusError cannot_handle(const schema::Type& type, std::string_view why) {
  return errors::bad_request(std::format("{} in version {} cannot be handled as a {}: {}",
                                         type.name, go_quote(type.package->version), type.name,
                                         why));
}

namespace {

/// Options and Status travel under any group's version.
bool is_versionless(const schema::Type& type) {
  return type.package->group == "meta.k8s.io";
}

Outcome<> check_identity(const schema::Type& type, json::Object& object) {
  const std::string wanted = type.gvk().group_version().to_string();
  const auto fill = [&object](std::string_view key, std::string_view value) {
    json::Value& slot = object[key];
    if (slot.is_null() || json::as_string(slot).empty()) slot = value;
  };
  fill("apiVersion", is_versionless(type) ? "v1" : std::string_view(wanted));
  fill("kind", type.name);
  const std::string_view found_version = json::as_string(object["apiVersion"]);
  const std::string_view found_kind = json::as_string(object["kind"]);
  if (found_kind != type.name) {
    return std::unexpected(errors::bad_request(
        std::format("{} in version {} cannot be handled as a {}: the kind in the data does not "
                    "match the expected kind",
                    found_kind, go_quote(parse_group_version(found_version).version), type.name)));
  }
  if (found_version != wanted && !is_versionless(type)) {
    return std::unexpected(errors::bad_request(
        std::format("the API version in the data ({}) does not match the expected API version ({})",
                    found_version, wanted)));
  }
  return {};
}

std::string join_texts(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += ", ";
    joined += text;
  }
  return joined;
}

}  // namespace

Outcome<Decoded> decode(const schema::Type& type, BytesView body, FieldValidation validation,
                        const json::Limits& limits) {
  auto parsed = json::parse(body, limits);
  if (!parsed) {
    if (parsed.error() == ErrorCode::too_large)
      return std::unexpected(errors::too_large(parsed.error().message));
    return std::unexpected(
        errors::bad_request(std::format("the object provided is unrecognized (must be of type {}): "
                                        "couldn't get version/kind; json parse "
                                        "error: {}",
                                        type.name, parsed.error().message)));
  }
  if (!parsed->is_object()) {
    return std::unexpected(
        errors::bad_request(std::format("the object provided is unrecognized (must be of type {}): "
                                        "couldn't get version/kind; json parse "
                                        "error: json: cannot unmarshal into an object",
                                        type.name)));
  }
  if (type.is_kind) {
    if (auto done = check_identity(type, parsed->get_object()); !done)
      return std::unexpected(done.error());
  }
  Decoded decoded{std::move(*parsed), {}};
  if (auto done = conform(type, decoded.object, decoded.warnings); !done) {
    return std::unexpected(cannot_handle(type, done.error().message));
  }
  if (validation == FieldValidation::ignore) {
    decoded.warnings.clear();
    return decoded;
  }
  for (const std::string& path : json::find_duplicates(body)) {
    decoded.warnings.push_back(std::format("duplicate field {}", go_quote(path)));
  }
  if (validation == FieldValidation::strict && !decoded.warnings.empty()) {
    return std::unexpected(
        cannot_handle(type, "strict decoding error: " + join_texts(decoded.warnings)));
  }
  return decoded;
}

}  // namespace tripod::kube
