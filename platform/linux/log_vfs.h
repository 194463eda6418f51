#pragma once
// The SQLite VFS sqlite::log_vfs, for a database whose every commit is synced and which one
// connection uses: SQLite's own for everything, but the write-ahead log is a SectorFile where the
// file system can have one. C callbacks of a few lines around it.
//
// Used by any thread; registered for as long as it lives.

#include <cstdint>
#include <memory>

struct sqlite3_vfs;

namespace tripod::linux_os {

class LogVfs {
 public:
  /// Of each log, from the start: what 48,000 pages of a kilobyte are in a WAL, and a transaction
  /// of four MiB that crosses that mark. Less where the disk is small; what is written behind it
  /// is cut off when the log begins anew.
  static constexpr std::uint64_t reserved_bytes = 53 * 1024 * 1024;

  LogVfs();
  /// No database of it is open any more.
  ~LogVfs();
  LogVfs(const LogVfs&) = delete;
  LogVfs& operator=(const LogVfs&) = delete;

 private:
  std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace tripod::linux_os
