#pragma once
// The three patches of the API on documents. Pure: document and patch in, patched document or the
// Status to answer with out. Server-side apply is not here.

#include "firmware/kube/schema/schema.h"
#include "firmware/kube/status.h"
#include "platform/json/json.h"

namespace tripod::kube {

struct PatchLimits {
  std::size_t operations_max = 10000;
  std::size_t copied_bytes_max = 3 * 1024 * 1024;  // what "copy" operations may add
};

/// RFC 6902. A malformed patch is 400; an operation that does not fit the document (a failed "test"
/// too) is 422.
Outcome<json::Value> apply_json_patch(json::Value document, const json::Value& patch,
                                      const PatchLimits& limits = {});

/// RFC 7386.
json::Value apply_merge_patch(json::Value document, const json::Value& patch);

/// Strategic merge: lists merge by the keys of the schema; directives $patch,
/// $deleteFromPrimitiveList/, $setElementOrder/, $retainKeys. What is malformed is 400.
Outcome<json::Value> apply_strategic_merge_patch(const schema::Type& type, json::Value document,
                                                 const json::Value& patch);

}  // namespace tripod::kube
