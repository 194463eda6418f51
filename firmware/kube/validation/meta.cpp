// ObjectMeta, labels and label selectors.

#include <format>

#include "firmware/kube/object.h"
#include "firmware/kube/validation/rules.h"

namespace tripod::kube {

using validation::Scope;

namespace {

constexpr std::size_t annotations_bytes_max = 256 * 1024;

const json::Value& metadata_of(const json::Value& object) {
  static const json::Value nothing = json::Object();
  const json::Value* metadata = json::find(object, "metadata");
  return metadata ? *metadata : nothing;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lowered;
}

void check_annotations(const Scope& meta) {
  const json::Object* annotations = json::get_object(meta.value, "annotations");
  if (!annotations) return;
  const FieldPath path = meta.path.child("annotations");
  std::size_t bytes = 0;
  for (const auto& [key, value] : *annotations) {
    bytes += key.size() + json::as_string(value).size();
    for (const std::string& complaint : check_qualified_name(lower(key))) {
      meta.add(invalid(path, std::string_view(key), complaint));
    }
  }
  if (bytes > annotations_bytes_max) meta.add(too_long(path, annotations_bytes_max));
}

void check_owners(const Scope& meta) {
  std::string controller;
  meta.each("ownerReferences", [&](const Scope& owner, std::size_t) {
    for (std::string_view key : {"apiVersion", "kind", "name", "uid"})
      owner.require(key, "must not be empty");
    if (owner.text("apiVersion") == "v1" && owner.text("kind") == "Event") {
      owner.add(
          invalid(owner.path, owner.value, "/v1, Kind=Event is disallowed from being an owner"));
    }
    if (!json::get_bool(owner.value, "controller")) return;
    std::string name = std::format("{}/{}", owner.text("kind"), owner.text("name"));
    if (!controller.empty()) {
      meta.add(invalid(
          meta.path.child("ownerReferences"), *meta.find("ownerReferences"),
          std::format(
              "Only one reference can have Controller set to true. Found \"true\" in references "
              "for {} and {}",
              controller, name)));
    }
    controller = std::move(name);
  });
}

void check_finalizers(const Scope& meta) {
  bool orphan = false, foreground = false;
  meta.each("finalizers", [&](const Scope& finalizer, std::size_t) {
    const std::string_view name = json::as_string(finalizer.value);
    for (const std::string& complaint : check_qualified_name(name)) {
      meta.add(invalid(meta.path.child("finalizers"), name, complaint));
    }
    orphan = orphan || name == "orphan";
    foreground = foreground || name == "foregroundDeletion";
  });
  if (orphan && foreground) {
    meta.add(invalid(meta.path.child("finalizers"), *meta.find("finalizers"),
                     "finalizer orphan and foregroundDeletion cannot be both set"));
  }
}

void check_shared(const Scope& meta) {
  meta.non_negative("generation");
  validation::check_labels_of(meta, "labels");
  check_annotations(meta);
  check_owners(meta);
}

/// A generateName may end in a dash, for more text follows.
std::string mask_trailing_dash(std::string_view name) {
  std::string masked(name);
  if (masked.size() > 1 && masked.back() == '-') masked.replace(masked.size() - 2, 2, "a");
  return masked;
}

const validation::KindRules* rules_of(std::string_view group, std::string_view kind) {
  for (auto rules : {validation::pod_rules(), validation::workload_rules(),
                     validation::network_rules(), validation::core_rules()}) {
    for (const validation::KindRules& rule : rules) {
      if (rule.kind == kind && rule.group == group) return &rule;
    }
  }
  return nullptr;
}

void check_new_finalizers(const Scope& meta, const json::Value& old) {
  std::string added;
  meta.each("finalizers", [&](const Scope& finalizer, std::size_t) {
    if (has_finalizer(old, json::as_string(finalizer.value))) return;
    added += (added.empty() ? "" : ", ") + go_quote(json::as_string(finalizer.value));
  });
  if (added.empty()) return;
  meta.add(forbidden(
      meta.path.child("finalizers"),
      std::format(
          "no new finalizers can be added if the object is being deleted, found new finalizers "
          "[]string{{{}}}",
          added)));
}

}  // namespace

void validate_labels(const json::Value* labels, const FieldPath& path, FieldErrors& errors) {
  if (!labels || !labels->is_object()) return;
  for (const auto& [key, value] : labels->get_object()) {
    for (const std::string& complaint : check_qualified_name(key)) {
      errors.push_back(invalid(path, std::string_view(key), complaint));
    }
    for (const std::string& complaint : check_label_value(json::as_string(value))) {
      errors.push_back(invalid(path, json::as_string(value), complaint));
    }
  }
}

void validate_label_selector(const json::Value* selector, const FieldPath& path,
                             FieldErrors& errors) {
  if (!selector || !selector->is_object()) return;
  const Scope scope{*selector, path, errors};
  validation::check_labels_of(scope, "matchLabels");
  scope.each("matchExpressions", [](const Scope& expression, std::size_t) {
    const std::string_view op = expression.text("operator");
    const json::Array* values = json::get_array(expression.value, "values");
    const bool has_values = values && !values->empty();
    if (op == "In" || op == "NotIn") {
      if (!has_values) {
        expression.add(required(expression.path.child("values"),
                                "must be specified when `operator` is 'In' or 'NotIn'"));
      }
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (has_values) {
        expression.add(
            forbidden(expression.path.child("values"),
                      "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      }
    } else {
      expression.add(
          invalid(expression.path.child("operator"), op, "not a valid selector operator"));
    }
    expression.check("key", check_qualified_name(expression.text("key")));
    expression.each("values", [](const Scope& value, std::size_t) {
      for (const std::string& complaint : check_label_value(json::as_string(value.value))) {
        value.add(invalid(value.path, value.value, complaint));
      }
    });
  });
}

FieldErrors validate_object_meta(const json::Value& object, bool namespaced,
                                 const GroupKind& kind) {
  FieldErrors errors;
  const Scope meta{metadata_of(object), "metadata", errors};
  const validation::KindRules* rules = rules_of(kind.group, kind.kind);
  const auto check_name = rules && rules->name ? rules->name : check_path_segment;
  if (const std::string_view prefix = meta.text("generateName"); !prefix.empty()) {
    meta.check("generateName", check_name(mask_trailing_dash(prefix)));
  }
  if (meta.require("name", "name or generateName is required"))
    meta.check("name", check_name(meta.text("name")));
  if (!namespaced) {
    if (!meta.text("namespace").empty()) {
      meta.add(forbidden(meta.path.child("namespace"), "not allowed on this type"));
    }
  } else if (meta.require("namespace")) {
    meta.check("namespace", check_dns1123_label(meta.text("namespace")));
  }
  check_shared(meta);
  check_finalizers(meta);
  return errors;
}

FieldErrors validate_object_meta_update(const json::Value& object, const json::Value& old) {
  FieldErrors errors;
  const Scope meta{metadata_of(object), "metadata", errors};
  if (is_deleting(old)) check_new_finalizers(meta, old);
  if (meta.text("resourceVersion").empty()) {
    meta.add(invalid(meta.path.child("resourceVersion"), "", "must be specified for an update"));
  }
  if (generation_of(object) < generation_of(old)) {
    meta.add(
        invalid(meta.path.child("generation"), generation_of(object), "must not be decremented"));
  }
  const json::Value& old_meta = metadata_of(old);
  for (std::string_view key : {"name", "namespace"})
    validation::check_immutable(meta, old_meta, key);
  // What a client leaves out is restored from the stored object.
  for (std::string_view key :
       {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    if (meta.has(key)) validation::check_immutable(meta, old_meta, key);
  }
  check_shared(meta);
  return errors;
}

FieldErrors validate(const ValidationRequest& request) {
  const GroupKind kind = request.type.gvk().group_kind();
  FieldErrors errors;
  if (request.old) errors = validate_object_meta_update(request.object, *request.old);
  if (!request.old) errors = validate_object_meta(request.object, request.namespaced, kind);
  const validation::KindRules* rules = rules_of(kind.group, kind.kind);
  if (!rules || request.subresource == "status") return errors;
  const Scope object{request.object, FieldPath(), errors};
  if (request.old && rules->check_update) rules->check_update(object, *request.old);
  if (rules->check) rules->check(object);
  return errors;
}

}  // namespace tripod::kube
