#pragma once
// A state.db as a stream of bytes, for a member that lags and for `snapshot save`: the pages of the
// database file in their order, then the SHA-256 of them all, as etcd ends its snapshots. A reader
// is a SQLite read transaction, so it shows one commit and does not stop writers; while it lives
// the WAL cannot start over, so it should not live long.
//
// Each object is used by one thread at a time (the storage lane).

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/etcd/mvcc/state_db/state_db.h"
#include "platform/base/sha256.h"
#include "platform/os/storage.h"
#include "platform/sqlite/database.h"

namespace tripod::etcd {

/// What a state.db stands for, in the terms of the log.
struct SnapshotFacts {
  ClusterId cluster = 0;
  std::uint64_t index = 0;  // of the last entry applied
  std::uint64_t term = 0;   // and its term
  std::uint64_t members_index = 0;
  std::vector<MemberId> voters;  // sorted
  std::vector<MemberId> learners;
};

class SnapshotReader {
 public:
  /// Of what was committed last to the state.db at `path`, which a StateDb has open with `scratch`.
  static Result<SnapshotReader> open(const std::string& path,
                                     std::shared_ptr<sqlite::ScratchWal> scratch);
  /// Of one that nobody has open.
  static Result<SnapshotReader> open(const std::string& path, const std::string& vfs);

  /// The whole stream, the digest included.
  std::uint64_t size_bytes() const { return size_bytes_; }
  /// As many whole pages as fit, at least one; then the digest, alone; then nothing.
  Result<Bytes> read(std::size_t bytes_max);

  const SnapshotFacts& facts() const { return facts_; }

 private:
  SnapshotReader() = default;
  static Result<SnapshotReader> open(const std::string& path, const sqlite::Options& options);

  std::unique_ptr<sqlite::Database> database_;
  sqlite::Statement pages_;  // dies before its database
  Sha256 hash_;
  SnapshotFacts facts_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
};

/// Makes a state.db that came from another member one's own: checks that it is whole and of
/// `wanted`, and writes down whose it is now and that it came as a snapshot. Durable on return,
/// without a WAL beside it.
Result<> adopt_snapshot(os::Storage& storage, const std::string& path, const SnapshotFacts& wanted,
                        MemberId self);

/// The snapshot that this state.db came as; nullopt when it grew here.
std::optional<SnapshotFacts> installed_snapshot(StateDb& db);

/// Removes the files that SQLite keeps beside the database at `path`.
Result<> remove_side_files(os::Storage& storage, const std::string& path);

/// Gives an adopted snapshot the name of the state.db at `path`, which nobody has open and whose
/// WAL is empty (StateDb::make_durable). The power may go at any point: the old one is there,
/// whole, or the new one.
Result<> put_in_place(os::Storage& storage, const std::string& adopted, const std::string& path);

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
