#pragma once
// The messages of Kubernetes' protobuf that are no objects in JSON: times, durations, quantities,
// numbers-or-strings, raw JSON. Null stands for "not there". Used by protobuf.cpp.

#include "platform/base/bytes.h"
#include "platform/base/result.h"
#include "platform/json/json.h"

namespace tripod::kube::protobuf {

/// Years 1 to 9999; the zero time is null. `micro`: metav1.MicroTime, otherwise whole seconds.
Result<json::Value> read_time(BytesView message, bool micro);
/// As Go prints it: "1h0m0.5s".
Result<json::Value> read_duration(BytesView message);
Result<json::Value> read_quantity(BytesView message);
Result<json::Value> read_int_or_string(BytesView message);
/// RawExtension and FieldsV1: JSON inside of field 1.
Result<json::Value> read_raw(BytesView message, const json::Limits& limits);

/// A string for JSON. Error: invalid when it is no UTF-8.
Result<json::Value> to_text(BytesView bytes);

}  // namespace tripod::kube::protobuf
