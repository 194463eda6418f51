#include "firmware/apiserver/request_metrics.h"

#include <format>

namespace tripod::apiserver {

namespace {

std::vector<double> duration_bounds() {
  return {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1,  1.25, 1.5, 2,
          3,     4,     5,    6,   8,   10,  15,  20,  30, 45,   60};
}

std::string_view metric_verb(std::string_view verb) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"get", "GET"},       {"list", "LIST"},
      {"watch", "WATCH"},   {"create", "POST"},
      {"update", "PUT"},    {"patch", "PATCH"},
      {"delete", "DELETE"}, {"deletecollection", "DELETECOLLECTION"},
      {"post", "POST"},     {"put", "PUT"},
  };
  for (const auto& [from, to] : names) {
    if (from == verb) return to;
  }
  return "other";
}

}  // namespace

RequestMetrics::RequestMetrics(metrics::Registry& registry)
    : registry_(registry),
      mutating_(registry.gauge(
          "apiserver_current_inflight_requests",
          "Maximal number of currently used inflight request limit of this apiserver per "
          "request kind in last second.",
          {{"request_kind", "mutating"}})),
      read_only_(registry.gauge("apiserver_current_inflight_requests", {},
                                {{"request_kind", "readOnly"}})),
      watches_(registry.gauge("apiserver_longrunning_requests",
                              "Gauge of all active long-running apiserver requests.",
                              {{"component", "apiserver"}, {"verb", "WATCH"}})),
      dropped_(registry.counter("apiserver_request_terminations_total",
                                "Number of requests which apiserver terminated in self-defense.",
                                {{"code", "429"}, {"component", "apiserver"}})) {}

void RequestMetrics::observe(const RequestInfo& info, const Resource* row, int code,
                             Duration took) {
  const std::string_view verb = metric_verb(info.verb);
  const std::string_view subresource =
      row && info.subresource.size() < 20 ? std::string_view(info.subresource) : "";
  const std::string_view scope = row ? info.scope() : std::string_view();
  const std::string key =
      std::format("{} {} {} {}", verb, row ? row->storage_prefix : "", subresource, scope) +
      (row ? std::string(row->kind.group) : std::string());
  metrics::Labels labels{{"component", "apiserver"},
                         {"dry_run", ""},
                         {"group", row ? std::string(row->kind.group) : ""},
                         {"resource", row ? std::string(row->plural) : ""},
                         {"scope", std::string(scope)},
                         {"subresource", std::string(subresource)},
                         {"verb", std::string(verb)},
                         {"version", row ? std::string(row->kind.version) : ""}};
  metrics::Histogram*& duration = durations_[key];
  if (!duration) {
    duration = &registry_.histogram(
        "apiserver_request_duration_seconds",
        "Response latency distribution in seconds for each verb, dry run value, group, "
        "version, resource, subresource, scope and component.",
        duration_bounds(), labels);
  }
  if (verb != "WATCH") duration->observe(std::chrono::duration<double>(took).count());
  metrics::Counter*& total = totals_[std::format("{} {}", key, code)];
  if (!total) {
    labels.insert(labels.begin(), {"code", std::to_string(code)});
    total = &registry_.counter(
        "apiserver_request_total",
        "Counter of apiserver requests broken out for each verb, dry run value, group, "
        "version, resource, scope, component, and HTTP response code.",
        labels);
  }
  total->add();
}

}  // namespace tripod::apiserver
