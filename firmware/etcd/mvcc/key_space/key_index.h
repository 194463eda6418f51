#pragma once
// The key index: which rows hold the history of each key. In memory, rebuilt at start by one scan
// of state.db.
//
// Keys lie sorted in blocks of at most `block_entries_max`; a lookup is two binary searches, a
// range scan walks memory in order. An entry costs 72 bytes plus its key; a key changed n times
// since the last compaction 8 bytes per change more. Entry references are valid until the next
// insert, erase or compaction.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "firmware/etcd/mvcc/state_db/revision.h"

namespace tripod::etcd {

/// Row ids in rising order; the usual single one takes no memory of its own.
class RowList {
 public:
  RowList() = default;
  RowList(RowList&& other) noexcept { *this = std::move(other); }
  RowList& operator=(RowList&& other) noexcept;
  ~RowList() { release(); }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const RowId* begin() const { return capacity_ == 0 ? &one_ : many_; }
  const RowId* end() const { return begin() + size_; }
  RowId back() const { return begin()[size_ - 1]; }
  void push_back(RowId id);
  /// Drops the first `count` ids.
  void drop_front(std::size_t count);

 private:
  void release();

  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;  // 0: inline
  union {
    RowId one_ = 0;
    RowId* many_;
  };
};

struct IndexEntry {
  Bytes key;
  RowList rows;
  Revision created = 0;      // of the living generation; 0 when the key is deleted now
  std::int64_t version = 0;  // of the newest row
  LeaseId lease = 0;         // of the newest row

  bool alive() const { return created != 0; }
  /// The row that is the key's value at `revision`; nullopt when it did not exist then.
  std::optional<RowId> at(Revision revision) const;
  /// The row before `id`, when that is no tombstone: what the change `id` replaced.
  std::optional<RowId> before(RowId id) const;
};

class KeyIndex {
 public:
  static constexpr std::size_t block_entries_max = 64;

  const IndexEntry* find(BytesView key) const;
  /// The entry of that key, made when missing.
  IndexEntry& obtain(BytesView key);

  /// Calls `visit(const IndexEntry&) -> bool` in key order until it says false.
  template <typename Visit>
  void scan(const KeyRange& range, Visit visit) const;

  std::size_t size() const { return size_; }

  /// Forgets rows that nobody can ask for once `revision` is the compact revision, from the key
  /// `cursor` on: looks at `work_max` entries and rows, calls `drop(RowId)` for each row, moves
  /// `cursor`, and returns true at the end.
  template <typename Drop>
  bool compact_some(Bytes& cursor, std::size_t work_max, Revision revision, Drop drop);

 private:
  using Block = std::vector<IndexEntry>;
  struct Place {
    std::size_t block;
    std::size_t entry;
  };

  /// The first entry not below `key`; may be one past the end of its block.
  Place lower_bound(BytesView key) const;
  void split(std::size_t block);

  std::vector<Block> blocks_;  // none is empty
  std::size_t size_ = 0;
};

/// How many of the oldest rows of a key go when everything below `revision` does. The row that is
/// current at `revision` stays; a tombstone stays only at `revision` itself, for watches that start
/// there.
std::size_t rows_to_drop(const RowList& rows, Revision revision);

// --- implementation ---

template <typename Visit>
void KeyIndex::scan(const KeyRange& range, Visit visit) const {
  Place place = lower_bound(range.begin);
  for (; place.block < blocks_.size(); ++place.block, place.entry = 0) {
    const Block& block = blocks_[place.block];
    for (; place.entry < block.size(); ++place.entry) {
      if (!range.before_end(block[place.entry].key)) return;
      if (!visit(block[place.entry])) return;
    }
  }
}

template <typename Drop>
bool KeyIndex::compact_some(Bytes& cursor, std::size_t work_max, Revision revision, Drop drop) {
  Place place = lower_bound(cursor);
  std::size_t work = 0;
  bool stopped = false;
  while (place.block < blocks_.size() && !stopped) {
    Block& block = blocks_[place.block];
    std::size_t kept = place.entry;
    for (std::size_t i = place.entry; i < block.size(); ++i) {
      IndexEntry& entry = block[i];
      if (!stopped && work >= work_max) {
        stopped = true;
        cursor = entry.key;
      }
      if (!stopped) {
        const std::size_t wanted = rows_to_drop(entry.rows, revision);
        const std::size_t count = std::min(wanted, work_max - work);
        for (std::size_t k = 0; k < count; ++k) drop(entry.rows.begin()[k]);
        entry.rows.drop_front(count);
        work += 1 + count;
        if (count < wanted) {
          stopped = true;
          cursor = entry.key;
        }
        if (entry.rows.empty()) continue;
      }
      if (kept != i) block[kept] = std::move(entry);
      ++kept;
    }
    size_ -= block.size() - kept;
    block.erase(block.begin() + static_cast<std::ptrdiff_t>(kept), block.end());
    if (block.empty()) {
      blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(place.block));
    } else {
      ++place.block;
    }
    place.entry = 0;
  }
  return !stopped;
}

}  // namespace tripod::etcd
