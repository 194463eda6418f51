#pragma once
// What one etcd member is told at start. Fields carry the names of etcd's flags.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "firmware/etcd/raft/log_store/log_store.h"
#include "platform/async/task.h"
#include "platform/base/time.h"
#include "platform/os/network.h"

namespace tripod::etcd {

/// etcd's auto-compaction-mode and auto-compaction-retention.
struct AutoCompactionSetting {
  enum class Mode : std::uint8_t { periodic, revision };
  Mode mode = Mode::periodic;
  Duration period{};           // of periodic; zero: never
  std::int64_t revisions = 0;  // of revision; zero: never

  bool enabled() const { return mode == Mode::periodic ? period > Duration{} : revisions > 0; }
};

struct Options {
  std::string name = "default";
  std::string data_dir = "/var/lib/tripod/etcd";
  /// "a=https://10.0.0.1:2380,b=https://10.0.0.2:2380"; a name may come several times, with one URL
  /// each. Must name this member. Numeric addresses only. Counts when the data directory is empty;
  /// later the list of members is in there.
  std::string initial_cluster;
  std::string initial_cluster_token = "etcd-cluster";
  /// "new", or "existing": then the members in initial-cluster are asked who is in it (join.h).
  std::string initial_cluster_state = "new";
  /// For a quorum that is lost for ever: this member goes on alone with what it has.
  bool force_new_cluster = false;
  /// Refuses changes of the members that would leave no working majority.
  bool strict_reconfig_check = true;
  std::size_t max_learners = 1;
  std::vector<std::string> listen_peer_urls;
  std::vector<std::string> initial_advertise_peer_urls;
  std::vector<std::string> advertise_client_urls;
  Milliseconds heartbeat_interval{100};
  Milliseconds election_timeout{1000};
  std::size_t max_request_bytes = 1536 * 1024;
  std::size_t max_txn_ops = 128;
  /// A put, transaction or lease that may take state.db past it raises the NOSPACE alarm. 0: etcd's
  /// default; negative: no quota.
  std::int64_t quota_backend_bytes = 0;
  AutoCompactionSetting auto_compaction;
  /// How often the leader compares its data with the others'; zero: never.
  Duration corrupt_check_time{};
  /// How often an idle watch that asked for progress_notify hears of it.
  Duration watch_progress_notify_interval = std::chrono::minutes(10);

  /// A client's certificate names its user (its common name), when it shows no token.
  bool client_cert_auth = false;
  std::chrono::seconds auth_token_ttl{300};
  /// How dear a guess at a password is: 64 * 2^bcrypt_cost iterations (auth/README.md).
  unsigned bcrypt_cost = 10;

  // Not etcd's:

  /// Snapshots of the state as files of their own (server/upkeep/scheduled_snapshots.h); zero:
  /// none.
  Duration snapshot_interval{};
  std::size_t snapshot_retention = 5;
  std::string snapshot_dir;
  /// state.db commits at the latest this long after a change, or after so many bytes. The log holds
  /// what is lost.
  Duration state_commit_interval = std::chrono::seconds(30);
  std::size_t state_commit_bytes = 1024 * 1024;
  /// What a compaction does at most before others have their turn, in entries of the index or rows.
  std::size_t compaction_slice_work_max = 10'000;
  /// Entries that stay in the log behind the applied index, for members that were away; fewer when
  /// they are large. For followers that answer, only slowly, the leader keeps more of them.
  std::uint64_t log_entries_kept = 10'000;
  std::size_t log_bytes_kept = 4 * 1024 * 1024;
  std::size_t log_bytes_max = 64 * 1024 * 1024;
  raft::LogStoreOptions log_store;
  /// Once state.db-scratch holds more, writes wait for a moment so that it begins anew; it is moved
  /// into the file each time that half of it was written.
  std::size_t wal_bytes_max = 4 * 1024 * 1024;
  /// Writes are refused with NOSPACE while the disk has less than this left: about what raft.db's
  /// WAL may still grow by, where its blocks could not be reserved.
  std::uint64_t disk_reserve_bytes = 48 * 1024 * 1024;
};

/// How streams between members become TLS sessions with ALPN "tripod-raft/1", both sides proven by
/// certificates. Empty functions leave them plain, for tests.
struct PeerTls {
  using Secured = Task<Result<std::unique_ptr<os::Stream>>>;

  std::function<Secured(std::unique_ptr<os::Stream>)> accept;
  /// `host` is the address that the peer's certificate must name.
  std::function<Secured(std::unique_ptr<os::Stream>, std::string host)> connect;
};

}  // namespace tripod::etcd
