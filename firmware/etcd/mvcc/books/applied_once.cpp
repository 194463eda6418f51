#include "firmware/etcd/mvcc/books/applied_once.h"

#include <algorithm>

#include "firmware/etcd/api/wire.h"

namespace tripod::etcd {

bool AppliedOnce::first(const CommandId& id) {
  Origin& origin = origins_[id.origin];
  if (origin.life != id.life) {
    if (std::ranges::contains(origin.former_lives, id.life)) return false;
    if (origin.life != 0) origin.former_lives.push_back(origin.life);
    if (origin.former_lives.size() > former_lives_max)
      origin.former_lives.erase(origin.former_lives.begin());
    origin.life = id.life;
    origin.highest = 0;
    origin.gaps.clear();
  }
  if (id.sequence <= origin.highest) {
    if (origin.gaps.erase(id.sequence) == 0) return false;
  } else {
    std::uint64_t missing = origin.highest + 1;
    if (id.sequence > missing + gaps_max) missing = id.sequence - gaps_max;
    for (; missing < id.sequence; ++missing) origin.gaps.insert(origin.gaps.end(), missing);
    while (origin.gaps.size() > gaps_max) origin.gaps.erase(origin.gaps.begin());
    origin.highest = id.sequence;
  }
  changed_.insert(id.origin);
  return true;
}

std::vector<std::pair<MemberId, Bytes>> AppliedOnce::take_changes() {
  std::vector<std::pair<MemberId, Bytes>> changes;
  for (const MemberId member : std::exchange(changed_, {})) {
    const Origin& origin = origins_.at(member);
    Bytes stored;
    wire::append_number(stored, 1, origin.life);
    wire::append_number(stored, 2, origin.highest);
    for (const std::uint64_t life : origin.former_lives) wire::append_number(stored, 3, life);
    for (const std::uint64_t gap : origin.gaps) wire::append_number(stored, 4, gap);
    changes.emplace_back(member, std::move(stored));
  }
  return changes;
}

void AppliedOnce::restore(MemberId member, BytesView stored) {
  Origin origin;
  wire::Reader reader(stored);
  wire::Field field;
  while (reader.next(field)) {
    if (field.number == 1) origin.life = field.value;
    if (field.number == 2) origin.highest = field.value;
    if (field.number == 3) origin.former_lives.push_back(field.value);
    if (field.number == 4) origin.gaps.insert(field.value);
  }
  origins_[member] = std::move(origin);
}

}  // namespace tripod::etcd
