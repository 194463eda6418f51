#pragma once
// The configuration of one board: every key that tripod.ini may hold, and what the file as a whole
// must satisfy. Keys carry upstream's flag names (etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler).

#include <span>
#include <string>
#include <vector>

#include "platform/ini/schema.h"

namespace tripod::node {

/// Every key with its type, default and bounds.
std::span<const ini::Key> config_keys();

enum class Role : std::uint8_t { etcd, apiserver, controller_manager, scheduler, balancer };

struct Config {
  ini::Values values;
  std::vector<Role> roles;
  std::string name;      // of the board
  std::string data_dir;  //
  /// As [etcd] initial-cluster, from the cluster that this board joins; empty: its files know.
  std::string joined_cluster;
  /// The board's boot slot is on trial: the release before may have to go on with the files.
  bool on_trial = false;

  bool has(Role role) const;
  /// Gets its certificates and its place from a cluster that runs.
  bool joins() const { return !values.text("node", "join").empty(); }
  /// The API server's store is a cluster elsewhere, not the member of this board.
  bool external_etcd() const { return has(Role::apiserver) && !has(Role::etcd); }
};

/// [etcd] data-dir, or the folder etcd in [node] data-dir.
std::string etcd_data_dir(const Config& config);

/// One of [apiserver] etcd-servers: a host by name or address.
struct EtcdServer {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
};
Result<EtcdServer> parse_endpoint(std::string_view text);

/// [etcd] auto-compaction-mode and auto-compaction-retention; zero: never.
struct AutoCompaction {
  bool by_revision = false;
  std::chrono::milliseconds period{0};
  std::int64_t revisions = 0;
};
/// "periodic" with "10m" or a bare number of hours, "revision" with a number of revisions.
Result<AutoCompaction> parse_auto_compaction(std::string_view mode, std::string_view retention);

/// Reads `text` (of `file`) and `--section.key=value` arguments, and checks what one key alone
/// cannot tell: contradicting sections, a timing that cannot work, certificates without their keys.
/// Fails with one line per problem.
Result<Config> load_config(BytesView text, const std::string& file,
                           std::span<const std::string> arguments);

}  // namespace tripod::node
