#pragma once
// Files and the lanes that keep slow work off the loop.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/bytes.h"
#include "platform/base/result.h"
#include "platform/os/clock.h"

namespace tripod::os {

/// An ordered queue of work beside the loop: one job at a time, in the order given. `work` runs off
/// the loop thread and shares no state with it; `done` runs on the loop thread afterwards. The
/// simulator runs both on one thread.
class Lane {
 public:
  virtual ~Lane() = default;
  virtual void run(Callback work, Callback done) = 0;
  /// What was given to run() may wait for the end of the loop's turn. It need not any more: what
  /// follows in this turn takes long.
  virtual void begin_now() = 0;
};

/// A file written from its beginning on. Destroying it closes it, synced or not.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  virtual Result<> append(BytesView content) = 0;
  /// What was written survives a power cut once this returned.
  virtual Result<> sync() = 0;
};

/// Small whole files (configuration, keys) and the file system that SQLite writes through.
/// Calls block; they are for start-up and for lanes.
class Storage {
 public:
  virtual ~Storage() = default;
  /// The name of the SQLite VFS to open databases with; empty means SQLite's default.
  virtual std::string vfs_name() const = 0;

  virtual Result<Bytes> read_file(const std::string& path, std::size_t bytes_max) = 0;
  /// Writes beside the target, syncs, renames: the old or the new content, never half of one.
  virtual Result<> replace_file(const std::string& path, BytesView content, unsigned mode) = 0;
  /// Creates or empties `path`; for what is too large to hold in memory.
  virtual Result<std::unique_ptr<FileWriter>> create_file(const std::string& path,
                                                          unsigned mode) = 0;
  /// Gives a synced file another name, in place of what had it; survives a power cut on return.
  virtual Result<> rename_file(const std::string& from, const std::string& to) = 0;
  virtual Result<> make_directories(const std::string& path, unsigned mode) = 0;
  virtual Result<> remove_file(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  /// Names in a directory, sorted.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  /// Free bytes on the file system that holds `path`.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

}  // namespace tripod::os
