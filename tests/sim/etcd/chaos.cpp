#include "tests/sim/etcd/chaos.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/mvcc/key_space/key_space.h"
#include "tests/sim/etcd/clients.h"
#include "tests/sim/etcd/nemesis.h"
#include "tests/sim/etcd/world.h"

namespace tripod::etcd::robustness {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t trial_one_in = 2;

std::size_t members_of(const RunOptions& options) {
  if (options.members != 0) return options.members;
  return options.seed % 4 == 0 ? 5 : 3;
}

/// Members at the same place in the log hold the same state.
void compare_members(World& world) {
  SimCluster& cluster = world.cluster;
  std::map<std::uint64_t, std::pair<std::size_t, std::uint32_t>> seen;  // by applied index
  for (std::size_t node = 0; node < cluster.boards(); ++node) {
    if (!cluster.running(node) || cluster.board(node).queue().paused()) continue;
    const std::uint32_t hash = cluster.member(node).hash(0)->hash;
    const auto [first, fresh] =
        seen.emplace(cluster.member(node).applied_index(), std::pair(node, hash));
    if (fresh) continue;
    ++world.result.comparisons;
    if (first->second.second == hash) continue;
    world.result.violations.push_back(std::format("node {} and node {} differ at index {}",
                                                  first->second.first, node, first->first));
  }
}

bool settled(World& world) {
  SimCluster& cluster = world.cluster;
  for (std::size_t node = 1; node < cluster.boards(); ++node) {
    if (cluster.member(node).applied_index() != cluster.member(0).applied_index()) return false;
  }
  return std::ranges::all_of(world.watchers, [&](const auto& watcher) {
    return watcher->seen() >= cluster.member(0).revision();
  });
}

/// Equal members, nothing leased left, watches complete.
void check_peace(World& world, Nemesis& nemesis) {
  nemesis.make_peace();
  world.peace = true;
  auto& violations = world.result.violations;
  if (!violations.empty()) return;
  SimCluster& cluster = world.cluster;
  if (!cluster.run_until([&] { return cluster.scope().idle(); }, seconds(30))) {
    violations.push_back("a client waits for ever");
    return;
  }
  cluster.run_for(seconds(15));  // the longest lease, and an election
  attach_loose(world);
  auto last = cluster.wait(cluster.member(0).put({.key = "last", .value = "last"}));
  if (!last) {
    violations.push_back("no write in peace: " + last.error().message);
    return;
  }
  for (int tries = 0; !settled(world); ++tries) {
    if (tries == 30) {
      violations.push_back("members or watches do not agree in peace");
      return;
    }
    attach_loose(world);
    for (const auto& watcher : world.watchers) watcher->request_progress();
    cluster.run_for(seconds(1));
  }
  compare_members(world);
  for (const KeyValue& kv : world.model.range_at("lease", "leasf", world.model.known_until())) {
    violations.push_back(kv.key + " outlived its lease");
  }
}

/// Some starts are those of a release on trial: raft.db begins in format 1, which a later start
/// moves, in the middle of whatever happens.
SimCluster::Change sometimes_on_trial(std::uint64_t seed) {
  // Of its own seed: what the simulation draws stays as it is.
  return [chance = sim::Random(~seed)](Options& start) mutable {
    start.log_store.keep_format = chance.below(trial_one_in) == 0;
  };
}

/// What clients saw, held against one order of it all.
void check_histories(World& world) {
  auto found = std::back_inserter(world.result.violations);
  std::ranges::copy(world.cluster.violations(), found);
  for (const auto& watcher : world.watchers) {
    watcher->detach();
    std::ranges::copy(watcher->check(), found);
  }
  std::ranges::copy(world.history.check(world.model), found);
}

}  // namespace

World::World(const RunOptions& given)
    : options(given),
      calls(members_of(given)),
      cluster(given.seed, {.size = members_of(given), .change = sometimes_on_trial(given.seed)}) {}

Revision World::seen_by_all() const {
  Revision seen = model.known_until();
  for (const auto& watcher : watchers) {
    if (watcher->watches_everything()) seen = std::min(seen, watcher->seen());
  }
  return seen;
}

RunResult run(const RunOptions& options) {
  World world(options);
  SimCluster& cluster = world.cluster;
  if (options.fault == Fault::disk_ignores_syncs) {
    for (std::size_t node = 0; node < cluster.boards(); ++node) {
      cluster.board(node).disk().ignore_syncs();
    }
  }
  cluster.leader();
  add_watchers(world);
  attach_loose(world);
  for (std::size_t i = 0; i < clients; ++i) cluster.scope().spawn(client(&world, i));
  cluster.scope().spawn(lease_holder(&world));
  cluster.scope().spawn(compactor(&world));
  Nemesis nemesis(world);
  const MonotonicTime end = cluster.now() + options.chaos;
  while (cluster.now() < end && world.result.violations.empty() && cluster.violations().empty()) {
    cluster.run_for(milliseconds(100 + world.random().below(1500)));
    if (!world.lucky(3)) nemesis.act();
    nemesis.start_some();
    attach_loose(world);
    world.watchers[world.random().below(world.watchers.size())]->request_progress();
    compare_members(world);
  }
  check_peace(world, nemesis);
  check_histories(world);
  world.result.revisions = world.model.known_until();
  world.result.compacted = world.model.compacted();
  world.result.logs_taken_over = cluster.logs_taken_over();
  world.result.trace_hash = cluster.trace_hash();
  return world.result;
}

}  // namespace tripod::etcd::robustness
