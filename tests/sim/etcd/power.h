#pragma once
// The power goes at every operation of the disk in turn: each write, truncation, sync and rename
// that a scripted load makes, from the founding of the data directory on, with each kind of loss
// (sim::Loss). What the disks would hold then is started again as a cluster of its own, which must
// have every acknowledged write, nothing that was not asked for, no write in part, and the same
// state on all members, by hash; now and then the power goes once more while it starts.
//
// The load is one client's, one request after the other, so the state after each is known.

#include <array>
#include <string>
#include <vector>

#include "platform/sim/disk.h"

namespace tripod::etcd::robustness {

struct PowerOptions {
  std::size_t members = 1;
  std::uint64_t seed = 1;
  std::size_t steps = 32;      // of the load
  std::size_t stride = 1;      // every so many operations of the disks, all of them
  bool every_loss = true;      // else the kinds of loss take turns
  bool old_format = false;     // the load writes raft.db in format 1; what starts again moves it
  bool syncs_ignored = false;  // a mistake to be noticed
};

struct PowerResult {
  std::vector<std::string> violations;
  std::size_t operations = 0;  // of the disks
  std::size_t cuts = 0;        // that were started from again
  std::array<std::size_t, sim::kinds_of_loss> cuts_by_loss{};
  std::size_t cuts_while_starting = 0;
  std::size_t logs_taken_over = 0;  // by members that started from a cut
};

PowerResult cut_power_everywhere(const PowerOptions& options);

/// One line.
std::string to_text(const PowerOptions& options, const PowerResult& result);

}  // namespace tripod::etcd::robustness
