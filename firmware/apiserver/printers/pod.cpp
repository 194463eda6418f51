#include <algorithm>
#include <format>

#include "firmware/apiserver/printers/format.h"
#include "firmware/apiserver/printers/printers.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver::printers {

namespace {

/// What the statuses of a pod's containers add up to.
struct Summary {
  std::string reason;
  std::int64_t restarts = 0;
  std::int64_t ready = 0;
  std::int64_t total = 0;
  std::string_view last_restart;  // RFC 3339 in UTC: compares as text
  bool initializing = false;
};

bool is_sidecar(const json::Value& container) {
  return json::get_string(container, "restartPolicy") == "Always";
}

const json::Value* named(const json::Array* containers, std::string_view name) {
  if (!containers) return nullptr;
  for (const json::Value& container : *containers) {
    if (json::get_string(container, "name") == name) return &container;
  }
  return nullptr;
}

std::string terminated_text(const json::Value& terminated) {
  const std::string_view reason = json::get_string(terminated, "reason");
  if (!reason.empty()) return std::string(reason);
  const auto signal = json::get_int(terminated, "signal").value_or(0);
  if (signal != 0) return std::format("Signal:{}", signal);
  return std::format("ExitCode:{}", json::get_int(terminated, "exitCode").value_or(0));
}

void note_restarts(const json::Value& status, Summary& sum) {
  sum.restarts += json::get_int(status, "restartCount").value_or(0);
  sum.last_restart =
      std::max(sum.last_restart, json::get_string(status, "lastState", "terminated", "finishedAt"));
}

/// False ends the loop: this init container is what the pod waits for.
bool add_init_status(const json::Value& status, bool sidecar, std::size_t index, std::size_t count,
                     Summary& sum) {
  note_restarts(status, sum);
  const json::Value* terminated = json::find(status, "state", "terminated");
  const std::string_view waiting = json::get_string(status, "state", "waiting", "reason");
  if (terminated && json::get_int(*terminated, "exitCode").value_or(0) == 0) return true;
  if (sidecar && json::get_bool(status, "started")) {
    if (json::get_bool(status, "ready")) ++sum.ready;
    return true;
  }
  if (terminated) {
    sum.reason = "Init:" + terminated_text(*terminated);
  } else if (!waiting.empty() && waiting != "PodInitializing") {
    sum.reason = std::format("Init:{}", waiting);
  } else {
    sum.reason = std::format("Init:{}/{}", index, count);
  }
  sum.initializing = true;
  return false;
}

void add_init_statuses(const json::Value& object, Summary& sum) {
  const json::Array* specs = json::get_array(object, "spec", "initContainers");
  if (!specs) return;
  sum.total += std::ranges::count_if(*specs, is_sidecar);
  const json::Array* statuses = json::get_array(object, "status", "initContainerStatuses");
  if (!statuses) return;
  for (std::size_t i = 0; i < statuses->size(); ++i) {
    const json::Value& status = (*statuses)[i];
    const json::Value* spec = named(specs, json::get_string(status, "name"));
    if (!add_init_status(status, spec && is_sidecar(*spec), i, specs->size(), sum)) break;
  }
}

void add_statuses(const json::Value& object, Summary& sum) {
  const json::Array* statuses = json::get_array(object, "status", "containerStatuses");
  if (!statuses) return;
  bool has_running = false;
  for (auto at = statuses->rbegin(); at != statuses->rend(); ++at) {
    note_restarts(*at, sum);
    const std::string_view waiting = json::get_string(*at, "state", "waiting", "reason");
    const json::Value* terminated = json::find(*at, "state", "terminated");
    if (!waiting.empty()) {
      sum.reason = waiting;
    } else if (terminated) {
      sum.reason = terminated_text(*terminated);
    } else if (json::get_bool(*at, "ready") && json::find(*at, "state", "running")) {
      has_running = true;
      ++sum.ready;
    }
  }
  if (sum.reason == "Completed" && has_running)
    sum.reason = kube::is_pod_ready(object) ? "Running" : "NotReady";
}

Summary summarize(const json::Value& object) {
  Summary sum;
  sum.reason = json::get_string(object, "status", "phase");
  const std::string_view why = json::get_string(object, "status", "reason");
  if (!why.empty()) sum.reason = why;
  if (const json::Value* scheduled = kube::condition(object, "PodScheduled")) {
    if (json::get_string(*scheduled, "reason") == "SchedulingGated") sum.reason = "SchedulingGated";
  }
  sum.total = static_cast<std::int64_t>(size_of(json::get_array(object, "spec", "containers")));
  add_init_statuses(object, sum);
  if (!sum.initializing || kube::condition_status(object, "Initialized") == "True") {
    if (!sum.initializing) sum.restarts = 0;
    add_statuses(object, sum);
  }
  if (kube::is_deleting(object)) {
    if (why == "NodeLost") {
      sum.reason = "Unknown";
    } else if (!kube::is_pod_finished(object)) {
      sum.reason = "Terminating";
    }
  }
  return sum;
}

std::string gates_text(const json::Value& object) {
  const json::Array* gates = json::get_array(object, "spec", "readinessGates");
  if (size_of(gates) == 0) return std::string(none_text);
  const auto passed = std::ranges::count_if(*gates, [&](const json::Value& gate) {
    return kube::condition_status(object, json::get_string(gate, "conditionType")) == "True";
  });
  return std::format("{}/{}", passed, gates->size());
}

}  // namespace

void pod(const json::Value& object, WallTime now, json::Array& out) {
  const Summary sum = summarize(object);
  std::string restarts = std::to_string(sum.restarts);
  if (sum.restarts != 0 && !sum.last_restart.empty()) {
    restarts += std::format(" ({} ago)", since(sum.last_restart, now));
  }
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(std::format("{}/{}", sum.ready, sum.total)));
  out.push_back(text_cell(sum.reason));
  out.push_back(text_cell(restarts));
  out.push_back(text_cell(age(object, now)));
  out.push_back(text_cell(or_none(json::get_string(object, "status", "podIP"))));
  out.push_back(text_cell(or_none(json::get_string(object, "spec", "nodeName"))));
  out.push_back(text_cell(or_none(json::get_string(object, "status", "nominatedNodeName"))));
  out.push_back(text_cell(gates_text(object)));
}

}  // namespace tripod::apiserver::printers
