#pragma once
// Which commands were applied already, so that a member may propose one again when it does not know
// what became of it (its leader died): the second one in the log does nothing. Part of the state:
// every member reckons the same from the log.
//
// Each life of a member numbers its commands from 1 on. Remembered are the highest number applied
// and the gaps below it; a new life of the member ends the former ones, whose callers are gone.

#include <map>
#include <set>
#include <vector>

#include "firmware/etcd/mvcc/commands/command.h"

namespace tripod::etcd {

class AppliedOnce {
 public:
  static constexpr std::size_t gaps_max = 16'384;
  static constexpr std::size_t former_lives_max = 16;

  /// True the first time. A command that fell out of memory counts as applied.
  bool first(const CommandId& id);

  /// What changed since the last call, by origin: to be stored under that name.
  std::vector<std::pair<MemberId, Bytes>> take_changes();
  void restore(MemberId origin, BytesView stored);

 private:
  struct Origin {
    std::uint64_t life = 0;
    std::uint64_t highest = 0;
    std::set<std::uint64_t> gaps;
    std::vector<std::uint64_t> former_lives;
  };

  std::map<MemberId, Origin> origins_;
  std::set<MemberId> changed_;
};

}  // namespace tripod::etcd
