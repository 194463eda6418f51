#pragma once
// What a member finds of itself at start.

#include <vector>

#include "firmware/etcd/raft/types.h"

namespace tripod::etcd::raft {

/// What the file says at start; the seed of Raft::create.
struct Recovered {
  bool founded = false;  // false: a new file, found() comes first
  HardState hard_state;
  ConfState conf_state;
  LogPosition base;  // everything up to here is compacted; {0, 0} when nothing is
  LogIndex last;
  std::vector<TermRun> term_runs;      // of the entries after base, rising
  std::vector<LogIndex> conf_changes;  // entries of that type after conf_state.index, rising
};

}  // namespace tripod::etcd::raft
