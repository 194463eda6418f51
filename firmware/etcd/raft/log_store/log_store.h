#pragma once
// raft.db: the durable log, hard state and configuration of one member, in one SQLite file
// (README.md has the tables). An append is one transaction with one fsync; what it returned from
// survives a power cut. Any error of append() means lost ground, and the caller stops the member:
// the file is never written again by this process.
//
// Used by one thread at a time: opened and recovered at start, then on the log lane.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/etcd/raft/actions.h"
#include "firmware/etcd/raft/recovered.h"
#include "firmware/etcd/raft/types.h"
#include "platform/base/result.h"

namespace tripod::etcd::raft {

/// Whose file it is.
struct Identity {
  std::uint64_t cluster = 0;
  NodeId member;
  std::function<std::string(NodeId)> name = {};  // of any member, for messages; "": not known
};

/// Sizes of the file.
struct LogStoreOptions {
  std::size_t segment_bytes = 512 * std::size_t{1024};  // compacted entries go in such portions
  int wal_pages = 48'000;                               // of 1 KiB; then comes a checkpoint
  /// A file of an earlier format stays one, and a new one becomes one, so that the release before
  /// can go on with it; otherwise it becomes one of today's format when it is opened.
  bool keep_format = false;
};

class LogStore {
 public:
  static constexpr std::int64_t newest_format = 2;

  /// Opens or creates `path`. Fails with invalid when the file belongs to another member or cluster
  /// or has an unknown format, corrupt when it contradicts itself, else with what SQLite says.
  /// `vfs`: os::Storage::vfs_name().
  static Result<LogStore> open(const std::string& path, const std::string& vfs, Identity identity,
                               const LogStoreOptions& options);
  LogStore(LogStore&&) noexcept;
  LogStore& operator=(LogStore&&) noexcept;
  ~LogStore();

  /// As the file has it since it was opened; and the one it had before.
  std::int64_t format() const;
  std::int64_t format_found() const;

  /// Whose file `path` is; nullopt when it was never founded. Fails as open() does.
  static Result<std::optional<Identity>> owner(const std::string& path, const std::string& vfs);

  /// As of open() or found(); append() does not change it.
  const Recovered& recovered() const;
  /// The configuration a new member starts with; durable on return. recovered() shows it
  /// afterwards.
  Result<> found(const ConfState& founding);
  /// In place of found(), for a founded log, before anything is appended: from now on only this
  /// takes part. Configuration entries that the log holds up to its index mean nothing any more.
  Result<> replace_configuration(const ConfState& configuration);

  /// All of the batch or nothing, durable on return. After an error nothing may be tried again.
  Result<> append(const PersistBatch& batch);
  /// Entries from first to last, cut off before `bytes_max` is exceeded, but at least one if it
  /// exists.
  Result<std::vector<Entry>> read(LogIndex first, LogIndex last, std::size_t bytes_max);
  /// Size of the database file, and the part that is free for reuse.
  Result<std::int64_t> size_bytes();
  Result<std::int64_t> free_bytes();

 private:
  struct Implementation;
  explicit LogStore(std::unique_ptr<Implementation> implementation);

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tripod::etcd::raft
