#pragma once
// How numbers stand in the rows of raft.db, and the checksum that protects a row: SQLite does not
// check the content of its pages; flash and cables do fail.

#include <cstdint>
#include <initializer_list>

#include "platform/base/bytes.h"

namespace tripod::etcd::raft {

/// SQLite has no unsigned integers; identifiers use all 64 bits.
inline std::int64_t stored(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
inline std::uint64_t loaded(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

/// The low half of a 64-bit FNV-1a of `data`, mixed with the numbers.
inline std::int64_t sum_of_row(std::initializer_list<std::uint64_t> numbers, BytesView data = {}) {
  std::uint64_t hash = fnv1a(data);
  for (std::uint64_t number : numbers) {
    hash = (hash ^ number) * 0x100000001b3ULL;
    hash ^= hash >> 32U;
  }
  return static_cast<std::int64_t>(hash & 0xffffffffU);
}

}  // namespace tripod::etcd::raft
