#include "firmware/kube/openapi/openapi.h"

#include <format>
#include <map>

#include "firmware/kube/openapi/schemas.h"

namespace tripod::kube {

namespace {

using openapi::Schemas;
using schema::Type;

struct Parameter {
  std::string_view name;
  std::string_view type;
};

constexpr Parameter write_parameters[] = {
    {"dryRun", "string"}, {"fieldManager", "string"}, {"fieldValidation", "string"}};
constexpr Parameter patch_parameters[] = {{"dryRun", "string"},
                                          {"fieldManager", "string"},
                                          {"fieldValidation", "string"},
                                          {"force", "boolean"}};
constexpr Parameter list_parameters[] = {{"allowWatchBookmarks", "boolean"},
                                         {"continue", "string"},
                                         {"fieldSelector", "string"},
                                         {"labelSelector", "string"},
                                         {"limit", "integer"},
                                         {"resourceVersion", "string"},
                                         {"resourceVersionMatch", "string"},
                                         {"sendInitialEvents", "boolean"},
                                         {"timeoutSeconds", "integer"},
                                         {"watch", "boolean"}};
constexpr Parameter delete_parameters[] = {{"dryRun", "string"},
                                           {"gracePeriodSeconds", "integer"},
                                           {"orphanDependents", "boolean"},
                                           {"propagationPolicy", "string"}};
constexpr std::string_view patch_types[] = {"application/json-patch+json",
                                            "application/merge-patch+json",
                                            "application/strategic-merge-patch+json"};

std::string parameters_json(std::span<const Parameter> parameters, std::string_view where) {
  std::string list = "[";
  for (const Parameter& parameter : parameters) {
    if (list.size() > 1) list += ',';
    list += std::format(
        R"({{"name":"{}","in":"{}",{}"schema":{{"type":"{}","uniqueItems":true}}}})",
        parameter.name, where, where == "path" ? R"("required":true,)" : "", parameter.type);
  }
  return list += ']';
}

std::string content(const Type* type, std::string_view media_type = "application/json") {
  return std::format(R"("content":{{"{}":{{"schema":{}}}}})", media_type,
                     type ? openapi::reference(*type) : R"({"type":"object"})");
}

std::string body(const Type* type) {
  return std::format(R"("requestBody":{{{},"required":true}})", content(type));
}

std::string patch_body() {
  std::string types;
  for (std::string_view media_type : patch_types) {
    if (!types.empty()) types += ',';
    types += std::format(R"("{}":{{"schema":{{"type":"object"}}}})", media_type);
  }
  return std::format(R"("requestBody":{{"content":{{{}}},"required":true}})", types);
}

/// One method of a path.
struct Operation {
  std::string_view method;
  std::string_view action;
  std::span<const Parameter> parameters;
  std::string request;  // requestBody member, may be empty
  const Type* answer = nullptr;
  std::string_view success = "200";
};

std::string render(const Operation& operation, const GroupVersionKind& kind) {
  std::string text = std::format(R"("{}":{{"parameters":{})", operation.method,
                                 parameters_json(operation.parameters, "query"));
  if (!operation.request.empty()) text += "," + operation.request;
  text += std::format(
      R"(,"responses":{{"{}":{{"description":"OK",{}}},"401":{{"description":"Unauthorized"}}}})",
      operation.success, content(operation.answer));
  text += std::format(
      R"(,"x-kubernetes-action":"{}","x-kubernetes-group-version-kind":{{"group":"{}","version":"{}","kind":"{}"}}}})",
      operation.action, kind.group, kind.version, kind.kind);
  return text;
}

class Document {
 public:
  explicit Document(const GroupVersion& group_version)
      : group_version_(group_version),
        schemas_(group_version),
        status_(&schema::must_find_type("meta.k8s.io", "v1", "Status")),
        delete_options_(&schema::must_find_type("meta.k8s.io", "v1", "DeleteOptions")) {
    prefix_ = group_version.group.empty()
                  ? std::format("/api/{}", group_version.version)
                  : std::format("/apis/{}/{}", group_version.group, group_version.version);
    for (const Type* type :
         {status_, delete_options_, &schema::must_find_type("meta.k8s.io", "v1", "WatchEvent"),
          &schema::must_find_type("meta.k8s.io", "v1", "APIResourceList")}) {
      schemas_.add(*type);
    }
    // The group's own types too, whether a resource mentions them or not.
    for (const Type& type : schema::all_types()) {
      if (type.is_kind && type.gvk().group_version() == group_version) schemas_.add(type);
    }
  }

  void add(const OpenApiResource& resource) {
    const Type* type = schema::find_type(resource.kind);
    if (type) schemas_.add(*type);
    const std::string base = resource.namespaced ? std::format("{}/namespaces/{{namespace}}/{}",
                                                               prefix_, resource.plural)
                                                 : std::format("{}/{}", prefix_, resource.plural);
    if (!resource.subresource.empty()) {
      add_item(std::format("{}/{{name}}/{}", base, resource.subresource), resource, type);
      return;
    }
    add_collection(base, resource, type);
    add_item(base + "/{name}", resource, type);
    if (resource.namespaced && has(resource, "list")) {
      add_path(std::format("{}/{}", prefix_, resource.plural), resource, {list_of(resource)});
    }
  }

  std::string write() const {
    std::string out =
        R"({"openapi":"3.0.0","info":{"title":"Kubernetes","version":"unversioned"},"paths":{)";
    bool first = true;
    for (const auto& [path, item] : paths_) {
      if (!first) out += ',';
      first = false;
      out += openapi::json_text(path) + ":" + item;
    }
    out += R"(},"components":{"schemas":)";
    schemas_.write(out);
    return out += "}}";
  }

 private:
  static bool has(const OpenApiResource& resource, std::string_view verb) {
    return std::ranges::find(resource.verbs, verb) != resource.verbs.end();
  }

  Operation list_of(const OpenApiResource& resource) {
    const Type* list = schema::find_type(resource.kind.group, resource.kind.version,
                                         std::format("{}List", resource.kind.kind));
    if (list) schemas_.add(*list);
    return {"get", "list", list_parameters, "", list};
  }

  void add_collection(const std::string& path, const OpenApiResource& resource, const Type* type) {
    std::vector<Operation> operations;
    if (has(resource, "list")) operations.push_back(list_of(resource));
    if (has(resource, "create"))
      operations.push_back({"post", "post", write_parameters, body(type), type, "201"});
    if (has(resource, "deletecollection")) {
      operations.push_back(
          {"delete", "deletecollection", delete_parameters, body(delete_options_), status_});
    }
    add_path(path, resource, operations);
  }

  void add_item(const std::string& path, const OpenApiResource& resource, const Type* type) {
    std::vector<Operation> operations;
    if (has(resource, "get")) operations.push_back({"get", "get", {}, "", type});
    if (has(resource, "create") && !resource.subresource.empty()) {
      operations.push_back({"post", "post", write_parameters, body(type), type, "201"});
    }
    if (has(resource, "update"))
      operations.push_back({"put", "put", write_parameters, body(type), type});
    if (has(resource, "patch"))
      operations.push_back({"patch", "patch", patch_parameters, patch_body(), type});
    if (has(resource, "delete")) {
      operations.push_back({"delete", "delete", delete_parameters, body(delete_options_), status_});
    }
    add_path(path, resource, operations);
  }

  void add_path(const std::string& path, const OpenApiResource& resource,
                const std::vector<Operation>& operations) {
    if (operations.empty()) return;
    std::vector<Parameter> parameters;
    if (path.contains("{name}")) parameters.push_back({"name", "string"});
    if (path.contains("{namespace}")) parameters.push_back({"namespace", "string"});
    std::string item = "{";
    for (const Operation& operation : operations) item += render(operation, resource.kind) + ",";
    item += std::format(R"("parameters":{}}})", parameters_json(parameters, "path"));
    paths_[path] = std::move(item);
  }

  GroupVersion group_version_;
  Schemas schemas_;
  const Type* status_;
  const Type* delete_options_;
  std::string prefix_;
  std::map<std::string, std::string> paths_;
};

}  // namespace

std::string openapi_v3(const GroupVersion& group_version,
                       std::span<const OpenApiResource> resources) {
  Document document(group_version);
  for (const OpenApiResource& resource : resources) document.add(resource);
  return document.write();
}

}  // namespace tripod::kube
