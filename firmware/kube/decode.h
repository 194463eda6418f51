#pragma once
// From bytes of a request to an object that has the shape of its kind: type errors refused, unknown
// and duplicate fields reported and pruned, zero values normalised as Go's encoder would leave them
// out.

#include <string>
#include <string_view>
#include <vector>

#include "firmware/kube/schema/schema.h"
#include "firmware/kube/status.h"
#include "platform/json/json.h"

namespace tripod::kube {

enum class FieldValidation : std::uint8_t { ignore, warn, strict };

/// The query parameter: "" is warn (what servers since 1.25 do), Ignore, Warn, Strict. Otherwise
/// 400.
Outcome<FieldValidation> parse_field_validation(std::string_view parameter);

struct Decoded {
  json::Value object;
  std::vector<std::string> warnings;  // for Warning headers: unknown field "spec.foo"
};

/// Parses and checks one object of `type`. apiVersion and kind are filled in when absent, and must
/// match when there. Errors are 400 as upstream words them:
///   Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string
///   into Go struct field DeploymentSpec.spec.replicas of type int32
///   ...: strict decoding error: unknown field "spec.foo"
Outcome<Decoded> decode(const schema::Type& type, BytesView body, FieldValidation validation,
                        const json::Limits& limits = {});

/// Checks and normalises a document in place, e.g. after a patch. `unknown` receives the paths of
/// fields that the schema does not know (unknown field "spec.foo"); they are removed. The error is
/// the text after "cannot be handled as".
Result<> conform(const schema::Type& type, json::Value& object, std::vector<std::string>& unknown);

/// The Status for an error of `conform` on a body of `type`.
StatusError cannot_handle(const schema::Type& type, std::string_view why);

}  // namespace tripod::kube
