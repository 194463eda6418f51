#include "firmware/apiserver/negotiate.h"

#include <algorithm>
#include <format>
#include <optional>
#include <vector>

#include "firmware/kube/protobuf/protobuf.h"

namespace tripod::apiserver {

namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(trim(text.substr(0, end)));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

struct Range {
  std::string type;
  std::string as;
  std::string version;
  std::string group;
};

Range parse_range(std::string_view text) {
  Range range;
  const auto parts = split(text, ';');
  range.type = media_type(parts.front());
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = trim(parts[i].substr(0, equals));
    const std::string_view value = trim(parts[i].substr(equals + 1));
    if (key == "as") range.as = value;
    if (key == "v") range.version = value;
    if (key == "g") range.group = value;
  }
  return range;
}

std::optional<Accepted> form_of(const Range& range, bool discovery) {
  if (range.type != "application/json" && range.type != "application/*" && range.type != "*/*")
    return std::nullopt;
  if (range.as.empty()) return Accepted{};
  if (range.group == "apidiscovery.k8s.io" && range.as == "APIGroupDiscoveryList") {
    if (!discovery || range.version != "v2") return std::nullopt;
    return Accepted{Form::aggregated_discovery, range.version};
  }
  if (discovery || range.group != "meta.k8s.io") return std::nullopt;
  if (range.version != "v1" && range.version != "v1beta1") return std::nullopt;
  if (range.as == "Table") return Accepted{Form::table, range.version};
  if (range.as == "PartialObjectMetadata") return Accepted{Form::partial, range.version};
  if (range.as == "PartialObjectMetadataList") return Accepted{Form::partial_list, range.version};
  return std::nullopt;
}

}  // namespace

std::string media_type(std::string_view content_type) {
  std::string type(trim(content_type.substr(0, content_type.find(';'))));
  std::ranges::transform(type, type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return type;
}

kube::Outcome<Accepted> negotiate(std::string_view accept, bool discovery) {
  if (trim(accept).empty()) return Accepted{};
  for (std::string_view text : split(accept, ',')) {
    if (auto form = form_of(parse_range(text), discovery)) return *form;
  }
  return std::unexpected(kube::errors::not_acceptable("application/json"));
}

kube::Outcome<> check_json_body(std::string_view content_type) {
  const std::string type = media_type(content_type);
  if (type.empty() || type == "application/json") return {};
  return std::unexpected(kube::errors::unsupported_media_type(
      std::format("application/json, {}", kube::protobuf::media_type)));
}

}  // namespace tripod::apiserver
