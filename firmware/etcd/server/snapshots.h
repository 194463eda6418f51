#pragma once
// The snapshots that are being read from this member's state.db: for a member that lags, and for
// `snapshot save`. Each read is a job of the storage lane, so memory and the time that a
// checkpoint waits are bounded by one piece.
//
// Lives on the loop thread.

#include <functional>
#include <memory>
#include <vector>

#include "firmware/etcd/mvcc/state_db/state_snapshot.h"
#include "platform/async/task.h"
#include "platform/os/board.h"

namespace tripod::etcd {

class SnapshotStream {
 public:
  SnapshotStream(os::World world, SnapshotReader reader);

  /// The whole stream (state_snapshot.h).
  std::uint64_t size_bytes() const { return size_bytes_; }
  const SnapshotFacts& facts() const { return facts_; }
  /// As SnapshotReader::read(); one at a time. `closed` when the state is being replaced.
  Task<Result<Bytes>> read(std::size_t bytes_max);
  /// On the storage lane: lets go of the file.
  void close() { reader_->reset(); }

 private:
  os::World world_;
  std::shared_ptr<std::optional<SnapshotReader>> reader_;
  SnapshotFacts facts_;
  std::uint64_t size_bytes_;
};

class Snapshots {
 public:
  static constexpr std::size_t streams_max = 8;

  /// Makes what was applied part of the file; the WAL it may be in.
  using Commit = std::function<std::shared_ptr<sqlite::ScratchWal>()>;
  Snapshots(const os::World& world, std::string path, Commit commit);

  /// Of the state as it is now. `exhausted` when too many are read already, `unavailable` between
  /// hold() and release().
  Task<Result<std::shared_ptr<SnapshotStream>>> open();
  /// The file is to be replaced: closes what is read, and opens nothing more. Returns when nobody
  /// has it open.
  Task<void> hold();
  void release() { held_ = false; }

 private:
  os::World world_;
  std::string path_;
  Commit commit_;
  std::vector<std::shared_ptr<SnapshotStream>> open_streams();

  bool held_ = false;
  std::vector<std::weak_ptr<SnapshotStream>> streams_;
};

}  // namespace tripod::etcd
