// Kinds that make pods.

#include <format>

#include "firmware/kube/selector.h"
#include "firmware/kube/validation/rules.h"

namespace tripod::kube::validation {

namespace {

const json::Value* template_labels(const Scope& spec) {
  return json::find(spec.value, "template", "metadata", "labels");
}

void check_matches_template(const Scope& spec, const LabelSelector& selector) {
  const json::Value* labels = template_labels(spec);
  if (!selector.everything() && !selector.matches(labels)) {
    spec.add(invalid(spec.path.child("template").child("metadata").child("labels"),
                     labels ? *labels : json::Value(),
                     "`selector` does not match template `labels`"));
  }
}

/// A template whose pods run until someone ends them.
void check_template(const Scope& spec, std::string_view kind) {
  spec.with("template", [kind](const Scope& pod_template) {
    check_pod_template(pod_template);
    const std::string_view policy = json::get_string(pod_template.value, "spec", "restartPolicy");
    if (policy != "Always") {
      pod_template.add(not_supported(pod_template.path.child("spec").child("restartPolicy"), policy,
                                     {"Always"}));
    }
    if (json::find(pod_template.value, "spec", "activeDeadlineSeconds")) {
      pod_template.add(
          forbidden(pod_template.path.child("spec").child("activeDeadlineSeconds"),
                    std::format("activeDeadlineSeconds in {} is not Supported", kind)));
    }
  });
}

void check_selector(const Scope& spec, std::string_view empty_wording) {
  const FieldPath path = spec.path.child("selector");
  const json::Value* selector = spec.find("selector");
  if (!selector || selector->is_null()) {
    spec.add(required(path));
    return;
  }
  validate_label_selector(selector, path, spec.errors);
  auto parsed = LabelSelector::from_object(selector);
  if (!parsed) {
    spec.add(invalid(path, *selector, "invalid label selector"));
    return;
  }
  if (parsed->everything()) spec.add(invalid(path, *selector, empty_wording));
  check_matches_template(spec, *parsed);
}

void check_selector_update(const Scope& object, const json::Value& old) {
  const json::Value* before = json::find(old, "spec");
  object.with("spec", [&](const Scope& spec) {
    if (before) check_immutable(spec, *before, "selector");
  });
}

/// The number of a percentage; -1 when it is none.
std::int64_t percent_of(const json::Value* value) {
  if (!value || !check_percent(json::as_string(*value)).empty()) return -1;
  std::int64_t percent = 0;
  for (char c : json::as_string(*value)) {
    if (c == '%' || percent > 1000) break;
    percent = percent * 10 + (c - '0');
  }
  return percent;
}

bool is_nothing(const json::Value* value) {
  return !value || json::as_int(*value) == 0 || percent_of(value) == 0;
}

void check_rolling_update(const Scope& strategy) {
  const json::Value* rolling = strategy.find("rollingUpdate");
  if (!rolling || !rolling->is_object()) {
    strategy.add(required(strategy.path.child("rollingUpdate"),
                          "this should be defaulted and never be nil"));
    return;
  }
  const Scope scope = strategy.at("rollingUpdate", *rolling);
  check_count_or_percent(scope, "maxUnavailable");
  check_count_or_percent(scope, "maxSurge");
  const json::Value* unavailable = scope.find("maxUnavailable");
  if (is_nothing(unavailable) && is_nothing(scope.find("maxSurge"))) {
    scope.add(invalid(scope.path.child("maxUnavailable"),
                      unavailable ? *unavailable : json::Value(0),
                      "may not be 0 when `maxSurge` is 0"));
  }
  if (percent_of(unavailable) > 100) {
    scope.add(
        invalid(scope.path.child("maxUnavailable"), *unavailable, "must not be greater than 100%"));
  }
}

void check_deployment_strategy(const Scope& strategy) {
  if (!strategy.require("type")) return;
  strategy.one_of("type", {"Recreate", "RollingUpdate"});
  const std::string_view type = strategy.text("type");
  if (type == "RollingUpdate") check_rolling_update(strategy);
  if (type == "Recreate" && strategy.has("rollingUpdate")) {
    strategy.add(forbidden(strategy.path.child("rollingUpdate"),
                           "may not be specified when strategy `type` is 'Recreate'"));
  }
}

/// The spec, or an empty one, so that what must be there is missed.
template <typename Visit>
void with_spec(const Scope& object, const Visit& visit) {
  static const json::Value nothing = json::Object();
  const json::Value* spec = object.find("spec");
  visit(object.at("spec", spec ? *spec : nothing));
}

void check_deployment(const Scope& object) {
  with_spec(object, [](const Scope& spec) {
    spec.non_negative("replicas");
    check_selector(spec, "empty selector is invalid for deployment");
    check_template(spec, "ReplicaSet");
    spec.with("strategy", check_deployment_strategy);
    for (std::string_view key :
         {"minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"}) {
      spec.non_negative(key);
    }
    const auto deadline = json::get_int(spec.value, "progressDeadlineSeconds");
    if (deadline && *deadline <= json::get_int(spec.value, "minReadySeconds").value_or(0)) {
      spec.add(invalid(spec.path.child("progressDeadlineSeconds"), *deadline,
                       "must be greater than minReadySeconds"));
    }
  });
}

void check_replica_set(const Scope& object) {
  with_spec(object, [](const Scope& spec) {
    spec.non_negative("replicas");
    spec.non_negative("minReadySeconds");
    check_selector(spec, "empty selector is invalid for deployment");
    check_template(spec, "ReplicaSet");
  });
}

void check_daemon_set(const Scope& object) {
  with_spec(object, [](const Scope& spec) {
    check_selector(spec, "empty selector is invalid for daemonset");
    check_template(spec, "DaemonSet");
    spec.non_negative("minReadySeconds");
    spec.non_negative("revisionHistoryLimit");
  });
}

void check_stateful_set(const Scope& object) {
  with_spec(object, [](const Scope& spec) {
    spec.one_of("podManagementPolicy", {"OrderedReady", "Parallel"});
    spec.non_negative("replicas");
    check_selector(spec, "empty selector is invalid for statefulset");
    spec.non_negative("minReadySeconds");
  });
}

void check_replication_controller(const Scope& object) {
  with_spec(object, [](const Scope& spec) {
    spec.non_negative("minReadySeconds");
    spec.non_negative("replicas");
    const json::Value* selector = spec.find("selector");
    if (!selector || !selector->is_object() || selector->get_object().empty()) {
      spec.add(required(spec.path.child("selector")));
    }
    if (!spec.has("template")) {
      spec.add(required(spec.path.child("template")));
      return;
    }
    check_labels_of(spec, "selector");
    check_matches_template(spec, LabelSelector::from_map(selector));
    check_template(spec, "ReplicationController");
  });
}

constexpr KindRules rules[] = {
    {"apps", "Deployment", check_dns1123_subdomain, check_deployment, check_selector_update},
    {"apps", "ReplicaSet", check_dns1123_subdomain, check_replica_set, check_selector_update},
    {"apps", "DaemonSet", check_dns1123_subdomain, check_daemon_set, check_selector_update},
    {"apps", "StatefulSet", check_dns1123_subdomain, check_stateful_set, check_selector_update},
    {"", "ReplicationController", check_dns1123_subdomain, check_replication_controller, nullptr},
};

}  // namespace

std::span<const KindRules> workload_rules() {
  return rules;
}

}  // namespace tripod::kube::validation
