#pragma once
// Majorities of voters.

#include <functional>
#include <span>

#include "firmware/etcd/raft/types.h"

namespace tripod::etcd::raft {

enum class Tally : std::uint8_t { open, won, lost };

/// 1 -> 1, 2 -> 2, 3 -> 2, 4 -> 3, 5 -> 3.
std::size_t majority(std::size_t voters);

/// The highest index that a majority has. `matches` in any order, one per voter; 0 for no voters.
LogIndex majority_match(std::span<const LogIndex> matches);

Tally tally(std::size_t voters, std::size_t granted, std::size_t rejected);

}  // namespace tripod::etcd::raft
