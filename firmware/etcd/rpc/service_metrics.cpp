#include "firmware/etcd/rpc/service_metrics.h"

#include "firmware/etcd/version.h"

namespace tripod::etcd::rpc {

ServiceMetrics::ServiceMetrics(Member& member)
    : member_(member),
      registry_(member.metrics()),
      health_good_(registry_.counter("etcd_server_health_success",
                                     "The total number of successful health checks")),
      health_bad_(registry_.counter("etcd_server_health_failures",
                                    "The total number of failed health checks")) {
  registry_
      .gauge("etcd_server_version",
             "Which version is running. 1 for 'server_version' label with current version.",
             {{"server_version", std::string(server_version)}})
      .set(1);
  registry_
      .gauge("etcd_cluster_version",
             "Which version is running. 1 for 'cluster_version' label with current cluster version",
             {{"cluster_version", std::string(cluster_version)}})
      .set(1);
  // Of the watch streams (watch_stream.h), from the start.
  registry_.gauge("etcd_debugging_mvcc_watch_stream_total", "Total number of watch streams.");
  registry_.counter("etcd_debugging_mvcc_events_total",
                    "Total number of events sent by this member.");
  registry_.on_collect([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) collect();
  });
}

void ServiceMetrics::collect() {
  const auto status = member_.status();
  if (!status) return;
  registry_.gauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.")
      .set(static_cast<double>(status->db_size_quota));
  registry_
      .gauge("etcd_server_is_learner",
             "Whether or not this member is a learner. 1 if is, 0 otherwise.")
      .set(status->is_learner ? 1 : 0);
}

void ServiceMetrics::count_health(bool good) {
  (good ? health_good_ : health_bad_).add();
}

void ServiceMetrics::count_check(const std::string& type, const std::string& name, bool good) {
  registry_
      .gauge("etcd_server_healthcheck", "The result of each kind of healthcheck.",
             {{"type", type}, {"name", name}})
      .set(good ? 1 : 0);
  registry_
      .counter("etcd_server_healthchecks_total", "The total number of each kind of healthcheck.",
               {{"type", type}, {"name", name}, {"status", good ? "success" : "error"}})
      .add();
}

}  // namespace tripod::etcd::rpc
