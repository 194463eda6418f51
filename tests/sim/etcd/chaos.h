#pragma once
// Whole members under one seed: clients that write, read, watch and lease, a nemesis that takes
// members, links, disks and clocks from them, and then peace, in which everything must come right
// again. What clients saw is then held against one order of it all (history.h, watcher.h).

#include <string>
#include <vector>

#include "firmware/etcd/mvcc/state_db/revision.h"
#include "platform/base/time.h"

namespace tripod::etcd::robustness {

/// Rules broken on purpose, each of which must be noticed.
enum class Fault : std::uint8_t {
  none,
  disk_ignores_syncs,     // an fsync that does nothing
  reads_are_stale,        // linearizable reads answered by one member alone
  watch_resumes_too_late  // an event dropped at each reconnect
};

struct RunOptions {
  std::uint64_t seed = 1;
  std::size_t members = 0;  // 0: three, and five in every fourth seed
  Duration chaos = std::chrono::seconds(20);
  Fault fault = Fault::none;
};

struct RunResult {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
  std::size_t answered = 0;    // operations
  std::size_t unanswered = 0;  // they may have happened
  std::size_t crashes = 0;
  std::size_t crashes_in_a_write = 0;  // between two operations of the disk
  std::size_t disk_errors = 0;
  std::size_t hand_overs = 0;
  std::size_t comparisons = 0;      // of members at the same index
  std::size_t logs_taken_over = 0;  // from the format of the release before
  Revision compacted = 0;
  std::int64_t revisions = 0;
};

/// The whole run; the same options give the same result.
RunResult run(const RunOptions& options);

}  // namespace tripod::etcd::robustness
