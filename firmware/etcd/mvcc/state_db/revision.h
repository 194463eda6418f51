#pragma once
// Row identifiers: one row of state.db per change, its 64-bit key holding the revision, the place
// of the change within it, and whether it is a tombstone, so that rows are appended in order and a
// scan by key is a scan of history. Also key ranges, as every request spells them.

#include <cstdint>

#include "firmware/etcd/api/messages.h"
#include "platform/base/check.h"

namespace tripod::etcd {

/// 42 bits main revision, 20 bits sub revision, 1 bit tombstone.
using RowId = std::int64_t;

inline constexpr std::int64_t sub_revision_max = (std::int64_t{1} << 20) - 1;
inline constexpr Revision revision_max = (Revision{1} << 42) - 1;

constexpr RowId row_id(Revision main, std::int64_t sub, bool tombstone) {
  return (main << 21) | (sub << 1) | (tombstone ? 1 : 0);
}
constexpr Revision main_of(RowId id) {
  return id >> 21;
}
constexpr std::int64_t sub_of(RowId id) {
  return (id >> 1) & sub_revision_max;
}
constexpr bool is_tombstone(RowId id) {
  return (id & 1) != 0;
}
/// The smallest row id behind everything of `revision`.
constexpr RowId rows_end(Revision revision) {
  return row_id(revision + 1, 0, false);
}

/// [begin, end), one key, or everything from begin on. Borrows the request's bytes.
struct KeyRange {
  BytesView begin;
  BytesView end;
  enum class Kind : std::uint8_t { one, bounded, unbounded } kind = Kind::one;

  static KeyRange of(BytesView key, BytesView range_end) {
    if (range_end.empty()) return {key, {}, Kind::one};
    if (range_end == BytesView("\0", 1)) return {key, {}, Kind::unbounded};
    return {key, range_end, Kind::bounded};
  }
  /// True while `key`, not below begin, is still inside.
  bool before_end(BytesView key) const {
    return kind == Kind::unbounded || (kind == Kind::one ? key == begin : key < end);
  }
  bool contains(BytesView key) const { return key >= begin && before_end(key); }
};

}  // namespace tripod::etcd
