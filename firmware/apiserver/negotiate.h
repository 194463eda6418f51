#pragma once
// Content negotiation: which form of an answer the Accept header asks for, and what a request body
// is. Pure.

#include <string>
#include <string_view>

#include "firmware/kube/status.h"

namespace tripod::apiserver {

enum class Form : std::uint8_t { object, table, partial, partial_list, aggregated_discovery };

struct Accepted {
  Form form = Form::object;
  std::string version = "v1";  // of the form: v1, v1beta1, v2
};

/// What the client can take, best first in its own order. 406 when nothing fits: protobuf and YAML
/// are not offered. `discovery`: whether the path has the aggregated form.
kube::Outcome<Accepted> negotiate(std::string_view accept, bool discovery = false);

/// "application/json; charset=utf-8" -> "application/json".
std::string media_type(std::string_view content_type);

/// Nothing for JSON (or no statement at all); else the 415.
kube::Outcome<> check_json_body(std::string_view content_type);

}  // namespace tripod::apiserver
