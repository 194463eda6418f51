#include "firmware/apiserver/printers/render.h"

#include <format>

namespace tripod::apiserver {

namespace {

std::string meta_version(std::string_view version) {
  return std::format("meta.k8s.io/{}", version);
}

}  // namespace

kube::Outcome<IncludeObject> parse_include_object(std::string_view parameter) {
  if (parameter.empty() || parameter == "Metadata") return IncludeObject::metadata;
  if (parameter == "None") return IncludeObject::none;
  if (parameter == "Object") return IncludeObject::object;
  return std::unexpected(kube::errors::bad_request(
      std::format("Invalid value: {}: must be 'Metadata', 'Object', 'None', or empty",
                  kube::go_quote(parameter))));
}

json::Value partial_of(const json::Value& object, std::string_view version) {
  json::Object partial;
  partial["kind"] = "PartialObjectMetadata";
  partial["apiVersion"] = meta_version(version);
  const json::Value* metadata = json::find(object, "metadata");
  partial["metadata"] = metadata ? *metadata : json::Value(json::Object());
  return partial;
}

json::Value empty_table(const Resource& resource, std::string_view version, bool with_columns) {
  json::Array columns;
  if (with_columns) {
    for (const Column& column : resource.columns) {
      json::Object definition;
      definition["name"] = column.name;
      definition["type"] = column.type;
      definition["format"] = column.format;
      definition["description"] = column.description;
      definition["priority"] = column.priority;
      columns.push_back(std::move(definition));
    }
  }
  json::Object table;
  table["kind"] = "Table";
  table["apiVersion"] = meta_version(version);
  table["metadata"] = json::Object();
  table["columnDefinitions"] = std::move(columns);
  table["rows"] = json::Array();
  return table;
}

json::Value table_row(const Resource& resource, const json::Value& object,
                      const RenderOptions& options) {
  json::Array cells;
  if (resource.to_storage) {
    json::Value core = object;
    resource.to_storage(core);
    resource.cells(core, options.now, cells);
  } else {
    resource.cells(object, options.now, cells);
  }
  json::Object row;
  row["cells"] = std::move(cells);
  switch (options.include) {
    case IncludeObject::none: row["object"] = nullptr; break;
    case IncludeObject::metadata:
      row["object"] = partial_of(object, options.accepted.version);
      break;
    case IncludeObject::object: row["object"] = object; break;
  }
  return row;
}

json::Value render(const Resource& resource, json::Value object, const RenderOptions& options,
                   bool with_columns) {
  switch (options.accepted.form) {
    case Form::object:
    case Form::aggregated_discovery: return object;
    case Form::partial:
    case Form::partial_list: return partial_of(object, options.accepted.version);
    case Form::table: break;
  }
  json::Value table = empty_table(resource, options.accepted.version, with_columns);
  if (const auto version = json::get_string(object, "metadata", "resourceVersion");
      !version.empty()) {
    json::set(table, {"metadata", "resourceVersion"}, json::Value(json::String(version)));
  }
  json::ensure_array(table, {"rows"}).push_back(table_row(resource, object, options));
  return table;
}

}  // namespace tripod::apiserver
