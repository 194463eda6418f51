#include "firmware/etcd/raft/quorum.h"

#include "platform/base/check.h"

namespace tripod::etcd::raft {

std::size_t majority(std::size_t voters) {
  return voters / 2 + 1;
}

LogIndex majority_match(std::span<const LogIndex> matches) {
  if (matches.empty()) return {};
  std::vector<LogIndex> sorted(matches.begin(), matches.end());
  std::ranges::sort(sorted, std::greater{});
  return sorted[majority(sorted.size()) - 1];
}

Tally tally(std::size_t voters, std::size_t granted, std::size_t rejected) {
  CHECK(granted + rejected <= voters);
  if (voters > 0 && granted >= majority(voters)) return Tally::won;
  // Those who have not answered cannot make up a majority any more.
  if (voters - rejected < majority(voters)) return Tally::lost;
  return Tally::open;
}

}  // namespace tripod::etcd::raft
