// Where a pod may run: tolerations, affinity, spreading.

#include "firmware/kube/validation/rules.h"

namespace tripod::kube::validation {

namespace {

void check_toleration(const Scope& toleration) {
  const std::string_view key = toleration.text("key");
  const std::string_view op = toleration.text("operator");
  if (!key.empty()) toleration.check("key", check_qualified_name(key));
  if (key.empty() && op != "Exists") {
    toleration.add(invalid(
        toleration.path.child("operator"), op,
        "operator must be Exists when `key` is empty, which means \"match all values and all "
        "keys\""));
  }
  if (toleration.has("tolerationSeconds") && toleration.text("effect") != "NoExecute") {
    toleration.add(invalid(toleration.path.child("effect"), toleration.text("effect"),
                           "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  }
  if (op.empty() || op == "Equal") {
    if (const std::string complaint = join(check_label_value(toleration.text("value")));
        !complaint.empty()) {
      toleration.add(
          invalid(toleration.path.child("operator"), toleration.text("value"), complaint));
    }
  } else if (op == "Exists") {
    if (!toleration.text("value").empty()) {
      toleration.add(invalid(toleration.path.child("operator"), toleration.value,
                             "value must be empty when `operator` is 'Exists'"));
    }
  } else {
    toleration.add(not_supported(toleration.path.child("operator"), op, {"Equal", "Exists"}));
  }
  toleration.one_of("effect", {"NoSchedule", "PreferNoSchedule", "NoExecute"});
}

void check_node_requirement(const Scope& expression) {
  const std::string_view op = expression.text("operator");
  const json::Array* values = json::get_array(expression.value, "values");
  const std::size_t count = values ? values->size() : 0;
  const FieldPath path = expression.path.child("values");
  if (op == "In" || op == "NotIn") {
    if (count == 0)
      expression.add(required(path, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (count > 0) {
      expression.add(
          forbidden(path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  } else if (op == "Gt" || op == "Lt") {
    if (count != 1)
      expression.add(
          required(path, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else {
    expression.add(invalid(expression.path.child("operator"), op, "not a valid selector operator"));
  }
  expression.check("key", check_qualified_name(expression.text("key")));
}

void check_node_term(const Scope& term) {
  term.each("matchExpressions",
            [](const Scope& expression, std::size_t) { check_node_requirement(expression); });
}

void check_weight(const Scope& weighted) {
  const auto weight = json::get_int(weighted.value, "weight").value_or(0);
  if (weight < 1 || weight > 100) {
    weighted.add(invalid(weighted.path.child("weight"), weight, "must be in the range 1-100"));
  }
}

void check_node_affinity(const Scope& affinity) {
  affinity.with("requiredDuringSchedulingIgnoredDuringExecution", [](const Scope& selector) {
    const json::Array* terms = json::get_array(selector.value, "nodeSelectorTerms");
    if (!terms || terms->empty()) {
      selector.add(required(selector.path.child("nodeSelectorTerms"),
                            "must have at least one node selector term"));
    }
    selector.each("nodeSelectorTerms",
                  [](const Scope& term, std::size_t) { check_node_term(term); });
  });
  affinity.each("preferredDuringSchedulingIgnoredDuringExecution",
                [](const Scope& weighted, std::size_t) {
                  check_weight(weighted);
                  weighted.with("preference", check_node_term);
                });
}

void check_pod_term(const Scope& term) {
  validate_label_selector(term.find("labelSelector"), term.path.child("labelSelector"),
                          term.errors);
  if (term.require("topologyKey", "can not be empty")) {
    term.check("topologyKey", check_qualified_name(term.text("topologyKey")));
  }
}

void check_pod_affinity(const Scope& affinity) {
  affinity.each("requiredDuringSchedulingIgnoredDuringExecution",
                [](const Scope& term, std::size_t) { check_pod_term(term); });
  affinity.each("preferredDuringSchedulingIgnoredDuringExecution",
                [](const Scope& weighted, std::size_t) {
                  check_weight(weighted);
                  weighted.with("podAffinityTerm", check_pod_term);
                });
}

void check_spread(const Scope& constraint) {
  const auto skew = json::get_int(constraint.value, "maxSkew").value_or(0);
  if (skew <= 0)
    constraint.add(invalid(constraint.path.child("maxSkew"), skew, "must be greater than zero"));
  if (constraint.require("topologyKey", "can not be empty")) {
    constraint.check("topologyKey", check_qualified_name(constraint.text("topologyKey")));
  }
  if (constraint.require("whenUnsatisfiable")) {
    constraint.one_of("whenUnsatisfiable", {"DoNotSchedule", "ScheduleAnyway"});
  }
  validate_label_selector(constraint.find("labelSelector"), constraint.path.child("labelSelector"),
                          constraint.errors);
}

}  // namespace

void check_scheduling(const Scope& spec) {
  check_labels_of(spec, "nodeSelector");
  spec.each("tolerations",
            [](const Scope& toleration, std::size_t) { check_toleration(toleration); });
  spec.with("affinity", [](const Scope& affinity) {
    affinity.with("nodeAffinity", check_node_affinity);
    affinity.with("podAffinity", check_pod_affinity);
    affinity.with("podAntiAffinity", check_pod_affinity);
  });
  spec.each("topologySpreadConstraints",
            [](const Scope& constraint, std::size_t) { check_spread(constraint); });
}

}  // namespace tripod::kube::validation
