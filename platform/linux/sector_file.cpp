#include "platform/linux/sector_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <format>

#include "platform/base/check.h"
#include "platform/linux/uv_handle.h"

namespace tripod::linux_os {
namespace {

constexpr std::size_t memory_alignment = 4096;
constexpr int mode_of_new = 0644;  // as SQLite's own

std::unexpected<Error> failed(std::string_view doing, const std::string& path) {
  return std::unexpected(uv_error(-errno, std::format("{} {}", doing, path)));
}

/// What offsets and lengths of direct writes must be multiples of; 0: there are none.
std::size_t sector_of(int descriptor) {
  struct statx status{};
  if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) != 0) return 0;
  if ((status.stx_mask & STATX_DIOALIGN) == 0) return 0;  // a kernel before 6.1
  if (status.stx_dio_mem_align > memory_alignment) return 0;
  const std::size_t sector = status.stx_dio_offset_align;
  return sector <= memory_alignment ? sector : 0;
}

/// A new file's name survives only when its folder was synced.
Result<> sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed("opening the folder of", path);
  const bool synced = ::fsync(descriptor) == 0;
  Result<> result = synced ? Result<>() : failed("syncing the folder of", path);
  ::close(descriptor);
  return result;
}

std::uint64_t down(std::uint64_t offset, std::size_t sector) {
  return offset / sector * sector;
}

}  // namespace

void SectorFile::Free::operator()(char* memory) const {
  std::free(memory);
}

SectorFile::SectorFile(std::string path, int direct, int cached, std::size_t sector,
                       std::uint64_t reserved_bytes)
    : path_(std::move(path)),
      direct_(direct),
      cached_(cached),
      sector_(sector),
      reserved_bytes_(down(reserved_bytes, sector)),
      window_(static_cast<char*>(std::aligned_alloc(memory_alignment, window_bytes_max))) {
  CHECK(window_ != nullptr, "out of memory");
}

SectorFile::~SectorFile() {
  (void)flush();
  ::close(direct_);
  ::close(cached_);
}

Result<std::unique_ptr<SectorFile>> SectorFile::open(const std::string& path,
                                                     std::uint64_t reserved_bytes) {
  const int cached = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, mode_of_new);
  if (cached < 0) return failed("opening", path);
  const std::size_t sector = sector_of(cached);
  const int direct = sector == 0 ? -1 : ::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
  if (direct < 0) {
    ::close(cached);
    return fail(ErrorCode::unsupported, std::format("{}: no direct I/O", path));
  }
  std::unique_ptr<SectorFile> file(new SectorFile(path, direct, cached, sector, reserved_bytes));
  if (auto reserved = file->reserve(); !reserved) return std::unexpected(reserved.error());
  return file;
}

/// Zeros, not holes: writing into a hole changes the block list, which a sync would have to write.
Result<> SectorFile::reserve() {
  auto there = size();
  if (!there) return std::unexpected(there.error());
  if (*there % sector_ != 0) {  // written by other means: begin with a whole sector
    if (::ftruncate(cached_, static_cast<off_t>(down(*there, sector_) + sector_)) != 0) {
      return failed("extending", path_);
    }
  }
  struct statvfs disk{};
  if (::fstatvfs(cached_, &disk) != 0) return failed("asking for the room around", path_);
  const std::uint64_t room = *there + std::uint64_t{disk.f_bavail} * disk.f_frsize;
  reserved_bytes_ = std::min(reserved_bytes_, down(room / 4, sector_));
  if (*there >= reserved_bytes_) return {};
  std::memset(window_.get(), 0, window_bytes_max);
  for (std::uint64_t at = down(*there + sector_ - 1, sector_); at < reserved_bytes_;) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(window_bytes_max, reserved_bytes_ - at));
    const ssize_t written = ::pwrite(direct_, window_.get(), size, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == ENOSPC) {
      reserved_bytes_ = at;  // it goes without
      break;
    }
    if (written < 0) return failed("reserving", path_);
    at += static_cast<std::uint64_t>(written);
  }
  if (::fsync(direct_) != 0) return failed("syncing", path_);
  return *there == 0 ? sync_folder_of(path_) : Result<>();
}

Result<> SectorFile::write(std::uint64_t offset, BytesView data) {
  if (offset == 0) round_end_ = 0;  // a new round: what was there is dead
  while (!data.empty()) {
    if (used_ == 0 || offset < start_ || offset > window_end() ||
        offset - start_ == window_bytes_max) {
      if (auto moved = move_window(offset); !moved) return moved;
    }
    const auto at = static_cast<std::size_t>(offset - start_);
    const std::size_t size = std::min(data.size(), window_bytes_max - at);
    std::memcpy(window_.get() + at, data.data(), size);
    used_ = std::max(used_, at + size);
    dirty_ = true;
    offset += size;
    data.remove_prefix(size);
    if (window_end() < round_end_) {
      if (auto completed = complete_last_sector(); !completed) return completed;
    } else {
      round_end_ = window_end();
    }
  }
  return {};
}

Result<> SectorFile::move_window(std::uint64_t offset) {
  if (auto flushed = flush(); !flushed) return flushed;
  drop_window();
  start_ = down(offset, sector_);
  const auto before = static_cast<std::size_t>(offset - start_);
  std::memset(window_.get(), 0, sector_);
  if (before > 0) {
    const ssize_t there = ::pread(cached_, window_.get(), before, static_cast<off_t>(start_));
    if (there < 0) return failed("reading", path_);
  }
  used_ = before;
  return {};
}

Result<> SectorFile::complete_last_sector() {
  const std::size_t rest = used_ % sector_ == 0 ? 0 : sector_ - used_ % sector_;
  if (rest == 0) return {};
  std::memset(window_.get() + used_, 0, rest);
  const ssize_t there =
      ::pread(cached_, window_.get() + used_, rest, static_cast<off_t>(window_end()));
  if (there < 0) return failed("reading", path_);
  used_ += rest;
  return {};
}

Result<> SectorFile::write_sectors(std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t written =
        ::pwrite(direct_, window_.get() + done, bytes - done, static_cast<off_t>(start_ + done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("writing", path_);
    unsynced_ = true;
    done += static_cast<std::size_t>(written);
  }
  return {};
}

/// Writes the window; keeps its last, unfinished sector for what comes next.
Result<> SectorFile::flush() {
  if (!std::exchange(dirty_, false)) return {};
  const std::size_t tail = used_ % sector_;
  const std::size_t whole = used_ - tail;
  if (tail > 0) std::memset(window_.get() + used_, 0, sector_ - tail);
  if (auto written = write_sectors(tail > 0 ? whole + sector_ : whole); !written) {
    drop_window();
    return written;
  }
  if (whole > 0) std::memmove(window_.get(), window_.get() + whole, tail);
  start_ += whole;
  used_ = tail;
  return {};
}

void SectorFile::drop_window() {
  used_ = 0;
  dirty_ = false;
}

Result<std::size_t> SectorFile::read(std::uint64_t offset, std::span<char> out) {
  if (used_ > 0 && offset >= start_ && offset + out.size() <= window_end()) {
    std::memcpy(out.data(), window_.get() + (offset - start_), out.size());
    return out.size();
  }
  if (auto flushed = flush(); !flushed) return std::unexpected(flushed.error());
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t there =
        ::pread(cached_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (there < 0 && errno == EINTR) continue;
    if (there < 0) return failed("reading", path_);
    if (there == 0) break;
    done += static_cast<std::size_t>(there);
  }
  return done;
}

Result<> SectorFile::sync() {
  if (auto flushed = flush(); !flushed) return flushed;
  if (!unsynced_) return {};
  if (::fdatasync(direct_) != 0) return failed("syncing", path_);
  unsynced_ = false;
  return {};
}

Result<> SectorFile::truncate(std::uint64_t size) {
  if (auto flushed = flush(); !flushed) return flushed;
  drop_window();
  round_end_ = std::min(round_end_, size);
  const std::uint64_t kept = std::max(down(size + sector_ - 1, sector_), reserved_bytes_);
  struct stat status{};
  if (::fstat(cached_, &status) != 0) return failed("asking for the size of", path_);
  if (static_cast<std::uint64_t>(status.st_size) > kept) {
    if (::ftruncate(cached_, static_cast<off_t>(kept)) != 0) return failed("truncating", path_);
    unsynced_ = true;
  }
  if (size > 0) return {};
  // A log without its head is empty.
  std::memset(window_.get(), 0, sector_);
  start_ = 0;
  return write_sectors(sector_);
}

Result<std::uint64_t> SectorFile::size() {
  struct stat status{};
  if (::fstat(cached_, &status) != 0) return failed("asking for the size of", path_);
  return std::max(static_cast<std::uint64_t>(status.st_size), used_ > 0 ? window_end() : 0);
}

}  // namespace tripod::linux_os
