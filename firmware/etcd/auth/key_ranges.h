#pragma once
// A set of keys, as a union of ranges. Pure.

#include <vector>

#include "platform/base/bytes.h"

namespace tripod::etcd {

/// [key, range_end) as etcd writes ranges: an empty range_end is the one key, "\0" everything from
/// key on.
class KeyRanges {
 public:
  void add(BytesView key, BytesView range_end);
  /// True when every key of the range is in the set.
  bool contains(BytesView key, BytesView range_end) const;
  std::size_t size() const { return ranges_.size(); }

 private:
  struct Range {
    Bytes begin;
    Bytes end;  // exclusive; not looked at when unbounded
    bool unbounded = false;

    static Range of(BytesView key, BytesView range_end);
    bool reaches(BytesView key) const { return unbounded || BytesView(end) >= key; }
    bool ends_before(const Range& other) const {
      return !unbounded && (other.unbounded || end < other.end);
    }
  };

  std::vector<Range> ranges_;  // by begin; none touches another
};

/// What a role may be granted: a key, a range that is not empty, or everything from a key on.
bool is_valid_permission_range(BytesView key, BytesView range_end);

}  // namespace tripod::etcd
