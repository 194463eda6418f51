// The SQLite VFS of a simulated disk. C callbacks of a few lines around Disk and DiskFile; locks
// and shared memory work between connections of one process, which is all there is here.

#include <sqlite3.h>

#include <array>
#include <cstring>

#include "platform/base/check.h"
#include "platform/sim/disk.h"

namespace tripod::sim {
namespace {

constexpr int shm_region_bytes_max = 65536;

/// What the connections of one path share: locks and WAL index. Volatile.
struct Shared {
  int shared_locks = 0;
  const void* reserved = nullptr;
  const void* exclusive = nullptr;
  std::vector<std::unique_ptr<std::array<char, shm_region_bytes_max>>> regions;
  struct Slot {
    int shared = 0;
    const void* exclusive = nullptr;
  };
  std::array<Slot, SQLITE_SHM_NLOCK> slots;
};

/// Locks by file object: a crash makes new files, and with them new locks.
using SharedMap = std::map<const DiskFile*, std::weak_ptr<Shared>>;

struct VfsData {
  explicit VfsData(Disk& owner) : disk(owner) {}
  Disk& disk;
  SharedMap shared;
};

struct OpenFile {
  VfsData* data = nullptr;
  std::string path;
  std::shared_ptr<DiskFile> file;
  std::shared_ptr<Shared> shared;
  std::uint64_t life = 0;
  bool delete_on_close = false;
  int lock = SQLITE_LOCK_NONE;
  std::array<int, SQLITE_SHM_NLOCK> shm_locks{};  // 0 none, 1 shared, 2 exclusive
};

struct Handle {
  sqlite3_file base;
  OpenFile* open;
};

OpenFile& of(sqlite3_file* file) {
  return *reinterpret_cast<Handle*>(file)->open;
}
VfsData& of(sqlite3_vfs* vfs) {
  return *static_cast<VfsData*>(vfs->pAppData);
}

int code_of(DiskError error, int io_code) {
  switch (error) {
    case DiskError::none: return SQLITE_OK;
    case DiskError::io: return io_code;
    case DiskError::full: return SQLITE_FULL;
  }
  return io_code;
}

int unlock_to(OpenFile& open, int level) {
  Shared& shared = *open.shared;
  if (shared.exclusive == &open) shared.exclusive = nullptr;
  if (shared.reserved == &open) shared.reserved = nullptr;
  if (level == SQLITE_LOCK_NONE && open.lock >= SQLITE_LOCK_SHARED) --shared.shared_locks;
  open.lock = level;
  return SQLITE_OK;
}

int file_close(sqlite3_file* file) {
  OpenFile& open = of(file);
  if (open.lock > SQLITE_LOCK_NONE) unlock_to(open, SQLITE_LOCK_NONE);
  if (open.delete_on_close && open.life == open.data->disk.life())
    open.data->disk.remove(open.path);
  delete &open;
  return SQLITE_OK;
}

int file_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  BytesView content = of(file).file->content();
  auto wanted = static_cast<std::size_t>(size);
  auto from = static_cast<std::size_t>(offset);
  BytesView found = from < content.size() ? content.substr(from, wanted) : BytesView();
  if (!found.empty()) std::memcpy(out, found.data(), found.size());
  if (found.size() == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + found.size(), 0, wanted - found.size());
  return SQLITE_IOERR_SHORT_READ;
}

int file_write(sqlite3_file* file, const void* in, int size, sqlite3_int64 offset) {
  OpenFile& open = of(file);
  auto from = static_cast<std::size_t>(offset);
  auto bytes = static_cast<std::size_t>(size);
  std::size_t now = open.file->content().size();
  std::size_t grow = from + bytes > now ? from + bytes - now : 0;
  DiskError error = open.data->disk.admit(open.life, grow, false);
  if (error != DiskError::none) return code_of(error, SQLITE_IOERR_WRITE);
  open.file->write(from, {static_cast<const char*>(in), bytes});
  return SQLITE_OK;
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
  OpenFile& open = of(file);
  DiskError error = open.data->disk.admit(open.life, 0, false);
  if (error != DiskError::none) return code_of(error, SQLITE_IOERR_TRUNCATE);
  open.file->truncate(static_cast<std::size_t>(size));
  return SQLITE_OK;
}

int file_sync(sqlite3_file* file, int) {
  OpenFile& open = of(file);
  DiskError error = open.data->disk.admit(open.life, 0, true);
  if (error != DiskError::none) return code_of(error, SQLITE_IOERR_FSYNC);
  if (!open.data->disk.syncs_ignored()) open.file->sync();
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(of(file).file->content().size());
  return SQLITE_OK;
}

int file_lock(sqlite3_file* file, int level) {
  OpenFile& open = of(file);
  Shared& shared = *open.shared;
  if (open.lock >= level) return SQLITE_OK;
  if (shared.exclusive != nullptr && shared.exclusive != &open) return SQLITE_BUSY;
  if (open.lock == SQLITE_LOCK_NONE) {
    ++shared.shared_locks;
    open.lock = SQLITE_LOCK_SHARED;
  }
  if (level >= SQLITE_LOCK_RESERVED) {
    if (shared.reserved != nullptr && shared.reserved != &open) return SQLITE_BUSY;
    shared.reserved = &open;
    open.lock = SQLITE_LOCK_RESERVED;
  }
  if (level >= SQLITE_LOCK_PENDING) {
    if (shared.shared_locks > 1) return SQLITE_BUSY;
    shared.exclusive = &open;
    open.lock = SQLITE_LOCK_EXCLUSIVE;
  }
  return SQLITE_OK;
}

int file_unlock(sqlite3_file* file, int level) {
  OpenFile& open = of(file);
  return open.lock <= level ? SQLITE_OK : unlock_to(open, level);
}

int file_check_reserved(sqlite3_file* file, int* result) {
  Shared& shared = *of(file).shared;
  *result = shared.reserved != nullptr || shared.exclusive != nullptr;
  return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int file_sector_size(sqlite3_file*) {
  return 4096;
}
int file_characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  CHECK(size <= shm_region_bytes_max);
  auto& regions = of(file).shared->regions;
  auto wanted = static_cast<std::size_t>(region);
  while (regions.size() <= wanted && extend != 0) {
    regions.push_back(std::make_unique<std::array<char, shm_region_bytes_max>>());
  }
  *out = wanted < regions.size() ? regions[wanted]->data() : nullptr;
  return SQLITE_OK;
}

int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  OpenFile& open = of(file);
  auto first = static_cast<std::size_t>(offset);
  auto end = first + static_cast<std::size_t>(count);
  bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    for (std::size_t i = first; i < end; ++i) {
      if (open.shm_locks[i] == 1) --open.shared->slots[i].shared;
      if (open.shm_locks[i] == 2) open.shared->slots[i].exclusive = nullptr;
      open.shm_locks[i] = 0;
    }
    return SQLITE_OK;
  }
  for (std::size_t i = first; i < end; ++i) {
    const Shared::Slot& slot = open.shared->slots[i];
    int others = slot.shared - (open.shm_locks[i] == 1 ? 1 : 0);
    if (slot.exclusive != nullptr && slot.exclusive != &open) return SQLITE_BUSY;
    if (exclusive && others > 0) return SQLITE_BUSY;
  }
  for (std::size_t i = first; i < end; ++i) {
    if (open.shm_locks[i] != 0) continue;
    Shared::Slot& slot = open.shared->slots[i];
    if (exclusive) {
      slot.exclusive = &open;
    } else {
      ++slot.shared;
    }
    open.shm_locks[i] = exclusive ? 2 : 1;
  }
  return SQLITE_OK;
}

void shm_barrier(sqlite3_file*) {}

int shm_unmap(sqlite3_file* file, int) {
  return shm_lock(file, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK);
}

constexpr sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

std::shared_ptr<Shared> shared_of(VfsData& data, const DiskFile* file) {
  std::erase_if(data.shared, [](const auto& item) { return item.second.expired(); });
  std::weak_ptr<Shared>& known = data.shared[file];
  std::shared_ptr<Shared> shared = known.lock();
  if (!shared) {
    shared = std::make_shared<Shared>();
    known = shared;
  }
  return shared;
}

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* handle = reinterpret_cast<Handle*>(file);
  handle->base.pMethods = nullptr;
  VfsData& data = of(vfs);
  std::string path = name != nullptr ? name : std::format("temporary-{}", data.disk.operations());
  std::shared_ptr<DiskFile> found = data.disk.find(path);
  if (!found && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
  if (!found) {
    DiskError error = data.disk.admit(data.disk.life(), 0, false);
    if (error != DiskError::none) return code_of(error, SQLITE_CANTOPEN);
    found = data.disk.create(path);
  }
  auto open = std::make_unique<OpenFile>();
  open->data = &data;
  open->path = path;
  open->shared = shared_of(data, found.get());
  open->file = std::move(found);
  open->life = data.disk.life();
  open->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  handle->open = open.release();
  handle->base.pMethods = &methods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int) {
  Disk& disk = of(vfs).disk;
  if (!disk.find(name)) return SQLITE_IOERR_DELETE_NOENT;
  DiskError error = disk.admit(disk.life(), 0, false);
  if (error != DiskError::none) return code_of(error, SQLITE_IOERR_DELETE);
  disk.remove(name);
  return SQLITE_OK;
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int, int* result) {
  std::shared_ptr<DiskFile> file = of(vfs).disk.find(name);
  *result = file != nullptr && !file->content().empty();
  return SQLITE_OK;
}

int vfs_full_pathname(sqlite3_vfs*, const char* name, int size, char* out) {
  std::size_t length = std::strlen(name) + 1;
  if (length > static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, name, length);
  return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs*, int size, char* out) {
  std::memset(out, 0x5a, static_cast<std::size_t>(size));
  return size;
}

int vfs_sleep(sqlite3_vfs*, int microseconds) {
  return microseconds;
}

int vfs_time(sqlite3_vfs*, double* julian_day) {
  *julian_day = 2461366.0;
  return SQLITE_OK;
}

int vfs_last_error(sqlite3_vfs*, int, char*) {
  return 2;
}  // ENOENT: the only error without a code of its own

}  // namespace

std::unique_ptr<sqlite3_vfs> register_vfs(Disk& disk, const std::string& name) {
  auto vfs = std::make_unique<sqlite3_vfs>();
  vfs->iVersion = 1;
  vfs->szOsFile = sizeof(Handle);
  vfs->mxPathname = 512;
  vfs->zName = name.c_str();
  vfs->pAppData = new VfsData(disk);
  vfs->xOpen = vfs_open;
  vfs->xDelete = vfs_delete;
  vfs->xAccess = vfs_access;
  vfs->xFullPathname = vfs_full_pathname;
  vfs->xRandomness = vfs_randomness;
  vfs->xSleep = vfs_sleep;
  vfs->xCurrentTime = vfs_time;
  vfs->xGetLastError = vfs_last_error;
  int result = sqlite3_vfs_register(vfs.get(), 0);
  CHECK(result == SQLITE_OK);
  return vfs;
}

void withdraw_vfs(sqlite3_vfs& vfs) {
  sqlite3_vfs_unregister(&vfs);
  delete static_cast<VfsData*>(vfs.pAppData);
}

}  // namespace tripod::sim
