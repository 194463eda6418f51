#pragma once
// What a request asks for, read from its method, path and query alone (apiserver's RequestInfo):
// the input of authorization, routing and metrics. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.h"

namespace tripod::apiserver {

/// Decoded query parameters, in order; the first of a name counts.
class Query {
 public:
  Query() = default;
  static Result<Query> parse(std::string_view text);

  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  /// As upstream reads booleans: present and neither "false" nor "0".
  bool flag(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

struct RequestInfo {
  bool is_resource = false;  // /api/v1/..., /apis/G/V/...
  std::string path;          // decoded
  std::string
      verb;  // get, list, watch, create, update, patch, delete, deletecollection; else the method
  std::string group;  // "" is the core group
  std::string version;
  std::string name_space;
  std::string resource;
  std::string subresource;
  std::string name;
  Query query;

  bool is_watch() const { return is_resource && verb == "watch"; }
  /// Changes state: counted against the mutating limit.
  bool is_mutating() const {
    return verb == "create" || verb == "update" || verb == "patch" || verb == "delete" ||
           verb == "deletecollection";
  }
  /// "namespace", "cluster" or "resource" for metrics; empty for paths that are no resource.
  std::string_view scope() const;
};

/// `path` and `query` as they came, still percent-encoded. Fails on broken escapes.
Result<RequestInfo> parse_request(std::string_view method, std::string_view path,
                                  std::string_view query);

}  // namespace tripod::apiserver
