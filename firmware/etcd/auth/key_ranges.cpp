#include "firmware/etcd/auth/key_ranges.h"

#include <algorithm>

namespace tripod::etcd {
namespace {

constexpr BytesView from_key_on("\0", 1);

}  // namespace

KeyRanges::Range KeyRanges::Range::of(BytesView key, BytesView range_end) {
  Range range{.begin = Bytes(key), .end = Bytes(range_end)};
  if (range_end.empty()) range.end = Bytes(key) + '\0';
  range.unbounded = range_end == from_key_on;
  return range;
}

void KeyRanges::add(BytesView key, BytesView range_end) {
  Range range = Range::of(key, range_end);
  // Everything from the first range that reaches the new one up to the last that it reaches.
  const auto first =
      std::ranges::find_if(ranges_, [&](const Range& other) { return other.reaches(range.begin); });
  auto last = first;
  for (; last != ranges_.end() && range.reaches(last->begin); ++last) {
    range.begin = std::min(range.begin, last->begin);
    if (range.ends_before(*last)) {
      range.end = last->end;
      range.unbounded = last->unbounded;
    }
  }
  ranges_.insert(ranges_.erase(first, last), std::move(range));
}

bool KeyRanges::contains(BytesView key, BytesView range_end) const {
  const Range wanted = Range::of(key, range_end);
  const auto after = std::ranges::upper_bound(
      ranges_, key, {}, [](const Range& range) { return BytesView(range.begin); });
  if (after == ranges_.begin()) return false;
  const Range& found = *std::prev(after);
  return (found.unbounded || key < BytesView(found.end)) && !found.ends_before(wanted);
}

bool is_valid_permission_range(BytesView key, BytesView range_end) {
  if (key.empty()) return false;
  return range_end.empty() || range_end == from_key_on || key < range_end;
}

}  // namespace tripod::etcd
