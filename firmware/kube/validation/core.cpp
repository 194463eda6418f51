// The small kinds of the core group, and leases and scales.

#include <format>
#include <set>

#include "firmware/kube/object.h"
#include "firmware/kube/validation/rules.h"

namespace tripod::kube::validation {

namespace {

constexpr std::size_t data_bytes_max = 1024 * 1024;
constexpr std::string_view sealed_wording = "field is immutable when `immutable` is set";

std::size_t check_keys(const Scope& object, std::string_view field, bool base64) {
  const json::Object* data = json::get_object(object.value, field);
  if (!data) return 0;
  std::size_t bytes = 0;
  for (const auto& [key, value] : *data) {
    const std::string_view name = key;
    for (const std::string& complaint : check_config_key(name)) {
      object.add(invalid(object.path.child(field).key(name), name, complaint));
    }
    bytes += base64 ? json::as_string(value).size() / 4 * 3 : json::as_string(value).size();
  }
  return bytes;
}

void check_sealed(const Scope& object, const json::Value& old,
                  std::initializer_list<std::string_view> fields) {
  if (!json::get_bool(old, "immutable")) return;
  if (!json::get_bool(object.value, "immutable")) {
    object.add(forbidden(object.path.child("immutable"), sealed_wording));
  }
  for (std::string_view field : fields) {
    if (!json::equal_semantic(object.find(field), json::find(old, field))) {
      object.add(forbidden(object.path.child(field), sealed_wording));
    }
  }
}

void check_config_map(const Scope& object) {
  const std::size_t bytes =
      check_keys(object, "data", false) + check_keys(object, "binaryData", true);
  const json::Object* data = json::get_object(object.value, "data");
  if (const json::Object* binary = json::get_object(object.value, "binaryData"); data && binary) {
    for (const auto& [key, value] : *binary) {
      if (!data->contains(key)) continue;
      const std::string_view name = key;
      object.add(invalid(object.path.child("binaryData").key(name), name,
                         "duplicate of key present in data"));
    }
  }
  if (bytes > data_bytes_max) object.add(too_long("", data_bytes_max));
}

void check_config_map_update(const Scope& object, const json::Value& old) {
  check_sealed(object, old, {"data", "binaryData"});
}

/// What each type of secret must hold.
void check_secret_type(const Scope& object) {
  const std::string_view type = object.text("type");
  const FieldPath data = object.path.child("data");
  const auto needs = [&](std::string_view key) {
    if (!json::find(object.value, "data", key)) object.add(required(data.key(key)));
  };
  if (type == "kubernetes.io/service-account-token") {
    constexpr std::string_view key = "kubernetes.io/service-account.name";
    if (annotation(object.value, key).empty()) {
      object.add(required(object.path.child("metadata").child("annotations").key(key)));
    }
  } else if (type == "kubernetes.io/dockercfg") {
    needs(".dockercfg");
  } else if (type == "kubernetes.io/dockerconfigjson") {
    needs(".dockerconfigjson");
  } else if (type == "kubernetes.io/basic-auth") {
    if (!json::find(object.value, "data", "username") &&
        !json::find(object.value, "data", "password")) {
      needs("username");
      needs("password");
    }
  } else if (type == "kubernetes.io/ssh-auth") {
    needs("ssh-privatekey");
  } else if (type == "kubernetes.io/tls") {
    needs("tls.crt");
    needs("tls.key");
  }
}

void check_secret(const Scope& object) {
  if (check_keys(object, "data", true) > data_bytes_max)
    object.add(too_long("data", data_bytes_max));
  check_secret_type(object);
}

void check_secret_update(const Scope& object, const json::Value& old) {
  check_immutable(object, old, "type");
  check_sealed(object, old, {"data"});
}

void check_namespace(const Scope& object) {
  object.with("spec", [](const Scope& spec) {
    spec.each("finalizers", [](const Scope& finalizer, std::size_t) {
      for (const std::string& complaint : check_qualified_name(json::as_string(finalizer.value))) {
        finalizer.add(invalid(finalizer.path, finalizer.value, complaint));
      }
    });
  });
}

void check_node(const Scope& object) {
  object.with("spec", [](const Scope& spec) {
    std::set<std::pair<std::string_view, std::string_view>> seen;
    spec.each("taints", [&](const Scope& taint, std::size_t) {
      if (taint.require("key")) taint.check("key", check_qualified_name(taint.text("key")));
      taint.check("value", check_label_value(taint.text("value")));
      if (taint.require("effect"))
        taint.one_of("effect", {"NoSchedule", "PreferNoSchedule", "NoExecute"});
      if (!seen.emplace(taint.text("key"), taint.text("effect")).second) {
        FieldError repeated = duplicate(taint.path, taint.value);
        repeated.detail = "taints must be unique by key and effect pair";
        taint.add(std::move(repeated));
      }
    });
  });
}

void check_node_update(const Scope& object, const json::Value& old) {
  const auto keeps = [&](std::string_view key, std::string_view name) {
    const json::Value* before = json::find(old, "spec", key);
    const json::Value* now = json::find(object.value, "spec", key);
    if (before && !json::equal_semantic(before, now)) {
      object.add(
          forbidden(FieldPath("spec").child(key),
                    std::format("node updates may not change {} except from \"\" to valid", name)));
    }
  };
  keeps("podCIDRs", "podCIDR");
  keeps("providerID", "providerID");
}

/// Events speak of objects in their own namespace; of cluster-scoped ones in "default".
void check_event(const Scope& object) {
  const std::string_view event_namespace = namespace_of(object.value);
  const std::string_view field =
      json::find(object.value, "regarding") ? "regarding" : "involvedObject";
  const std::string_view about = json::get_string(object.value, field, "namespace");
  const bool fits = about.empty() ? event_namespace.empty() || event_namespace == "default"
                                  : about == event_namespace;
  if (!fits) {
    object.add(invalid(object.path.child("involvedObject").child("namespace"), about,
                       "does not match event.namespace"));
  }
  if (!object.has("eventTime")) return;
  const bool new_style = object.has("reportingController") || field == "regarding";
  object.require(new_style ? "reportingController" : "reportingComponent");
  for (std::string_view key : {"reportingInstance", "action", "reason"}) object.require(key);
}

void check_lease(const Scope& object) {
  object.with("spec", [](const Scope& spec) {
    const auto seconds = json::get_int(spec.value, "leaseDurationSeconds");
    if (seconds && *seconds <= 0) {
      spec.add(
          invalid(spec.path.child("leaseDurationSeconds"), *seconds, "must be greater than 0"));
    }
    spec.non_negative("leaseTransitions");
  });
}

void check_scale(const Scope& object) {
  object.with("spec", [](const Scope& spec) { spec.non_negative("replicas"); });
}

void check_binding(const Scope& object) {
  const std::string_view kind = json::get_string(object.value, "target", "kind");
  if (!kind.empty() && kind != "Node")
    object.add(not_supported("target.kind", kind, {"Node", "<empty>"}));
  if (json::get_string(object.value, "target", "name").empty()) object.add(required("target.name"));
}

constexpr KindRules rules[] = {
    {"", "ConfigMap", check_dns1123_subdomain, check_config_map, check_config_map_update},
    {"", "Secret", check_dns1123_subdomain, check_secret, check_secret_update},
    {"", "Namespace", check_dns1123_label, check_namespace, nullptr},
    {"", "Node", check_dns1123_subdomain, check_node, check_node_update},
    {"", "ServiceAccount", check_dns1123_subdomain, nullptr, nullptr},
    {"", "Event", check_dns1123_subdomain, check_event, nullptr},
    {"events.k8s.io", "Event", check_dns1123_subdomain, check_event, nullptr},
    {"coordination.k8s.io", "Lease", check_dns1123_subdomain, check_lease, nullptr},
    {"autoscaling", "Scale", check_dns1123_subdomain, check_scale, nullptr},
    {"", "Binding", check_dns1123_subdomain, check_binding, nullptr},
    {"", "PodTemplate", check_dns1123_subdomain, nullptr, nullptr},
    {"", "PersistentVolume", check_dns1123_subdomain, nullptr, nullptr},
    {"", "PersistentVolumeClaim", check_dns1123_subdomain, nullptr, nullptr},
    {"", "ResourceQuota", check_dns1123_subdomain, nullptr, nullptr},
    {"", "LimitRange", check_dns1123_subdomain, nullptr, nullptr},
    {"apps", "ControllerRevision", check_dns1123_subdomain, nullptr, nullptr},
};

}  // namespace

std::span<const KindRules> core_rules() {
  return rules;
}

}  // namespace tripod::kube::validation
