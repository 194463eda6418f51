#pragma once
// A cluster whose members change under one seed: boards join as voters and learners, are promoted,
// removed, lose their disks and are replaced, fall behind and are sent snapshots, while clients
// write, leaders move, members crash and links break. Then there is peace, in which all members
// must hold the same state and every acknowledged write.

#include <string>
#include <vector>

#include "platform/base/time.h"

namespace tripod::etcd::robustness {

struct ChangingOptions {
  std::uint64_t seed = 1;
  Duration chaos = std::chrono::seconds(60);
};

struct ChangingResult {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
  std::size_t answered = 0;
  std::size_t crashes = 0;
  std::size_t added = 0;
  std::size_t promoted = 0;
  std::size_t removed = 0;
  std::size_t joined = 0;
  std::size_t snapshots = 0;
  std::size_t refused = 0;  // changes
};

/// The whole run; the same options give the same result.
ChangingResult run_changing(const ChangingOptions& options);

}  // namespace tripod::etcd::robustness
