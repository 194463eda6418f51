#include "firmware/etcd/mvcc/key_space/key_index.h"

namespace tripod::etcd {

RowList& RowList::operator=(RowList&& other) noexcept {
  if (this == &other) return *this;
  release();
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  if (capacity_ == 0) {
    one_ = other.one_;
  } else {
    many_ = other.many_;
  }
  other.one_ = 0;
  return *this;
}

void RowList::release() {
  if (capacity_ != 0) delete[] many_;
  capacity_ = 0;
  size_ = 0;
}

void RowList::push_back(RowId id) {
  if (size_ == 0 && capacity_ == 0) {
    one_ = id;
    size_ = 1;
    return;
  }
  CHECK(back() < id, "rows of a key come in order");
  if (size_ == std::max(capacity_, 1U)) {
    const std::uint32_t grown = capacity_ == 0 ? 4 : capacity_ + capacity_ / 2;
    auto* larger = new RowId[grown];
    std::copy(begin(), end(), larger);
    if (capacity_ != 0) delete[] many_;
    many_ = larger;
    capacity_ = grown;
  }
  many_[size_++] = id;
}

void RowList::drop_front(std::size_t count) {
  CHECK(count <= size_);
  if (count == 0) return;
  const auto left = static_cast<std::uint32_t>(size_ - count);
  if (capacity_ == 0) {
    size_ = left;
  } else if (left <= 1) {
    const RowId last = left == 1 ? many_[size_ - 1] : 0;
    release();
    one_ = last;
    size_ = left;
  } else {
    auto* smaller = new RowId[left];
    std::copy(many_ + count, many_ + size_, smaller);
    delete[] many_;
    many_ = smaller;
    size_ = capacity_ = left;
  }
}

std::optional<RowId> IndexEntry::at(Revision revision) const {
  const RowId limit = rows_end(revision);
  if (rows.back() < limit) {  // the usual case: the newest
    return is_tombstone(rows.back()) ? std::nullopt : std::optional(rows.back());
  }
  const RowId* found = std::lower_bound(rows.begin(), rows.end(), limit);
  if (found == rows.begin() || is_tombstone(found[-1])) return std::nullopt;
  return found[-1];
}

std::optional<RowId> IndexEntry::before(RowId id) const {
  const RowId* found = std::lower_bound(rows.begin(), rows.end(), id);
  if (found == rows.begin() || is_tombstone(found[-1])) return std::nullopt;
  return found[-1];
}

KeyIndex::Place KeyIndex::lower_bound(BytesView key) const {
  // The last block whose first key is not above `key` holds the place.
  auto block = std::upper_bound(
      blocks_.begin(), blocks_.end(), key,
      [](BytesView wanted, const Block& b) { return wanted < BytesView(b.front().key); });
  if (block == blocks_.begin()) return {0, 0};
  --block;
  auto entry = std::lower_bound(
      block->begin(), block->end(), key,
      [](const IndexEntry& e, BytesView wanted) { return BytesView(e.key) < wanted; });
  return {static_cast<std::size_t>(block - blocks_.begin()),
          static_cast<std::size_t>(entry - block->begin())};
}

const IndexEntry* KeyIndex::find(BytesView key) const {
  const Place place = lower_bound(key);
  if (place.block >= blocks_.size() || place.entry >= blocks_[place.block].size()) return nullptr;
  const IndexEntry& entry = blocks_[place.block][place.entry];
  return entry.key == key ? &entry : nullptr;
}

IndexEntry& KeyIndex::obtain(BytesView key) {
  if (blocks_.empty()) blocks_.emplace_back().reserve(8);
  Place place = blocks_.front().empty() ? Place{0, 0} : lower_bound(key);
  Block* block = &blocks_[place.block];
  if (place.entry < block->size() && (*block)[place.entry].key == key) return (*block)[place.entry];
  if (block->size() >= block_entries_max) {
    split(place.block);
    place = lower_bound(key);
    block = &blocks_[place.block];
  }
  IndexEntry entry;
  entry.key = key;
  ++size_;
  return *block->insert(block->begin() + static_cast<std::ptrdiff_t>(place.entry),
                        std::move(entry));
}

void KeyIndex::split(std::size_t index) {
  Block upper;
  Block& lower = blocks_[index];
  // Keys that arrive in rising order fill blocks to the brim; others split them evenly.
  const bool last = index + 1 == blocks_.size();
  const std::size_t kept = last ? block_entries_max - block_entries_max / 8 : block_entries_max / 2;
  upper.reserve(block_entries_max);
  std::move(lower.begin() + static_cast<std::ptrdiff_t>(kept), lower.end(),
            std::back_inserter(upper));
  lower.erase(lower.begin() + static_cast<std::ptrdiff_t>(kept), lower.end());
  lower.shrink_to_fit();
  blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
}

std::size_t rows_to_drop(const RowList& rows, Revision revision) {
  const RowId* found = std::lower_bound(rows.begin(), rows.end(), rows_end(revision));
  if (found == rows.begin()) return 0;
  const auto count = static_cast<std::size_t>(found - rows.begin());
  const bool goes = is_tombstone(found[-1]) && main_of(found[-1]) < revision;
  return goes ? count : count - 1;
}

}  // namespace tripod::etcd
