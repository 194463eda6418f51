#pragma once
// A snapshot file as it lies on a disk: whether it is whole, and what is in it. Calls block.

#include <string>

#include "firmware/etcd/api/messages.h"
#include "platform/os/file_reader.h"
#include "platform/os/storage.h"
#include "platform/sqlite/database.h"

namespace tripod::etcd::backup {

/// As `etcdutl snapshot status` reports.
struct SnapshotStatus {
  std::uint32_t hash = 0;  // CRC-32C of what the state holds, whoever's it is
  Revision revision = 0;
  std::int64_t total_keys = 0;  // revisions of keys, as etcdutl counts
  std::int64_t total_size = 0;  // of the file
  std::string version;          // of the storage
};

/// Where snapshots lie.
struct Files {
  os::Storage& storage;
  os::OpenFile open;
};

enum class HashCheck : std::uint8_t { required, skipped };

/// Copies what is before the digest to `copy`, if one is given, and checks the digest. Fails with
/// `corrupt` when that does not match, with `invalid` for a file that is no snapshot of this kind.
/// Skipped: a state.db without a digest is taken, too.
Result<> read_snapshot(const Files& files, const std::string& path, HashCheck check,
                       os::FileWriter* copy);

Result<SnapshotStatus> snapshot_status(const Files& files, const std::string& path);

/// The newest revision in a state.db.
Result<Revision> newest_revision(sqlite::Database& state);

}  // namespace tripod::etcd::backup
