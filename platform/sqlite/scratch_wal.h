#pragma once
// A write-ahead log that need not last, for a database whose latest commits somebody else can make
// again (the rows of a state machine, out of its log).
//
// SQLite writes every page twice: into the WAL, which is synced before a checkpoint, and into the
// database file. Here the WAL (PATH-scratch) is never synced and is forgotten by the next open().
// What makes a checkpoint whole or undone is PATH-undo: the old content of the pages that the
// checkpoint is about to overwrite, synced before the first of them is touched. Pages behind the
// end of the file have no old content, so a database that grows at its end writes its rows once.
//
// After a crash the database is as the last whole checkpoint left it: Database::checkpoint() with
// all of the pages moved is what makes commits last; COMMIT alone does not.
//
// The undo file is batches, one behind the other, numbers little-endian:
//   8 magic | 4 page bytes | 4 place of the batch, from 0 | 4 pages | 4 zero | 8 generation |
//   8 pages that the file had | 8 checksum | 4 the number of each page | each page
// Batches of one generation count, up to the first that is not whole. A first one that is not whole
// means that there is nothing to undo.
//
// Any thread; several connections of one process at a time, no second process.

#include <memory>
#include <string>

#include "platform/base/result.h"

namespace tripod::sqlite {

class ScratchWal {
 public:
  /// Undoes a checkpoint that was broken off, drops what was in the WAL, and stands ready for
  /// connections to the database at `path`, which nobody has open. A WAL of SQLite's own
  /// (PATH-wal) is moved into the file first. `vfs`: of the files, as Options::vfs.
  static Result<std::shared_ptr<ScratchWal>> open(const std::string& path, const std::string& vfs);
  /// No connection is open any more.
  ~ScratchWal();
  ScratchWal(const ScratchWal&) = delete;
  ScratchWal& operator=(const ScratchWal&) = delete;

  /// The VFS for connections to this database, and to no other.
  const std::string& vfs_name() const;

  /// Around SQLite's checkpoint, by Database::checkpoint(). `frames`: how many the WAL had, all of
  /// them moved; durable on return.
  void checkpoint_begins();
  Result<> checkpoint_is_whole(int frames);

  struct State;

 private:
  explicit ScratchWal(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

/// What may lie beside a database file, by what is added to its name.
inline constexpr std::string_view side_file_suffixes[] = {"-wal", "-shm", "-scratch", "-undo"};

}  // namespace tripod::sqlite
