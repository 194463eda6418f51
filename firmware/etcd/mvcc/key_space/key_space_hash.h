#pragma once
// The hash of a key space as etcd's HashKV defines it, taken in slices, so that a large table does
// not stop the loop. Members that hold the same history give the same hash, and it is the one that
// etcd gives for the same history: CRC-32C over the rows that a read at the revision, or a watch
// from behind the compact revision, can still see.
//
// Lives on the loop thread; the key space outlives it and may change between the slices.

#include <array>
#include <cstdint>

#include "firmware/etcd/mvcc/key_space/key_space.h"

namespace tripod::etcd {

/// CRC-32 with Castagnoli's polynomial, bit-reflected (RFC 3720).
class Crc32c {
 public:
  void add(BytesView bytes);
  std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = 0xFFFFFFFFU;
};

class KeySpaceHasher {
 public:
  /// Of everything up to `revision` (0: the newest). Refuses a compacted or a future one.
  static grpc::Reply<KeySpaceHasher> begin(KeySpace& space, Revision revision);

  /// Looks at that many rows more; true: that was all. A compaction that came between makes it
  /// begin anew, or fail with `compacted`.
  grpc::Reply<bool> step(std::size_t rows_max);
  /// Once step() said true.
  KeySpaceHash value() const { return {crc_.value(), compact_revision_, revision_}; }

 private:
  KeySpaceHasher(KeySpace& space, Revision revision);
  void restart();
  void add(RowId id, const Row& row);

  KeySpace* space_;
  Revision revision_;
  Revision compact_revision_ = -1;
  RowId next_ = 0;
  Crc32c crc_;
};

}  // namespace tripod::etcd
