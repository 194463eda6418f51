#pragma once
// A state.db as a stream of bytes, for a member that lags and for `snapshot save`: the pages of the
// database file in their order, then the SHA-256 of them all, as etcd ends its snapshots. A reader
// is a SQLite read transaction, so it shows one commit and does not stop writers; while it lives
// the WAL cannot start over, so it should not live long.
//
// Each object is used by one thread at a time (the storage lane).

#include <memory>
#include <string>

#include "platform/base/sha256.h"
#include "platform/os/storage.h"
#include "platform/sqlite/database.h"

namespace tripod::etcd {

class SnapshotReader {
 public:
  /// Of what was committed to the state.db at `path` last.
  static Result<SnapshotReader> open(const std::string& path, const std::string& vfs);

  /// The whole stream, the digest included.
  std::uint64_t size_bytes() const { return size_bytes_; }
  /// As many whole pages as fit, at least one; then the digest, alone; then nothing.
  Result<Bytes> read(std::size_t bytes_max);

  sqlite::Database& database() { return *database_; }

 private:
  SnapshotReader() = default;

  std::unique_ptr<sqlite::Database> database_;
  sqlite::Statement pages_;  // dies before its database
  Sha256 hash_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
};

/// Takes such a stream into a file.
class SnapshotWriter {
 public:
  static Result<SnapshotWriter> create(os::Storage& storage, const std::string& path);

  /// Pages, in order.
  Result<> append(BytesView pages);
  /// The end of the stream: `corrupt` unless it is the digest of what came. The file is durable
  /// afterwards.
  Result<> finish(BytesView digest);

 private:
  std::unique_ptr<os::FileWriter> file_;
  Sha256 hash_;
};

}  // namespace tripod::etcd
