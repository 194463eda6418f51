#pragma once
// The forms an object or a list can be answered in: itself, a row of a Table, its metadata alone.
// Pure.

#include <span>
#include <string_view>

#include "firmware/apiserver/negotiate.h"
#include "firmware/apiserver/registry/resource.h"
#include "platform/base/time.h"

namespace tripod::apiserver {

/// What a Table's rows carry besides their cells; the parameter includeObject.
enum class IncludeObject : std::uint8_t { none, metadata, object };
kube::Outcome<IncludeObject> parse_include_object(std::string_view parameter);

struct RenderOptions {
  Accepted accepted;
  IncludeObject include = IncludeObject::metadata;
  WallTime now;
};

/// PartialObjectMetadata of an object.
json::Value partial_of(const json::Value& object, std::string_view version);
/// Kind, metadata and, if asked for, column definitions; rows are added by table_row.
json::Value empty_table(const Resource& resource, std::string_view version, bool with_columns);
json::Value table_row(const Resource& resource, const json::Value& object,
                      const RenderOptions& options);
/// One object in the form asked for.
json::Value render(const Resource& resource, json::Value object, const RenderOptions& options,
                   bool with_columns = true);

}  // namespace tripod::apiserver
