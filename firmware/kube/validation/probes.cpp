// Probes and lifecycle handlers.

#include <format>

#include "firmware/kube/validation/rules.h"

namespace tripod::kube::validation {

namespace {

/// Exactly one of the handlers, and what it needs.
void check_handler(const Scope& handler, std::initializer_list<std::string_view> kinds) {
  bool one = false;
  for (std::string_view kind : kinds) {
    if (!handler.has(kind)) continue;
    if (one)
      handler.add(forbidden(handler.path.child(kind), "may not specify more than 1 handler type"));
    one = true;
  }
  if (!one) handler.add(required(handler.path, "must specify a handler type"));
  handler.with("exec", [](const Scope& action) {
    const json::Array* command = json::get_array(action.value, "command");
    if (!command || command->empty()) action.add(required(action.path.child("command")));
  });
  handler.with("httpGet", [](const Scope& action) {
    action.require("path");
    check_port(action, "port");
    action.one_of("scheme", {"HTTP", "HTTPS"});
    action.each("httpHeaders", [](const Scope& header, std::size_t) { header.require("name"); });
  });
  handler.with("tcpSocket", [](const Scope& action) { check_port(action, "port"); });
  handler.with("grpc", [](const Scope& action) { check_port(action, "port"); });
}

void check_probe(const Scope& container, std::string_view key, bool once) {
  container.with(key, [once](const Scope& probe) {
    check_handler(probe, {"exec", "httpGet", "tcpSocket", "grpc"});
    for (std::string_view field : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                                   "successThreshold", "failureThreshold"}) {
      probe.non_negative(field);
    }
    const auto successes = json::get_int(probe.value, "successThreshold").value_or(1);
    if (once && successes != 1)
      probe.add(invalid(probe.path.child("successThreshold"), successes, "must be 1"));
    const auto grace = json::get_int(probe.value, "terminationGracePeriodSeconds");
    if (grace && *grace <= 0) {
      probe.add(invalid(probe.path.child("terminationGracePeriodSeconds"), *grace,
                        "must be greater than 0"));
    }
  });
}

}  // namespace

void check_probes(const Scope& container, bool init) {
  if (init && container.text("restartPolicy") != "Always") {
    for (std::string_view key : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}) {
      if (container.has(key)) {
        container.add(forbidden(container.path.child(key),
                                "may not be set for init containers without restartPolicy=Always"));
      }
    }
    return;
  }
  check_probe(container, "livenessProbe", true);
  check_probe(container, "readinessProbe", false);
  check_probe(container, "startupProbe", true);
  container.with("lifecycle", [](const Scope& lifecycle) {
    for (std::string_view key : {"postStart", "preStop"}) {
      lifecycle.with(key, [](const Scope& hook) {
        check_handler(hook, {"exec", "httpGet", "tcpSocket", "sleep"});
      });
    }
  });
}

}  // namespace tripod::kube::validation
