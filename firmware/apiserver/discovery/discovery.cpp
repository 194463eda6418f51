#include "firmware/apiserver/discovery/discovery.h"

#include <algorithm>
#include <format>

#include "firmware/apiserver/registry/resource.h"
#include "firmware/apiserver/resources/dispatch.h"
#include "firmware/kube/openapi/openapi.h"

namespace tripod::apiserver {

namespace {

/// Groups in the order of the rows, the core group among them, each with its one version.
std::vector<kube::GroupVersion> group_versions() {
  std::vector<kube::GroupVersion> found;
  for (const Resource& row : all_resources()) {
    const kube::GroupVersion here = row.kind.group_version();
    if (std::ranges::find(found, here) == found.end()) found.push_back(here);
  }
  return found;
}

json::Array strings(const auto& texts) {
  json::Array array;
  for (std::string_view text : texts) array.emplace_back(json::String(text));
  return array;
}

/// The kind that a subresource's body has.
kube::GroupVersionKind kind_of(const Resource& row, std::string_view subresource) {
  if (subresource == "scale") return {"autoscaling", "v1", "Scale"};
  if (subresource == "binding") return {"", "v1", "Binding"};
  if (subresource == "eviction") return {"policy", "v1", "Eviction"};
  return row.kind;
}

json::Object kind_json(const kube::GroupVersionKind& kind) {
  return {{"group", json::String(kind.group)},
          {"version", json::String(kind.version)},
          {"kind", json::String(kind.kind)}};
}

json::Object legacy_entry(const Resource& row, std::string_view subresource) {
  json::Object entry;
  entry["name"] =
      subresource.empty() ? std::string(row.plural) : std::format("{}/{}", row.plural, subresource);
  entry["singularName"] = subresource.empty() ? row.singular : std::string_view();
  entry["namespaced"] = row.namespaced;
  const kube::GroupVersionKind kind = kind_of(row, subresource);
  if (kind.group_version() != row.kind.group_version()) {
    entry["group"] = kind.group;
    entry["version"] = kind.version;
  }
  entry["kind"] = kind.kind;
  entry["verbs"] = strings(verbs_of(row, subresource));
  if (subresource.empty() && !row.short_names.empty())
    entry["shortNames"] = strings(row.short_names);
  if (subresource.empty() && !row.categories.empty()) entry["categories"] = strings(row.categories);
  return entry;
}

Reply legacy_resources(const kube::GroupVersion& group_version) {
  json::Array resources;
  if (group_version.group.empty()) {
    resources.push_back(json::Object{{"name", "bindings"},
                                     {"singularName", "binding"},
                                     {"namespaced", true},
                                     {"kind", "Binding"},
                                     {"verbs", json::Array{"create"}}});
  }
  for (const Resource& row : all_resources()) {
    if (row.kind.group_version() != group_version) continue;
    resources.push_back(legacy_entry(row, {}));
    for (std::string_view subresource : subresources_of(row))
      resources.push_back(legacy_entry(row, subresource));
  }
  json::Object list;
  list["kind"] = "APIResourceList";
  list["apiVersion"] = "v1";
  list["groupVersion"] = group_version.to_string();
  list["resources"] = std::move(resources);
  return json_reply(list);
}

json::Object group_json(const kube::GroupVersion& group_version) {
  const json::Object version{{"groupVersion", group_version.to_string()},
                             {"version", json::String(group_version.version)}};
  json::Object group;
  group["name"] = group_version.group;
  group["versions"] = json::Array{version};
  group["preferredVersion"] = version;
  return group;
}

json::Object aggregated_resource(const Resource& row) {
  json::Object resource;
  resource["resource"] = row.plural;
  resource["responseKind"] = kind_json(row.kind);
  resource["scope"] = row.namespaced ? "Namespaced" : "Cluster";
  resource["singularResource"] = row.singular;
  resource["verbs"] = strings(verbs_of(row, {}));
  if (!row.short_names.empty()) resource["shortNames"] = strings(row.short_names);
  if (!row.categories.empty()) resource["categories"] = strings(row.categories);
  json::Array subresources;
  for (std::string_view name : subresources_of(row)) {
    json::Object subresource;
    subresource["subresource"] = name;
    subresource["responseKind"] = kind_json(kind_of(row, name));
    subresource["verbs"] = strings(verbs_of(row, name));
    subresources.push_back(std::move(subresource));
  }
  if (!subresources.empty()) resource["subresources"] = std::move(subresources);
  return resource;
}

json::Object aggregated_group(const kube::GroupVersion& group_version) {
  json::Array resources;
  for (const Resource& row : all_resources()) {
    if (row.kind.group_version() == group_version) resources.push_back(aggregated_resource(row));
  }
  if (group_version.group.empty()) {
    resources.push_back(json::Object{{"resource", "bindings"},
                                     {"responseKind", kind_json({"", "v1", "Binding"})},
                                     {"scope", "Namespaced"},
                                     {"singularResource", "binding"},
                                     {"verbs", json::Array{"create"}}});
  }
  json::Object metadata;
  metadata["creationTimestamp"] = nullptr;
  if (!group_version.group.empty()) metadata["name"] = group_version.group;
  json::Object group;
  group["metadata"] = std::move(metadata);
  group["versions"] = json::Array{json::Object{{"version", json::String(group_version.version)},
                                               {"resources", std::move(resources)},
                                               {"freshness", "Current"}}};
  return group;
}

Reply aggregated(bool core) {
  json::Array items;
  for (const kube::GroupVersion& group_version : group_versions()) {
    if (group_version.group.empty() == core) items.push_back(aggregated_group(group_version));
  }
  json::Object list;
  list["kind"] = "APIGroupDiscoveryList";
  list["apiVersion"] = "apidiscovery.k8s.io/v2";
  list["metadata"] = json::Object();
  list["items"] = std::move(items);
  Reply reply = json_reply(list);
  reply.content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  reply.headers.emplace_back("vary", "Accept");
  return reply;
}

std::string openapi_path(const kube::GroupVersion& group_version) {
  return group_version.group.empty() ? std::format("api/{}", group_version.version)
                                     : std::format("apis/{}", group_version.to_string());
}

/// One field of a protobuf message with a text or a message in it.
std::string proto_field(int number, std::string_view text) {
  CHECK(number < 16 && text.size() < 128, "one byte of tag, one of length");
  return std::format("{}{}{}", static_cast<char>(number << 3 | 2), static_cast<char>(text.size()),
                     text);
}

/// A schema of version 2 that describes nothing, as the schemas are those of version 3. kubectl
/// asks for it when version 3 has no such kind, and without it says nothing of the kind. The
/// protobuf form is gnostic's openapiv2.Document: swagger 1, info 2 (title 1, version 2,
/// description 3), paths 8.
Reply openapi_v2(std::string_view accept) {
  constexpr std::string_view title = "tripod", version = "v2", text = "see /openapi/v3";
  if (!accept.contains("application/com.github.proto-openapi.spec.v2@v1.0+protobuf")) {
    return json_reply(json::Object{
        {"swagger", "2.0"},
        {"info", json::Object{{"title", title}, {"version", version}, {"description", text}}},
        {"paths", json::Object()}});
  }
  Reply reply;
  reply.content_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
  reply.headers.emplace_back("vary", "Accept");
  reply.body =
      proto_field(1, "2.0") +
      proto_field(2, proto_field(1, title) + proto_field(2, version) + proto_field(3, text)) +
      proto_field(8, "");
  return reply;
}

std::string strip_slash(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

}  // namespace

kube::Outcome<Reply> Discovery::serve_root(std::string_view path, std::string_view accept) const {
  auto accepted = negotiate(accept, true);
  if (!accepted) return std::unexpected(accepted.error());
  const bool core = path == "/api";
  if (accepted->form == Form::aggregated_discovery) return aggregated(core);
  json::Object root;
  if (core) {
    root["kind"] = "APIVersions";
    root["versions"] = json::Array{"v1"};
    root["serverAddressByClientCIDRs"] =
        json::Array{json::Object{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", address_}}};
    return json_reply(root);
  }
  json::Array groups;
  for (const kube::GroupVersion& group_version : group_versions()) {
    if (!group_version.group.empty()) groups.push_back(group_json(group_version));
  }
  root["kind"] = "APIGroupList";
  root["apiVersion"] = "v1";
  root["groups"] = std::move(groups);
  return json_reply(root);
}

const std::string& Discovery::document(const kube::GroupVersion& group_version) {
  std::string& text = documents_[openapi_path(group_version)];
  if (!text.empty()) return text;
  std::vector<kube::OpenApiResource> resources;
  for (const Resource& row : all_resources()) {
    if (row.kind.group_version() != group_version) continue;
    resources.push_back({row.plural, row.kind, row.namespaced, {}, verbs_of(row, {})});
    for (std::string_view subresource : subresources_of(row)) {
      resources.push_back({row.plural, kind_of(row, subresource), row.namespaced, subresource,
                           verbs_of(row, subresource)});
    }
  }
  text = kube::openapi_v3(group_version, resources);
  return text;
}

std::optional<Reply> Discovery::serve_openapi(std::string_view path, std::string_view if_none_match,
                                              bool has_hash) {
  constexpr std::string_view root = "/openapi/v3";
  if (path == root) {
    json::Object paths;
    for (const kube::GroupVersion& group_version : group_versions()) {
      const std::string name = openapi_path(group_version);
      paths[name] =
          json::Object{{"serverRelativeURL", std::format("/openapi/v3/{}?hash={:016X}", name,
                                                         fnv1a(document(group_version)))}};
    }
    return json_reply(json::Object{{"paths", std::move(paths)}});
  }
  if (!path.starts_with("/openapi/v3/")) return std::nullopt;
  const std::string_view wanted = path.substr(root.size() + 1);
  for (const kube::GroupVersion& group_version : group_versions()) {
    if (openapi_path(group_version) != wanted) continue;
    const std::string& text = document(group_version);
    const std::string tag = std::format("\"{:016X}\"", fnv1a(text));
    Reply reply;
    reply.headers.emplace_back("etag", tag);
    reply.headers.emplace_back("vary", "Accept");
    if (has_hash) reply.headers.emplace_back("expires", "Fri, 01 Jan 2100 00:00:00 GMT");
    if (if_none_match == tag) {
      reply.status = 304;
    } else {
      reply.body = text;
    }
    return reply;
  }
  return std::nullopt;
}

std::optional<kube::Outcome<Reply>> Discovery::serve(std::string_view raw_path,
                                                     std::string_view accept,
                                                     std::string_view if_none_match,
                                                     bool has_hash) {
  const std::string path = strip_slash(raw_path);
  if (path == "/api" || path == "/apis") return serve_root(path, accept);
  if (path == "/openapi/v2") return openapi_v2(accept);
  if (path.starts_with("/openapi/")) {
    if (auto reply = serve_openapi(path, if_none_match, has_hash)) return std::move(*reply);
    return std::nullopt;
  }
  for (const kube::GroupVersion& group_version : group_versions()) {
    if (path == "/" + openapi_path(group_version)) return legacy_resources(group_version);
    if (!group_version.group.empty() && path == std::format("/apis/{}", group_version.group)) {
      json::Object group{{"kind", "APIGroup"}, {"apiVersion", "v1"}};
      for (auto& [key, value] : group_json(group_version)) group[key] = value;
      return json_reply(group);
    }
  }
  return std::nullopt;
}

}  // namespace tripod::apiserver
