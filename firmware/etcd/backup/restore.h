#pragma once
// The data directory of one member of a new cluster, made from a snapshot (README.md says what is
// kept). Calls block. What fails leaves a directory that no member starts from by accident: the
// state comes under its own name only when it is whole.

#include <string>
#include <vector>

#include "firmware/etcd/backup/snapshot_file.h"

namespace tripod::etcd::backup {

/// Named as the flags of `etcdutl snapshot restore`.
struct RestoreOptions {
  std::string snapshot;
  std::string data_dir;
  std::string name = "default";
  std::string initial_cluster;
  std::string initial_cluster_token = "etcd-cluster";
  std::vector<std::string> initial_advertise_peer_urls;
  bool skip_hash_check = false;
  Revision bump_revision = 0;
  bool mark_compacted = false;
};

struct RestoreReport {
  ClusterId cluster = 0;
  MemberId member = 0;
  std::size_t members = 0;
  Revision revision = 0;
};

/// Fails with `invalid` or `exists` when the options cannot be meant, naming the flag and what
/// would be accepted, and with `corrupt` when the snapshot is not whole.
Result<RestoreReport> restore_snapshot(const Files& files, const RestoreOptions& options);

}  // namespace tripod::etcd::backup
