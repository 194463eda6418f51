#include "platform/linux/log_vfs.h"

#include <sqlite3.h>

#include <algorithm>

#include "platform/base/check.h"
#include "platform/linux/sector_file.h"
#include "platform/sqlite/database.h"

namespace tripod::linux_os {
namespace {

struct Handle {
  sqlite3_file base;
  SectorFile* file;
};

SectorFile& of(sqlite3_file* file) {
  return *reinterpret_cast<Handle*>(file)->file;
}

int code_of(const Result<>& result, int io_code) {
  if (result) return SQLITE_OK;
  return result.error() == ErrorCode::no_space ? SQLITE_FULL : io_code;
}

int file_close(sqlite3_file* file) {
  delete &of(file);
  return SQLITE_OK;
}

int file_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  const std::span<char> wanted(static_cast<char*>(out), static_cast<std::size_t>(size));
  auto there = of(file).read(static_cast<std::uint64_t>(offset), wanted);
  if (!there) return SQLITE_IOERR_READ;
  if (*there == wanted.size()) return SQLITE_OK;
  std::ranges::fill(wanted.subspan(*there), '\0');
  return SQLITE_IOERR_SHORT_READ;
}

int file_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const BytesView bytes(static_cast<const char*>(data), static_cast<std::size_t>(size));
  return code_of(of(file).write(static_cast<std::uint64_t>(offset), bytes), SQLITE_IOERR_WRITE);
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return code_of(of(file).truncate(static_cast<std::uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
}

int file_sync(sqlite3_file* file, int) {
  return code_of(of(file).sync(), SQLITE_IOERR_FSYNC);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  auto known = of(file).size();
  if (!known) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(*known);
  return SQLITE_OK;
}

// Nobody locks a log: the database file is locked.
int file_lock(sqlite3_file*, int) {
  return SQLITE_OK;
}
int file_check_reserved(sqlite3_file*, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}
int file_control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int file_sector_size(sqlite3_file* file) {
  return static_cast<int>(of(file).sector_bytes());
}
int file_device(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_device,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int vfs_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  sqlite3_vfs* usual = sqlite3_vfs_find(nullptr);
  if ((flags & SQLITE_OPEN_WAL) != 0 && (flags & SQLITE_OPEN_READWRITE) != 0) {
    auto opened = SectorFile::open(name, LogVfs::reserved_bytes);
    if (opened) {
      auto* handle = reinterpret_cast<Handle*>(file);
      handle->base.pMethods = &methods;
      handle->file = opened->release();
      if (out_flags != nullptr) *out_flags = flags;
      return SQLITE_OK;
    }
    if (opened.error() == ErrorCode::no_space) return SQLITE_FULL;
    // Whatever else it is, SQLite's own words for it are better.
  }
  return usual->xOpen(usual, name, file, flags, out_flags);
}

}  // namespace

LogVfs::LogVfs() : vfs_(std::make_unique<sqlite3_vfs>()) {
  CHECK(sqlite3_initialize() == SQLITE_OK);
  *vfs_ = *sqlite3_vfs_find(nullptr);
  vfs_->pNext = nullptr;
  vfs_->zName = sqlite::log_vfs;
  vfs_->szOsFile = std::max<int>(vfs_->szOsFile, sizeof(Handle));
  vfs_->xOpen = vfs_open;
  CHECK(sqlite3_vfs_register(vfs_.get(), 0) == SQLITE_OK);
}

LogVfs::~LogVfs() {
  sqlite3_vfs_unregister(vfs_.get());
}

}  // namespace tripod::linux_os
