#include "firmware/etcd/mvcc/key_space/key_space_hash.h"

#include "firmware/etcd/api/codec.h"

namespace tripod::etcd {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1U) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
    }
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> crc_table = make_table();

void append_big_endian(Bytes& out, std::int64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> shift) & 0xFFU));
  }
}

/// etcd's key of a revision in its own storage: main, '_', sub, and 't' behind a tombstone.
Bytes revision_bytes(RowId id) {
  Bytes out;
  append_big_endian(out, main_of(id));
  out.push_back('_');
  append_big_endian(out, sub_of(id));
  if (is_tombstone(id)) out.push_back('t');
  return out;
}

}  // namespace

void Crc32c::add(BytesView bytes) {
  for (const char byte : bytes) {
    state_ = crc_table[(state_ ^ static_cast<std::uint8_t>(byte)) & 0xFFU] ^ (state_ >> 8U);
  }
}

KeySpaceHasher::KeySpaceHasher(KeySpace& space, Revision revision)
    : space_(&space), revision_(revision) {
  restart();
}

void KeySpaceHasher::restart() {
  compact_revision_ = space_->compact_revision();
  next_ = 0;
  crc_ = {};
  crc_.add("key");
}

grpc::Reply<KeySpaceHasher> KeySpaceHasher::begin(KeySpace& space, Revision revision) {
  if (revision > space.revision()) return reject(outcome::future_revision);
  if (revision > 0 && revision < space.compact_revision()) return reject(outcome::compacted);
  return KeySpaceHasher(space, revision <= 0 ? space.revision() : revision);
}

grpc::Reply<bool> KeySpaceHasher::step(std::size_t rows_max) {
  if (space_->compact_revision() != compact_revision_) {
    if (revision_ < space_->compact_revision()) return reject(outcome::compacted);
    restart();
  }
  std::size_t seen = 0;
  space_->db_.scan(next_, rows_end(revision_), static_cast<std::int64_t>(rows_max),
                   [&](RowId id, const Row& row) {
                     ++seen;
                     next_ = id + 1;
                     add(id, row);
                     return true;
                   });
  return seen < rows_max;
}

void KeySpaceHasher::add(RowId id, const Row& row) {
  // What a compaction takes away does not count, whether it is gone already or not.
  if (main_of(id) <= compact_revision_) {
    const IndexEntry* entry = space_->index_.find(row.key);
    if (entry == nullptr || entry->at(revision_) != id) return;
  }
  crc_.add(revision_bytes(id));
  KeyValue kv{.key = Bytes(row.key)};
  if (!is_tombstone(id)) {
    kv.create_revision = row.created;
    kv.mod_revision = main_of(id);
    kv.version = row.version;
    kv.value = row.value;
    kv.lease = row.lease;
  }
  crc_.add(encode(kv));
}

grpc::Reply<KeySpaceHash> KeySpace::hash(Revision revision) {
  auto hasher = KeySpaceHasher::begin(*this, revision);
  if (!hasher) return std::unexpected(std::move(hasher.error()));
  for (;;) {
    auto done = hasher->step(10'000);
    if (!done) return std::unexpected(std::move(done.error()));
    if (*done) return hasher->value();
  }
}

}  // namespace tripod::etcd
