#pragma once
// A board's file system in memory that forgets as real ones do: what was not synced when the power
// went is lost, kept in part, or kept out of order. Full disks and failing operations on demand.
//
// SQLite writes through it by the VFS of that name (vfs.cpp); os::Storage by SimStorage
// (storage.h). One thread. Databases opened before a crash stay usable objects, but what they do
// reaches no disk.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/base/bytes.h"
#include "platform/sim/random.h"

struct sqlite3_vfs;

namespace tripod::sim {

enum class DiskError : std::uint8_t { none, io, full };

/// What a power cut does to the changes of a file that were not synced.
enum class Loss : std::uint8_t {
  everything,  // none of them arrived
  a_tail,      // the first ones did
  some,        // any of them did: the drive reorders
  torn,        // as some, and of a write any of its sectors
  flipped      // as some, and bits of what arrived are wrong
};
inline constexpr std::size_t kinds_of_loss = 5;

/// A file with its past since the last sync. Held by whoever has it open, also after a crash.
class DiskFile {
 public:
  BytesView content() const { return current_; }
  void write(std::size_t offset, BytesView data);
  void truncate(std::size_t size);
  void sync();
  /// What a crash leaves; nothing when the file itself was never synced and is gone.
  std::optional<Bytes> after_crash(Random& random, Loss loss) const;

 private:
  struct Change {
    std::size_t offset = 0;
    Bytes data;
    bool truncates = false;
  };
  static void apply(Bytes& content, const Change& change);
  /// The change as it arrived: torn or with wrong bits.
  static void apply_damaged(Bytes& content, Change change, Random& random, Loss loss);

  Bytes current_;
  Bytes durable_;
  bool ever_synced_ = false;
  std::vector<Change> changes_;
};

class Disk {
 public:
  /// `random` decides what a crash leaves; it outlives the disk.
  Disk(const std::string& name, Random& random);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  /// For sqlite::Options::vfs.
  const std::string& vfs_name() const { return name_; }

  std::shared_ptr<DiskFile> find(const std::string& path) const;
  std::shared_ptr<DiskFile> create(const std::string& path);
  void remove(const std::string& path) { files_.erase(path); }
  void rename(const std::string& from, const std::string& to);
  std::vector<std::string> paths() const;
  std::uint64_t used_bytes() const;

  /// The power goes: from now on every change fails with io and does nothing. Close what is open,
  /// then crash().
  void cut_power() { tripped_ = true; }
  /// The power comes back: unsynced changes are lost, torn, reordered or damaged. Files opened
  /// before are cut off from the disk.
  void crash();
  /// The process that used it died, the power did not go: everything written is there. Files opened
  /// before are cut off from the disk.
  void reopen();
  /// What crash() would leave if the power went now; chance comes from `random`.
  using Image = std::map<std::string, Bytes>;
  Image image_after_cut(Random& random, Loss loss) const;
  /// Makes the disk hold that, all of it synced.
  void restore(const Image& image);
  /// Called before each operation that changes something.
  void set_observer(std::function<void()> observer) { observer_ = std::move(observer); }
  /// The power goes in the middle of what the caller is doing: before the n-th write or sync from
  /// now, as by cut_power(). tripped() tells.
  void trip_after(std::uint64_t operations) { trip_in_ = operations + 1; }
  bool tripped() const { return tripped_; }
  /// Takes trip_after() back.
  void trip_never() { trip_in_ = 0; }
  /// From now on a sync says it is done and does nothing: a cheat that tests must notice.
  void ignore_syncs() { syncs_ignored_ = true; }
  bool syncs_ignored() const { return syncs_ignored_; }
  /// The n-th write or sync from now fails once; failed() tells that it did.
  void fail_after(std::uint64_t operations, DiskError error);
  bool failed() const { return failed_; }
  void fail_never() { fail_in_ = 0; }
  void set_capacity(std::uint64_t bytes) { capacity_bytes_ = bytes; }
  std::uint64_t capacity_bytes() const { return capacity_bytes_; }

  /// Writes, truncations and syncs so far, and how many of them were syncs.
  std::uint64_t operations() const { return operations_; }
  std::uint64_t syncs() const { return syncs_; }
  /// Grows with each crash; whoever opened a file in an earlier life has lost it.
  std::uint64_t life() const { return life_; }

  /// Asked before every operation that changes something; `grow_bytes` is what it would add.
  DiskError admit(std::uint64_t life, std::uint64_t grow_bytes, bool is_sync);

 private:
  void begin_life();

  std::string name_;
  Random& random_;
  std::map<std::string, std::shared_ptr<DiskFile>> files_;
  std::uint64_t life_ = 1;
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t capacity_bytes_ = UINT64_MAX;
  std::uint64_t trip_in_ = 0;  // 0: never
  bool tripped_ = false;
  bool syncs_ignored_ = false;
  std::uint64_t fail_in_ = 0;
  DiskError failure_ = DiskError::none;
  bool failed_ = false;
  std::function<void()> observer_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

/// The SQLite side (vfs.cpp): registers `disk` as a VFS; withdraw it before the disk dies.
std::unique_ptr<sqlite3_vfs> register_vfs(Disk& disk, const std::string& name);
void withdraw_vfs(sqlite3_vfs& vfs);

}  // namespace tripod::sim
