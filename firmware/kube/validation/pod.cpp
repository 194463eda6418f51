// Pods: their spec, and what of it may change.

#include <format>

#include "firmware/kube/validation/rules.h"

namespace tripod::kube {

namespace validation {
namespace {

void check_policies(const Scope& spec) {
  if (spec.require("restartPolicy")) spec.one_of("restartPolicy", {"Always", "OnFailure", "Never"});
  if (spec.require("dnsPolicy")) {
    spec.one_of("dnsPolicy", {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"});
  }
  const json::Array* servers = json::get_array(spec.value, "dnsConfig", "nameservers");
  if (spec.text("dnsPolicy") == "None" && (!servers || servers->empty())) {
    spec.add(required(spec.path.child("dnsConfig").child("nameservers"),
                      "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
  spec.in_range("activeDeadlineSeconds", 1, INT32_MAX);
  spec.non_negative("terminationGracePeriodSeconds");
  spec.one_of("preemptionPolicy", {"Never", "PreemptLowerPriority"});
  if (json::get_bool(spec.value, "hostPID") &&
      json::get_bool(spec.value, "shareProcessNamespace")) {
    spec.add(invalid(spec.path.child("shareProcessNamespace"), true,
                     "ShareProcessNamespace and HostPID cannot both be enabled"));
  }
}

void check_names(const Scope& spec) {
  const auto subdomain = [&](std::string_view key) {
    if (!spec.text(key).empty()) spec.check(key, check_dns1123_subdomain(spec.text(key)));
  };
  for (std::string_view key :
       {"serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"}) {
    subdomain(key);
  }
  for (std::string_view key : {"hostname", "subdomain"}) {
    if (!spec.text(key).empty()) spec.check(key, check_dns1123_label(spec.text(key)));
  }
  if (spec.require("schedulerName"))
    spec.check("schedulerName", check_qualified_name(spec.text("schedulerName")));
  spec.each("imagePullSecrets", [](const Scope& secret, std::size_t) { secret.require("name"); });
  spec.each("hostAliases",
            [](const Scope& alias, std::size_t) { alias.check("ip", check_ip(alias.text("ip"))); });
}

void check_spec(const Scope& spec) {
  const std::vector<std::string_view> volumes = check_volumes(spec);
  check_containers(spec, volumes);
  check_policies(spec);
  check_names(spec);
  check_scheduling(spec);
  spec.with("securityContext", [](const Scope& context) {
    for (std::string_view key : {"runAsUser", "runAsGroup", "fsGroup"})
      context.in_range(key, 0, INT32_MAX);
  });
}

void check_pod(const Scope& object) {
  static const json::Value nothing = json::Object();
  const json::Value* spec = object.find("spec");
  check_spec(object.at("spec", spec ? *spec : nothing));
}

constexpr std::string_view changes_wording =
    "pod updates may not change fields other than "
    "`spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// True when both lists have the same number of containers; else says so.
bool same_count(const Scope& spec, const json::Value& old, std::string_view list) {
  const json::Array* now = json::get_array(spec.value, list);
  const json::Array* before = json::get_array(old, list);
  if ((now ? now->size() : 0) == (before ? before->size() : 0)) return true;
  spec.add(forbidden(spec.path.child(list),
                     list == "containers" ? "pod updates may not add or remove containers"
                                          : "pod updates may not add or remove init containers"));
  return false;
}

void check_deadline_update(const Scope& spec, const json::Value& old) {
  const auto now = json::get_int(spec.value, "activeDeadlineSeconds");
  const auto before = json::get_int(old, "activeDeadlineSeconds");
  const FieldPath path = spec.path.child("activeDeadlineSeconds");
  if (before && !now) {
    spec.add(invalid(path, json::Value(), "must not update from a positive integer to nil value"));
  } else if (before && *now > *before) {
    spec.add(invalid(path, *now, "must be less than or equal to previous value"));
  }
}

void check_tolerations_update(const Scope& spec, const json::Value& old) {
  const json::Array* before = json::get_array(old, "tolerations");
  const json::Array* now = json::get_array(spec.value, "tolerations");
  if (!before) return;
  const auto same_but_seconds = [](json::Value left, json::Value right) {
    for (json::Value* one : {&left, &right}) json::erase(*one, {"tolerationSeconds"});
    return json::equal_semantic(&left, &right);
  };
  for (const json::Value& toleration : *before) {
    const bool kept = now && std::ranges::any_of(*now, [&](const json::Value& one) {
                        return same_but_seconds(toleration, one);
                      });
    if (!kept) {
      spec.add(forbidden(spec.path.child("tolerations"),
                         "existing toleration can not be modified except its tolerationSeconds"));
      return;
    }
  }
}

/// The spec with what may change taken from `old`.
json::Value without_changeable(const json::Value& spec, const json::Value& old) {
  json::Value masked = spec;
  for (std::string_view list : {"containers", "initContainers"}) {
    const json::Array* before = json::get_array(old, list);
    json::Value* now = json::find(masked, list);
    if (!before || !now || !now->is_array()) continue;
    for (std::size_t i = 0; i < std::min(before->size(), now->get_array().size()); ++i) {
      if (const json::Value* image = json::find((*before)[i], "image")) {
        json::set(now->get_array()[i], {"image"}, *image);
      }
    }
  }
  for (std::string_view key : {"activeDeadlineSeconds", "tolerations", "schedulingGates"}) {
    if (const json::Value* value = json::find(old, key)) {
      json::set(masked, {key}, *value);
    } else {
      json::erase(masked, {key});
    }
  }
  if (json::get_int(old, "terminationGracePeriodSeconds").value_or(0) < 0 &&
      json::get_int(spec, "terminationGracePeriodSeconds") == 1) {
    json::set(masked, {"terminationGracePeriodSeconds"},
              *json::find(old, "terminationGracePeriodSeconds"));
  }
  return masked;
}

void check_gates_update(const Scope& spec, const json::Value& old) {
  const json::Array* before = json::get_array(old, "schedulingGates");
  spec.each("schedulingGates", [&](const Scope& gate, std::size_t) {
    const bool known = before && std::ranges::any_of(*before, [&](const json::Value& one) {
                         return json::get_string(one, "name") == gate.text("name");
                       });
    if (!known) {
      spec.add(forbidden(spec.path.child("schedulingGates"),
                         std::format("only deletion is allowed, but found new scheduling gate '{}'",
                                     gate.text("name"))));
    }
  });
}

void check_pod_update(const Scope& object, const json::Value& old) {
  const json::Value* before = json::find(old, "spec");
  if (!before) return;
  object.with("spec", [before](const Scope& spec) {
    if (!same_count(spec, *before, "containers") || !same_count(spec, *before, "initContainers"))
      return;
    check_deadline_update(spec, *before);
    check_tolerations_update(spec, *before);
    check_gates_update(spec, *before);
    const json::Value masked = without_changeable(spec.value, *before);
    if (!json::equal_semantic(&masked, before)) spec.add(forbidden(spec.path, changes_wording));
  });
}

constexpr KindRules rules[] = {{"", "Pod", check_dns1123_subdomain, check_pod, check_pod_update}};

}  // namespace

std::span<const KindRules> pod_rules() {
  return rules;
}

void check_pod_template(const Scope& pod_template) {
  pod_template.with("metadata", [](const Scope& meta) { check_labels_of(meta, "labels"); });
  check_pod(pod_template);
  const json::Array* ephemeral = json::get_array(pod_template.value, "spec", "ephemeralContainers");
  if (ephemeral && !ephemeral->empty()) {
    pod_template.add(forbidden(pod_template.path.child("spec").child("ephemeralContainers"),
                               "ephemeral containers not allowed in pod template"));
  }
}

}  // namespace validation

void validate_pod_spec(const json::Value& spec, const FieldPath& path, FieldErrors& errors) {
  validation::check_spec({spec, path, errors});
}

}  // namespace tripod::kube
