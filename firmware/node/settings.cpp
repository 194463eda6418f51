#include "firmware/node/settings.h"

#include <algorithm>

namespace tripod::node {
namespace {

std::vector<std::string> texts(const std::vector<ini::Url>& urls) {
  std::vector<std::string> out;
  for (const ini::Url& url : urls) out.push_back(url.to_string());
  return out;
}

election::Config election_options(const Config& config, std::string_view section,
                                  os::Entropy& entropy) {
  const ini::Values& values = config.values;
  return {
      .leader_elect = values.boolean(section, "leader-elect"),
      .lease_duration = values.duration(section, "leader-elect-lease-duration"),
      .renew_deadline = values.duration(section, "leader-elect-renew-deadline"),
      .retry_period = values.duration(section, "leader-elect-retry-period"),
      .resource_lock = values.text(section, "leader-elect-resource-lock") == "endpoints"
                           ? election::Lock::endpoints
                           : election::Lock::leases,
      .resource_namespace = values.text(section, "leader-elect-resource-namespace"),
      .resource_name = values.text(section, "leader-elect-resource-name"),
      .identity = election::make_identity(config.name, entropy),
  };
}

}  // namespace

etcd::Options etcd_options(const Config& config) {
  const ini::Values& values = config.values;
  etcd::Options options;
  options.name = values.text("etcd", "name");
  options.data_dir = etcd_data_dir(config);
  options.initial_cluster =
      config.joins() ? config.joined_cluster : values.text("etcd", "initial-cluster");
  options.initial_cluster_token = values.text("etcd", "initial-cluster-token");
  options.initial_cluster_state =
      config.joins() ? "existing" : values.text("etcd", "initial-cluster-state");
  options.force_new_cluster = values.boolean("etcd", "force-new-cluster");
  options.strict_reconfig_check = values.boolean("etcd", "strict-reconfig-check");
  options.max_learners = static_cast<std::size_t>(values.integer("etcd", "max-learners"));
  options.log_entries_kept =
      static_cast<std::uint64_t>(values.integer("etcd", "snapshot-catchup-entries"));
  options.listen_peer_urls = texts(values.urls("etcd", "listen-peer-urls"));
  options.initial_advertise_peer_urls = texts(values.urls("etcd", "initial-advertise-peer-urls"));
  options.advertise_client_urls = texts(values.urls("etcd", "advertise-client-urls"));
  options.watch_progress_notify_interval =
      values.duration("etcd", "watch-progress-notify-interval");
  options.heartbeat_interval = Milliseconds(values.integer("etcd", "heartbeat-interval"));
  options.election_timeout = Milliseconds(values.integer("etcd", "election-timeout"));
  options.quota_backend_bytes = values.integer("etcd", "quota-backend-bytes");
  options.corrupt_check_time = std::max(values.duration("etcd", "corrupt-check-time"),
                                        values.duration("etcd", "experimental-corrupt-check-time"));
  options.snapshot_interval = values.duration("etcd", "snapshot-interval");
  options.snapshot_retention =
      static_cast<std::size_t>(values.integer("etcd", "snapshot-retention"));
  options.snapshot_dir = values.text("etcd", "snapshot-dir");
  if (options.snapshot_dir.empty()) options.snapshot_dir = config.data_dir + "/snapshots";
  auto compaction = parse_auto_compaction(values.text("etcd", "auto-compaction-mode"),
                                          values.text("etcd", "auto-compaction-retention"));
  CHECK(compaction.has_value(), "load_config() has read it");
  options.auto_compaction = {.mode = compaction->by_revision
                                         ? etcd::AutoCompactionSetting::Mode::revision
                                         : etcd::AutoCompactionSetting::Mode::periodic,
                             .period = compaction->period,
                             .revisions = compaction->revisions};
  options.client_cert_auth = values.boolean("etcd", "client-cert-auth");
  options.auth_token_ttl = std::chrono::seconds(values.integer("etcd", "auth-token-ttl"));
  options.bcrypt_cost = static_cast<unsigned>(values.integer("etcd", "bcrypt-cost"));
  options.log_store.keep_format = config.on_trial;
  return options;
}

etcd::RemoteOptions etcd_remote_options(const Config& config, os::Entropy& entropy,
                                        decltype(etcd::RemoteOptions::tls) tls) {
  etcd::RemoteOptions options;
  for (const std::string& text : config.values.list("apiserver", "etcd-servers")) {
    auto server = parse_endpoint(text);
    CHECK(server.has_value(), "load_config() has read them");
    options.endpoints.push_back({std::move(server->host), server->port, server->tls});
  }
  options.first = entropy.next() % options.endpoints.size();  // boards spread over the members
  options.tls = std::move(tls);
  options.prefix = config.values.text("apiserver", "etcd-prefix");
  // Compaction keeps at least its interval of history; a watch has to resume from within.
  options.progress_interval =
      std::min(options.progress_interval,
               config.values.duration("apiserver", "etcd-compaction-interval") / 3);
  return options;
}

apiserver::Options apiserver_options(const Config& config) {
  const ini::Values& values = config.values;
  apiserver::Options options;
  options.advertise_address = values.text("apiserver", "bind-address");
  options.secure_port = static_cast<std::uint16_t>(values.integer("apiserver", "secure-port"));
  options.etcd_compaction_interval = values.duration("apiserver", "etcd-compaction-interval");
  options.service_cluster_ip_range = values.text("apiserver", "service-cluster-ip-range");
  return options;
}

controllers::Config controller_options(const Config& config, os::Entropy& entropy,
                                       std::string root_ca_pem) {
  controllers::Config options;
  options.leader_election = election_options(config, "controller-manager", entropy);
  options.node_monitor_period = config.values.duration("controller-manager", "node-monitor-period");
  options.node_monitor_grace_period =
      config.values.duration("controller-manager", "node-monitor-grace-period");
  options.root_ca_pem = std::move(root_ca_pem);
  return options;
}

scheduler::Config scheduler_options(const Config& config, os::Entropy& entropy) {
  scheduler::Config options;
  options.leader_election = election_options(config, "scheduler", entropy);
  return options;
}

balancer::Options balancer_options(const Config& config) {
  const ini::Values& values = config.values;
  balancer::Options options;
  options.listen = values.address("balancer", "listen");
  options.backends = values.addresses("balancer", "backends");
  options.health = {static_cast<int>(values.integer("balancer", "health-check-rise")),
                    static_cast<int>(values.integer("balancer", "health-check-fall"))};
  options.health_check_interval = values.duration("balancer", "health-check-interval");
  options.health_check_timeout = values.duration("balancer", "health-check-timeout");
  options.drain_timeout = values.duration("balancer", "drain-timeout");
  options.max_connections = static_cast<std::size_t>(values.integer("balancer", "max-connections"));
  return options;
}

}  // namespace tripod::node
