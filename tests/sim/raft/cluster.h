#pragma once
// A cluster under one seed: clients that write and read, a nemesis that breaks things, and then
// peace, in which everything must come right again.

#include <memory>
#include <vector>

#include "platform/sim/board.h"
#include "platform/sim/links.h"
#include "platform/sim/network.h"
#include "tests/sim/raft/node.h"

namespace tripod::etcd::raft::sim {

struct RunOptions {
  std::uint64_t seed = 1;
  std::size_t nodes = 3;
  Duration chaos = std::chrono::milliseconds(2000);
  Fault fault = Fault::none;
  bool membership_changes = true;
  std::function<void(MonotonicTime, std::string_view)> observer;
};

struct RunResult {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
  std::size_t acknowledged = 0;
  std::size_t terms_led = 0;
  std::size_t reads = 0;
};

/// The whole run; the same options give the same result.
RunResult run(const RunOptions& options);

}  // namespace tripod::etcd::raft::sim
