#pragma once
// Kubernetes' protobuf form of objects, read into JSON documents by the schema tables. What comes
// out is what Go's JSON encoder would have written for the same object: zero values that JSON
// leaves out are left out, the others stay. Fields that the tables do not know are read past, as
// protobuf wants it.
//
// Pure. Wire facts: generated.proto of kubernetes/api, and the envelope of
// kubernetes/apimachinery (runtime.Unknown behind the magic "k8s\0").

#include <cstddef>
#include <string_view>

#include "firmware/kube/schema/schema.h"
#include "platform/base/bytes.h"
#include "platform/base/result.h"
#include "platform/json/json.h"

namespace tripod::kube::protobuf {

inline constexpr std::string_view media_type = "application/vnd.kubernetes.protobuf";

struct Limits {
  std::size_t depth_max = 64;
  std::size_t bytes_max = 3 * 1024 * 1024;
  std::size_t values_max = 500'000;  // members and elements of the whole document
};

/// One enveloped object of the kind that its envelope names; apiVersion and kind come first.
/// Errors: too_large, exhausted (a limit), invalid (with a text for the client).
Result<json::Value> decode(BytesView body, const Limits& limits = {});

/// A bare message of `type`, without apiVersion and kind.
Result<json::Value> decode_message(const schema::Type& type, BytesView message,
                                   const Limits& limits = {});

}  // namespace tripod::kube::protobuf
