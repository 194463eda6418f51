#pragma once
// A file written in whole sectors past the page cache, for a log whose every record is synced. The
// page cache writes at least a page (4 KiB) per sync, this at most what was written and the sectors
// at its ends; on flash that is a third to a quarter for records of a kilobyte.
//
// Made for a log that is written forward and begins again at 0 when it has been emptied (SQLite's
// WAL): what lies behind the last record of this round is dead and may be overwritten. The file
// keeps its reserved blocks when it is emptied, so that a sync has no block list to write either.
//
// Used by one thread at a time. Calls block.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "platform/base/bytes.h"
#include "platform/base/result.h"

namespace tripod::linux_os {

class SectorFile {
 public:
  /// Memory held for what is not written yet; more is written at once.
  static constexpr std::size_t window_bytes_max = 64 * 1024;

  /// Opens or creates `path`, and fills it with zeros up to `reserved_bytes`: to less on a disk
  /// where that is more than a quarter of what is free or the file's already. Fails with
  /// unsupported where the file system has no direct I/O; the file may exist then.
  static Result<std::unique_ptr<SectorFile>> open(const std::string& path,
                                                  std::uint64_t reserved_bytes);
  /// Writes what is not written yet; does not sync.
  ~SectorFile();
  SectorFile(const SectorFile&) = delete;
  SectorFile& operator=(const SectorFile&) = delete;

  /// In memory until sync(), unless it is much. After an error, what was written since the last
  /// sync() is lost, and the file is as if it had never been written or half of it had.
  Result<> write(std::uint64_t offset, BytesView data);
  /// Returns how many bytes there are, fewer than asked for only at the end of the file.
  Result<std::size_t> read(std::uint64_t offset, std::span<char> out);
  /// What was written survives a power cut once this returned.
  Result<> sync();
  /// To less than what is reserved: the reserved blocks stay. To 0: the content is gone.
  Result<> truncate(std::uint64_t size);
  /// A whole number of sectors, and at least the reserved bytes: zeros follow the content.
  Result<std::uint64_t> size();
  std::size_t sector_bytes() const { return sector_; }

 private:
  SectorFile(std::string path, int direct, int cached, std::size_t sector,
             std::uint64_t reserved_bytes);
  Result<> reserve();
  /// Moves the window to the sector of `offset`, with what the file holds before it there.
  Result<> move_window(std::uint64_t offset);
  /// Fills the window up to a whole sector with what the file holds.
  Result<> complete_last_sector();
  Result<> write_sectors(std::size_t bytes);
  Result<> flush();
  void drop_window();
  std::uint64_t window_end() const { return start_ + used_; }

  std::string path_;
  int direct_;  // descriptor for writes
  int cached_;  // for reads: the kernel keeps it coherent, and reads ahead
  std::size_t sector_;
  std::uint64_t reserved_bytes_;
  std::uint64_t round_end_ = 0;  // behind what was written in this round, by this object
  // The window: bytes of the file from start_ on; start_ is at a sector.
  struct Free {
    void operator()(char* memory) const;
  };
  std::unique_ptr<char, Free> window_;
  std::uint64_t start_ = 0;
  std::size_t used_ = 0;
  bool dirty_ = false;     // the window holds what the file does not
  bool unsynced_ = false;  // the file holds what may not survive
};

}  // namespace tripod::linux_os
