#include "platform/sqlite/scratch_wal.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <format>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "platform/base/check.h"
#include "platform/sqlite/database.h"

namespace tripod::sqlite {
namespace {

using Page = std::uint32_t;

constexpr sqlite3_int64 wal_header_bytes = 32;
constexpr sqlite3_int64 frame_header_bytes = 24;
/// An undo file larger than that is cut after use.
constexpr sqlite3_int64 undo_kept_bytes = 1024 * 1024;

// --- the undo file's batches ---

constexpr std::uint64_t magic = 0x316f646e75647074;  // "tpdundo1"
constexpr std::size_t batch_header_bytes = 48;

struct Batch {
  std::uint32_t page_bytes = 0;
  std::uint32_t place = 0;
  std::uint32_t pages = 0;
  std::uint64_t generation = 0;
  std::uint64_t file_pages = 0;
  std::uint64_t sum = 0;

  sqlite3_int64 numbers_at() const { return batch_header_bytes; }
  sqlite3_int64 content_at() const { return numbers_at() + sqlite3_int64{4} * pages; }
  sqlite3_int64 size() const { return content_at() + sqlite3_int64{page_bytes} * pages; }
};

template <typename Integer>
void put(char* out, Integer value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    out[i] = static_cast<char>(value >> (8 * i));
  }
}

template <typename Integer>
Integer get(const char* in) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<Integer>(Integer{static_cast<unsigned char>(in[i])} << (8 * i));
  }
  return value;
}

std::uint32_t big_endian(const char* in) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(in[i]);
  return value;
}

std::uint64_t add_to_sum(std::uint64_t sum, BytesView bytes) {
  return std::rotl(sum, 17) * 0x9e3779b97f4a7c15ULL ^ fnv1a(bytes);
}

/// Everything of the header but the sum itself.
std::uint64_t sum_of_header(const Batch& batch) {
  std::array<char, 28> bytes{};
  put(bytes.data(), batch.page_bytes);
  put(bytes.data() + 4, batch.place);
  put(bytes.data() + 8, batch.pages);
  put(bytes.data() + 12, batch.generation);
  put(bytes.data() + 20, batch.file_pages);
  return add_to_sum(magic, {bytes.data(), bytes.size()});
}

std::array<char, batch_header_bytes> encode(const Batch& batch) {
  std::array<char, batch_header_bytes> out{};
  put(out.data(), magic);
  put(out.data() + 8, batch.page_bytes);
  put(out.data() + 12, batch.place);
  put(out.data() + 16, batch.pages);
  put(out.data() + 24, batch.generation);
  put(out.data() + 32, batch.file_pages);
  put(out.data() + 40, batch.sum);
  return out;
}

std::optional<Batch> decode(const std::array<char, batch_header_bytes>& in) {
  if (get<std::uint64_t>(in.data()) != magic) return std::nullopt;
  Batch batch{.page_bytes = get<std::uint32_t>(in.data() + 8),
              .place = get<std::uint32_t>(in.data() + 12),
              .pages = get<std::uint32_t>(in.data() + 16),
              .generation = get<std::uint64_t>(in.data() + 24),
              .file_pages = get<std::uint64_t>(in.data() + 32),
              .sum = get<std::uint64_t>(in.data() + 40)};
  const bool sane = std::has_single_bit(batch.page_bytes) && batch.page_bytes >= 512 &&
                    batch.page_bytes <= 65536 && batch.pages <= batch.file_pages;
  return sane ? std::optional(batch) : std::nullopt;
}

// --- files of the VFS below ---

/// One file of another VFS; closed at the end.
class File {
 public:
  /// SQLite wants two zeros behind names; `name` lives as long as the file.
  static int open(sqlite3_vfs& vfs, const std::string& name, int flags, File& file) {
    file.memory_ = std::make_unique<char[]>(static_cast<std::size_t>(vfs.szOsFile));
    std::memset(file.memory_.get(), 0, static_cast<std::size_t>(vfs.szOsFile));
    int out_flags = 0;
    const int result = vfs.xOpen(&vfs, name.c_str(), file.get(), flags, &out_flags);
    if (result != SQLITE_OK) file.close();
    return result;
  }
  File() = default;
  ~File() { close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void close() {
    if (memory_ && get()->pMethods != nullptr) get()->pMethods->xClose(get());
    memory_.reset();
  }
  explicit operator bool() const { return memory_ != nullptr; }

  int read(sqlite3_int64 offset, char* out, std::size_t size) {
    for (; size > request_bytes_max; size -= request_bytes_max) {
      if (int result = get()->pMethods->xRead(get(), out, request_bytes_max, offset)) return result;
      out += request_bytes_max;
      offset += request_bytes_max;
    }
    return get()->pMethods->xRead(get(), out, static_cast<int>(size), offset);
  }
  int write(sqlite3_int64 offset, const char* data, std::size_t size) {
    for (; size > request_bytes_max; size -= request_bytes_max) {
      if (int result = get()->pMethods->xWrite(get(), data, request_bytes_max, offset)) {
        return result;
      }
      data += request_bytes_max;
      offset += request_bytes_max;
    }
    return get()->pMethods->xWrite(get(), data, static_cast<int>(size), offset);
  }
  int truncate(sqlite3_int64 size) { return get()->pMethods->xTruncate(get(), size); }
  int sync() { return get()->pMethods->xSync(get(), SQLITE_SYNC_NORMAL); }
  int size(sqlite3_int64& out) { return get()->pMethods->xFileSize(get(), &out); }

 private:
  /// SQLite's unix VFS keeps 17 bits of a size, as SQLite never asks for more.
  static constexpr int request_bytes_max = 64 * 1024;

  sqlite3_file* get() const { return reinterpret_cast<sqlite3_file*>(memory_.get()); }

  std::unique_ptr<char[]> memory_;
};

/// SQLite's own, for it is SQLite that calls from two threads: the writer of the loop, and the
/// checkpoint of a lane.
class Mutex {
 public:
  Mutex() : handle_(sqlite3_mutex_alloc(SQLITE_MUTEX_FAST)) {}
  ~Mutex() { sqlite3_mutex_free(handle_); }
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  sqlite3_mutex* handle() const { return handle_; }

 private:
  sqlite3_mutex* handle_;
};

class Lock {
 public:
  explicit Lock(const Mutex& mutex) : mutex_(mutex) { sqlite3_mutex_enter(mutex_.handle()); }
  ~Lock() { sqlite3_mutex_leave(mutex_.handle()); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  const Mutex& mutex_;
};

std::string with_zeros(std::string name) {
  name.append(2, '\0');
  return name;
}

/// Names a code by which SQLite would tell it.
Error error_of(int result, std::string_view path, std::string_view doing) {
  const ErrorCode code = (result & 0xff) == SQLITE_FULL ? ErrorCode::no_space : ErrorCode::io;
  return {code, std::format("{}: {}: {} (sqlite {})", path.data(), doing, sqlite3_errstr(result),
                            result)};
}

}  // namespace

struct ScratchWal::State {
  sqlite3_vfs* base = nullptr;
  sqlite3_vfs vfs{};
  std::string name;
  std::string path, wal, scratch, undo;  // full, two zeros behind each

  /// Of the WAL, by what was written to it; its writer and a checkpoint may come at the same time.
  struct Frame {
    std::uint64_t generation = 0;  // of the WAL, which begins anew from time to time
    std::int64_t number = 0;       // from 1
  };
  Mutex wal_mutex;
  std::uint32_t page_bytes = 0;
  std::uint64_t wal_generation = 0;
  bool wal_is_new = false;  // a header, no frame
  /// Pages whose newest content may not be in the database file.
  std::unordered_map<Page, Frame> pending;

  /// Of the checkpoint; one at a time.
  Mutex checkpoint_mutex;
  File undo_file, main_file;
  std::uint64_t began_in = 0;  // generation of the WAL
  bool undoable = false;       // the undo file says something
  std::unordered_set<Page> saved;
  Batch next;                           // place, generation and file_pages of the batch to come
  sqlite3_int64 undo_bytes = 0;         // up to which it is used
  std::optional<sqlite3_int64> cut_to;  // the database file, once nothing can be undone

  ~State() {
    if (!name.empty()) sqlite3_vfs_unregister(&vfs);
  }

  int open_files() {
    constexpr int journal = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_JOURNAL;
    if (!undo_file) {
      if (int result = File::open(*base, undo, journal, undo_file)) return result;
    }
    if (main_file) return SQLITE_OK;
    return File::open(*base, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB, main_file);
  }

  bool there(const std::string& file) const {
    int exists = 0;
    return base->xAccess(base, file.c_str(), SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK &&
           exists != 0;
  }

  // --- the WAL ---

  int wrote(const char* data, int size, sqlite3_int64 offset) {
    const Lock lock(wal_mutex);
    if (offset == 0) {
      if (size != wal_header_bytes) return SQLITE_IOERR_WRITE;
      page_bytes = big_endian(data + 8);
      ++wal_generation;
      wal_is_new = true;
      return SQLITE_OK;
    }
    if (page_bytes == 0) return SQLITE_IOERR_WRITE;
    const sqlite3_int64 frame_bytes = frame_header_bytes + page_bytes;
    const sqlite3_int64 place = (offset - wal_header_bytes) % frame_bytes;
    if (place == frame_header_bytes && size == static_cast<int>(page_bytes)) return SQLITE_OK;
    if (place != 0 || size != frame_header_bytes) return SQLITE_IOERR_WRITE;
    wal_is_new = false;
    Frame& frame = pending[big_endian(data)];
    const std::int64_t number = (offset - wal_header_bytes) / frame_bytes + 1;
    if (frame.generation != wal_generation) frame = {wal_generation, number};
    frame.number = std::max(frame.number, number);
    return SQLITE_OK;
  }

  /// SQLite wants the WAL durable and will overwrite pages of the database then; instead, what they
  /// hold is made durable. (The writer also asks, once the WAL has begun anew; it does not wait.)
  int before_checkpoint() {
    {
      const Lock wal_lock(wal_mutex);
      if (wal_is_new) return SQLITE_OK;
    }
    const Lock lock(checkpoint_mutex);
    std::vector<Page> pages;
    {
      const Lock wal_lock(wal_mutex);
      for (const auto& [page, frame] : pending) {
        if (!saved.contains(page)) pages.push_back(page);
      }
    }
    if (pages.empty()) return SQLITE_OK;
    if (int result = open_files()) return result;
    if (!undoable) {
      sqlite3_int64 bytes = 0;
      if (int result = main_file.size(bytes)) return result;
      next.file_pages = static_cast<std::uint64_t>(bytes / page_bytes);
      next.place = 0;
      ++next.generation;
      undo_bytes = 0;
    }
    std::erase_if(pages, [this](Page page) { return page > next.file_pages; });
    std::ranges::sort(pages);
    return save(pages);
  }

  /// Even without a page: how long the file was is worth knowing.
  int save(const std::vector<Page>& pages) {
    Batch batch = next;
    batch.page_bytes = page_bytes;
    batch.pages = static_cast<std::uint32_t>(pages.size());
    Bytes numbers(4 * pages.size(), '\0');
    for (std::size_t i = 0; i < pages.size(); ++i) put(numbers.data() + 4 * i, pages[i]);
    batch.sum = add_to_sum(sum_of_header(batch), numbers);
    if (int result =
            undo_file.write(undo_bytes + batch.numbers_at(), numbers.data(), numbers.size());
        !numbers.empty() && result != SQLITE_OK) {
      return result;
    }
    Bytes content(page_bytes, '\0');
    sqlite3_int64 at = undo_bytes + batch.content_at();
    for (const Page page : pages) {
      const sqlite3_int64 from = sqlite3_int64{page - 1} * page_bytes;
      if (int result = main_file.read(from, content.data(), content.size())) return result;
      if (int result = undo_file.write(at, content.data(), content.size())) return result;
      batch.sum = add_to_sum(batch.sum, content);
      at += page_bytes;
    }
    const auto header = encode(batch);
    if (int result = undo_file.write(undo_bytes, header.data(), header.size())) return result;
    if (int result = undo_file.sync()) return result;
    undoable = true;
    saved.insert(pages.begin(), pages.end());
    undo_bytes += batch.size();
    ++next.place;
    return SQLITE_OK;
  }

  /// All of the WAL's frames up to that one are in the database file: they stay there.
  int settle(std::int64_t frames) {
    const Lock lock(checkpoint_mutex);
    {
      const Lock wal_lock(wal_mutex);
      // What an earlier WAL held was moved before a new one could begin.
      std::erase_if(pending, [&](const auto& item) {
        const Frame& frame = item.second;
        return frame.generation < wal_generation ||
               (frame.generation == began_in && frame.number <= frames);
      });
    }
    if (!undoable) return SQLITE_OK;
    if (int result = main_file.sync()) return result;
    if (int result = forget_undo()) return result;
    if (cut_to) return main_file.truncate(*std::exchange(cut_to, std::nullopt));
    return SQLITE_OK;
  }

  int forget_undo() {
    const std::array<char, batch_header_bytes> nothing{};
    if (int result = undo_file.write(0, nothing.data(), nothing.size())) return result;
    if (int result = undo_file.sync()) return result;
    undoable = false;
    saved.clear();
    return undo_bytes > undo_kept_bytes ? undo_file.truncate(0) : SQLITE_OK;
  }

  int truncate_main(sqlite3_file& file, sqlite3_int64 size) {
    const Lock lock(checkpoint_mutex);
    if (!undoable) return file.pMethods->xTruncate(&file, size);
    cut_to = size;
    return SQLITE_OK;
  }

  /// The last connection closes; everything was moved into the file.
  int delete_wal(int sync_folder) {
    if (int result = settle(INT64_MAX)) return result;
    {
      const Lock lock(checkpoint_mutex);
      const Lock wal_lock(wal_mutex);
      pending.clear();
      main_file.close();
      undo_file.close();
      if (there(undo)) base->xDelete(base, undo.c_str(), 0);
    }
    return base->xDelete(base, scratch.c_str(), sync_folder);
  }

  // --- after a crash ---

  /// The batch at `at`, when it is whole.
  std::optional<Batch> whole_batch(sqlite3_int64 at) {
    std::array<char, batch_header_bytes> header{};
    if (undo_file.read(at, header.data(), header.size()) != SQLITE_OK) return std::nullopt;
    auto batch = decode(header);
    sqlite3_int64 size = 0;
    if (!batch || undo_file.size(size) != SQLITE_OK || at + batch->size() > size) {
      return std::nullopt;
    }
    Bytes bytes(std::size_t{4} * batch->pages, '\0');
    if (!bytes.empty() &&
        undo_file.read(at + batch->numbers_at(), bytes.data(), bytes.size()) != SQLITE_OK) {
      return std::nullopt;
    }
    std::uint64_t sum = add_to_sum(sum_of_header(*batch), bytes);
    bytes.resize(batch->page_bytes);
    for (std::uint32_t i = 0; i < batch->pages; ++i) {
      const sqlite3_int64 from = at + batch->content_at() + sqlite3_int64{i} * batch->page_bytes;
      if (undo_file.read(from, bytes.data(), bytes.size()) != SQLITE_OK) return std::nullopt;
      sum = add_to_sum(sum, bytes);
    }
    return sum == batch->sum ? batch : std::nullopt;
  }

  int undo_batch(const Batch& batch, sqlite3_int64 at) {
    Bytes bytes(batch.page_bytes, '\0');
    std::array<char, 4> number{};
    for (std::uint32_t i = 0; i < batch.pages; ++i) {
      const sqlite3_int64 place = i;
      if (int result = undo_file.read(at + batch.numbers_at() + 4 * place, number.data(), 4)) {
        return result;
      }
      const sqlite3_int64 from = at + batch.content_at() + place * batch.page_bytes;
      if (int result = undo_file.read(from, bytes.data(), bytes.size())) return result;
      const Page page = get<Page>(number.data());
      if (page == 0 || page > batch.file_pages) return SQLITE_CORRUPT;
      const sqlite3_int64 to = sqlite3_int64{page - 1} * batch.page_bytes;
      if (int result = main_file.write(to, bytes.data(), bytes.size())) return result;
    }
    return SQLITE_OK;
  }

  int recover() {
    if (there(scratch)) {
      if (int result = base->xDelete(base, scratch.c_str(), 1)) return result;
    }
    if (!there(undo)) return SQLITE_OK;
    if (!there(path)) return base->xDelete(base, undo.c_str(), 1);
    if (int result = open_files()) return result;
    if (const auto first = whole_batch(0); first && first->place == 0) {
      sqlite3_int64 at = 0;
      std::uint32_t place = 0;
      for (auto batch = first; batch && batch->generation == first->generation &&
                               batch->place == place && batch->page_bytes == first->page_bytes;
           batch = whole_batch(at)) {
        if (int result = undo_batch(*batch, at)) return result;
        at += batch->size();
        ++place;
      }
      const auto bytes = static_cast<sqlite3_int64>(first->file_pages * first->page_bytes);
      if (int result = main_file.truncate(bytes)) return result;
      if (int result = main_file.sync()) return result;
    }
    // Batches of an earlier process must not stand behind one of this.
    if (int result = undo_file.truncate(0)) return result;
    return undo_file.sync();
  }
};

namespace {

/// The VFS's own file: state and kind, then the file of the VFS below.
struct Handle {
  sqlite3_file file;
  ScratchWal::State* state;
};

ScratchWal::State& state_of(sqlite3_file* file) {
  return *reinterpret_cast<Handle*>(file)->state;
}
sqlite3_file* below(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<Handle*>(file) + 1);
}

int file_close(sqlite3_file* file) {
  return below(file)->pMethods->xClose(below(file));
}
int file_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  return below(file)->pMethods->xRead(below(file), out, size, offset);
}
int main_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  return below(file)->pMethods->xWrite(below(file), data, size, offset);
}
int wal_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  if (int result = state_of(file).wrote(static_cast<const char*>(data), size, offset)) {
    return result;
  }
  return main_write(file, data, size, offset);
}
int main_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return state_of(file).truncate_main(*below(file), size);
}
int wal_truncate(sqlite3_file* file, sqlite3_int64 size) {
  return below(file)->pMethods->xTruncate(below(file), size);
}
int main_sync(sqlite3_file* file, int flags) {
  return below(file)->pMethods->xSync(below(file), flags);
}
int wal_sync(sqlite3_file* file, int) {
  return state_of(file).before_checkpoint();
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return below(file)->pMethods->xFileSize(below(file), size);
}
int file_lock(sqlite3_file* file, int level) {
  return below(file)->pMethods->xLock(below(file), level);
}
int file_unlock(sqlite3_file* file, int level) {
  return below(file)->pMethods->xUnlock(below(file), level);
}
int file_check_reserved(sqlite3_file* file, int* reserved) {
  return below(file)->pMethods->xCheckReservedLock(below(file), reserved);
}
int file_control(sqlite3_file* file, int what, void* argument) {
  return below(file)->pMethods->xFileControl(below(file), what, argument);
}
int file_sector_size(sqlite3_file* file) {
  return below(file)->pMethods->xSectorSize(below(file));
}
int file_device(sqlite3_file* file) {
  return below(file)->pMethods->xDeviceCharacteristics(below(file));
}
int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  return below(file)->pMethods->xShmMap(below(file), region, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return below(file)->pMethods->xShmLock(below(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) {
  below(file)->pMethods->xShmBarrier(below(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
  return below(file)->pMethods->xShmUnmap(below(file), remove);
}

constexpr sqlite3_io_methods methods_of(bool wal) {
  return {
      .iVersion = 2,  // without memory mapping of the file
      .xClose = file_close,
      .xRead = file_read,
      .xWrite = wal ? wal_write : main_write,
      .xTruncate = wal ? wal_truncate : main_truncate,
      .xSync = wal ? wal_sync : main_sync,
      .xFileSize = file_size,
      .xLock = file_lock,
      .xUnlock = file_unlock,
      .xCheckReservedLock = file_check_reserved,
      .xFileControl = file_control,
      .xSectorSize = file_sector_size,
      .xDeviceCharacteristics = file_device,
      .xShmMap = shm_map,
      .xShmLock = shm_lock,
      .xShmBarrier = shm_barrier,
      .xShmUnmap = shm_unmap,
      .xFetch = nullptr,
      .xUnfetch = nullptr,
  };
}
constexpr sqlite3_io_methods main_methods = methods_of(false);
constexpr sqlite3_io_methods wal_methods = methods_of(true);

ScratchWal::State& state_of(sqlite3_vfs* vfs) {
  return *static_cast<ScratchWal::State*>(vfs->pAppData);
}

bool is_wal(const ScratchWal::State& state, const char* name) {
  return name != nullptr && std::strcmp(name, state.wal.c_str()) == 0;
}

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  ScratchWal::State& state = state_of(vfs);
  const bool wal = (flags & SQLITE_OPEN_WAL) != 0;
  if (!wal && (flags & SQLITE_OPEN_MAIN_DB) == 0) {
    return state.base->xOpen(state.base, name, file, flags, out_flags);
  }
  auto* handle = reinterpret_cast<Handle*>(file);
  handle->state = &state;
  std::memset(below(file), 0, static_cast<std::size_t>(state.base->szOsFile));
  const char* real = wal ? state.scratch.c_str() : name;
  const int result = state.base->xOpen(state.base, real, below(file), flags, out_flags);
  handle->file.pMethods = result != SQLITE_OK ? nullptr : wal ? &wal_methods : &main_methods;
  return result;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  ScratchWal::State& state = state_of(vfs);
  if (is_wal(state, name)) return state.delete_wal(sync_folder);
  return state.base->xDelete(state.base, name, sync_folder);
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  ScratchWal::State& state = state_of(vfs);
  const char* real = is_wal(state, name) ? state.scratch.c_str() : name;
  return state.base->xAccess(state.base, real, flags, result);
}

}  // namespace

Result<std::shared_ptr<ScratchWal>> ScratchWal::open(const std::string& path,
                                                     const std::string& vfs) {
  CHECK(sqlite3_initialize() == SQLITE_OK);
  auto state = std::make_unique<State>();
  state->base = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  CHECK(state->base != nullptr);
  std::string full(static_cast<std::size_t>(state->base->mxPathname) + 1, '\0');
  if (int result = state->base->xFullPathname(state->base, path.c_str(),
                                              static_cast<int>(full.size()), full.data());
      result != SQLITE_OK && result != SQLITE_OK_SYMLINK) {
    return std::unexpected(error_of(result, path, "finding it"));
  }
  full.resize(std::strlen(full.c_str()));
  state->path = with_zeros(full);
  state->wal = with_zeros(full + "-wal");
  state->scratch = with_zeros(full + "-scratch");
  state->undo = with_zeros(full + "-undo");
  if (int result = state->recover()) {
    return std::unexpected(error_of(result, path, "undoing what was broken off"));
  }
  state->main_file.close();
  if (state->there(state->wal) && state->there(state->path)) {
    Options options{.vfs = vfs, .checkpoint_wal_pages = 0, .exclusive = false, .create = false};
    auto database = Database::open(path, options);
    if (!database) return std::unexpected(database.error());
    auto moved = database->checkpoint(Checkpoint::truncate);
    if (!moved) return std::unexpected(moved.error());
  }
  state->name = std::format("tripod-scratch-{}", static_cast<const void*>(state.get()));
  state->vfs = *state->base;
  state->vfs.pNext = nullptr;
  state->vfs.zName = state->name.c_str();
  state->vfs.pAppData = state.get();
  state->vfs.szOsFile = static_cast<int>(sizeof(Handle)) + state->base->szOsFile;
  state->vfs.xOpen = vfs_open;
  state->vfs.xDelete = vfs_delete;
  state->vfs.xAccess = vfs_access;
  CHECK(sqlite3_vfs_register(&state->vfs, 0) == SQLITE_OK);
  return std::shared_ptr<ScratchWal>(new ScratchWal(std::move(state)));
}

ScratchWal::ScratchWal(std::unique_ptr<State> state) : state_(std::move(state)) {}
ScratchWal::~ScratchWal() = default;

const std::string& ScratchWal::vfs_name() const {
  return state_->name;
}

void ScratchWal::checkpoint_begins() {
  const Lock lock(state_->checkpoint_mutex);
  const Lock wal_lock(state_->wal_mutex);
  state_->began_in = state_->wal_generation;
  // Of a checkpoint that was not settled; the file may have grown since. Too long does no harm.
  state_->cut_to.reset();
}

Result<> ScratchWal::checkpoint_is_whole(int frames) {
  if (int result = state_->settle(frames)) {
    return std::unexpected(error_of(result, state_->path.c_str(), "settling a checkpoint"));
  }
  return {};
}

}  // namespace tripod::sqlite
