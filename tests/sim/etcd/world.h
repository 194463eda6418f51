#pragma once
// What one run is made of, shared by its clients (clients.h) and its nemesis (nemesis.h).

#include <format>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/etcd/chaos.h"
#include "tests/sim/etcd/cluster.h"
#include "tests/sim/etcd/watcher.h"

namespace tripod::etcd::robustness {

inline constexpr std::size_t clients = 5;
inline constexpr std::size_t keys = 6;
inline constexpr Duration patience{std::chrono::seconds(3)};
inline constexpr double clock_error_max = 0.05;
inline const Bytes everything(1, '\0');

/// A key that only its lease may take away.
struct LeaseRecord {
  Bytes key;
  std::int64_t ttl_seconds = 0;
  MonotonicTime kept_at{};  // when the last successful keepalive was asked for
};

struct World {
  explicit World(const RunOptions& given);

  sim::Random& random() { return cluster.random(); }
  std::size_t any_node() { return random().below(cluster.boards()); }
  bool lucky(std::uint64_t one_in) { return random().below(one_in) == 0; }
  bool open(std::size_t node) const { return cluster.running(node) && leaving != node; }
  /// Everything up to here was told to every watch of everything.
  Revision seen_by_all() const;

  RunOptions options;
  History history;
  Model model;
  RunResult result;
  std::vector<std::unique_ptr<LocalClient>> doors;  // of watches; kept to the end
  std::vector<std::unique_ptr<Watcher>> watchers;
  std::vector<std::size_t> watched_node;
  std::map<Bytes, LeaseRecord> leases;
  std::vector<int> calls;              // under way, by node
  std::optional<std::size_t> leaving;  // takes no more calls
  bool peace = false;
  int values = 0;
  SimCluster cluster;  // goes first: its clients use the rest
};

}  // namespace tripod::etcd::robustness
