#pragma once
// Validation with Kubernetes' rules and words. Pure: defaulted objects in, field errors out; an
// empty list means valid. Map a non-empty list with errors::invalid(kind, name, list).

#include <string_view>

#include "firmware/kube/field_error.h"
#include "firmware/kube/schema/schema.h"
#include "platform/json/json.h"

namespace tripod::kube {

struct ValidationRequest {
  const schema::Type& type;
  const json::Value& object;
  const json::Value* old = nullptr;  // the stored object, on update
  std::string_view subresource;      // "", "status", ...
  bool namespaced = true;
};

/// ObjectMeta and what the kind demands; on update also what must not change.
FieldErrors validate(const ValidationRequest& request);

FieldErrors validate_object_meta(const json::Value& object, bool namespaced, const GroupKind& kind);
FieldErrors validate_object_meta_update(const json::Value& object, const json::Value& old);
/// A metav1.LabelSelector object.
void validate_label_selector(const json::Value* selector, const FieldPath& path,
                             FieldErrors& errors);
void validate_labels(const json::Value* labels, const FieldPath& path, FieldErrors& errors);
void validate_pod_spec(const json::Value& spec, const FieldPath& path, FieldErrors& errors);

}  // namespace tripod::kube
