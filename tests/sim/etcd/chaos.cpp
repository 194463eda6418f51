#include "tests/sim/etcd/chaos.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/local_client.h"
#include "platform/async/sync.h"
#include "tests/sim/etcd/cluster.h"
#include "tests/sim/etcd/watcher.h"

namespace tripod::etcd::robustness {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t clients = 5;
constexpr std::size_t keys = 6;
constexpr Duration patience{seconds(3)};
constexpr double clock_error_max = 0.05;
const Bytes everything(1, '\0');

/// A key that only its lease may take away.
struct LeaseRecord {
  Bytes key;
  std::int64_t ttl_seconds = 0;
  MonotonicTime kept_at{};  // when the last successful keepalive was asked for
};

struct World {
  explicit World(const RunOptions& given) : options(given), cluster(given.seed) {}

  sim::Random& random() { return cluster.random(); }
  std::size_t any_node() { return random().below(SimCluster::size); }
  bool lucky(std::uint64_t one_in) { return random().below(one_in) == 0; }
  bool open(std::size_t node) const { return cluster.running(node) && leaving != node; }

  RunOptions options;
  History history;
  Model model;
  RunResult result;
  std::vector<std::unique_ptr<LocalClient>> doors;  // of watches; kept to the end
  std::vector<std::unique_ptr<Watcher>> watchers;
  std::vector<std::size_t> watched_node;
  std::map<Bytes, LeaseRecord> leases;
  std::array<int, SimCluster::size> calls{};  // under way
  std::optional<std::size_t> leaving;         // takes no more calls
  bool peace = false;
  int values = 0;
  SimCluster cluster;  // goes first: its clients use the rest
};

Bytes key_of(std::uint64_t number) {
  return std::format("key{}", number);
}

Operation draw(World& world, std::size_t client) {
  Operation operation;
  operation.client = client;
  operation.node = world.any_node();
  operation.key = key_of(world.random().below(keys));
  switch (world.random().below(10)) {
    case 0:
    case 1:
    case 2: operation.kind = Operation::Kind::put; break;
    case 3: operation.kind = Operation::Kind::remove; break;
    case 4: operation.kind = Operation::Kind::pair; break;
    case 5:
    case 6: {
      operation.kind = Operation::Kind::swap;
      auto known = world.model.at(operation.key, world.model.known_until());
      operation.expected = known ? known->mod_revision : 0;
      break;
    }
    default:
      operation.kind = Operation::Kind::read;
      operation.serializable = world.lucky(4);
      if (world.lucky(2)) operation.range_end = "kez";
  }
  const bool writes =
      operation.kind != Operation::Kind::read && operation.kind != Operation::Kind::remove;
  if (writes) operation.value = std::format("value{}", ++world.values);
  return operation;
}

TxnRequest transaction(const Operation& operation) {
  TxnRequest request;
  const PutRequest put{.key = operation.key, .value = operation.value};
  request.success.push_back({put});
  if (operation.kind == Operation::Kind::pair) {
    request.success.push_back({PutRequest{.key = operation.key + "+", .value = operation.value}});
    return request;
  }
  request.compare.push_back({.result = CompareResult::equal,
                             .target = CompareTarget::mod,
                             .key = operation.key,
                             .number = operation.expected,
                             .value = {},
                             .range_end = {}});
  request.failure.push_back({RangeRequest{.key = operation.key, .range_end = {}}});
  return request;
}

/// What a member's answer says, or that it refused.
template <typename T>
Result<T> known(Reply<T> reply) {
  if (!reply) return fail(ErrorCode::unavailable, reply.error().message);
  return std::move(*reply);
}

/// Fails when it is not known whether the operation took effect.
Task<Result<Operation>> ask(Member* member, Operation operation, Fault fault) {
  if (operation.kind == Operation::Kind::put) {
    auto put = known(co_await member->put({.key = operation.key, .value = operation.value}));
    if (!put) co_return std::unexpected(put.error());
    operation.revision = put->header.revision;
  } else if (operation.kind == Operation::Kind::remove) {
    auto removed = known(co_await member->delete_range({.key = operation.key, .range_end = {}}));
    if (!removed) co_return std::unexpected(removed.error());
    operation.revision = removed->header.revision;
    operation.deleted = removed->deleted;
  } else if (operation.kind == Operation::Kind::read) {
    const bool stale = operation.serializable || fault == Fault::reads_are_stale;
    auto read = known(co_await member->range(
        {.key = operation.key, .range_end = operation.range_end, .serializable = stale}));
    if (!read) co_return std::unexpected(read.error());
    operation.revision = read->header.revision;
    operation.kvs = std::move(read->kvs);
  } else {
    auto txn = known(co_await member->txn(transaction(operation)));
    if (!txn) co_return std::unexpected(txn.error());
    operation.revision = txn->header.revision;
    operation.succeeded = txn->succeeded;
    if (!txn->succeeded) {
      operation.kvs = std::move(std::get<RangeResponse>(txn->responses.at(0).response).kvs);
    }
  }
  co_return operation;
}

/// Waits for an answer, with a client's patience.
template <typename T>
Task<Result<T>> call(World* world, std::size_t node, Task<Result<T>> work) {
  ++world->calls[node];
  auto answer = co_await async::with_timeout(world->cluster.clock(), patience, std::move(work));
  --world->calls[node];
  co_return answer;
}

/// One client: asks, waits for the answer, thinks, until there is peace.
Task<void> client(World* world, std::size_t number) {
  while (!world->peace) {
    const auto pause = milliseconds(1 + world->random().below(60));
    (void)co_await async::sleep_for(world->cluster.clock(), pause);
    Operation operation = draw(*world, number);
    const std::size_t node = operation.node;
    if (!world->open(node)) continue;
    Member& member = world->cluster.member(node);
    const std::size_t place = world->history.begin(operation);
    auto answer =
        co_await call(world, node, ask(&member, std::move(operation), world->options.fault));
    if (answer) {
      world->history.end(place, std::move(*answer));
      ++world->result.answered;
    } else {
      ++world->result.unanswered;
    }
  }
}

Task<Result<>> grant_and_put(Member* member, LeaseGrantRequest grant, Bytes key) {
  auto granted = known(co_await member->lease_grant(grant));
  if (!granted) co_return std::unexpected(granted.error());
  auto put = known(co_await member->put({.key = key, .value = key, .lease = grant.id}));
  if (!put) co_return std::unexpected(put.error());
  co_return Result<>{};
}

Task<Result<>> keep_alive(Member* member, LeaseId id) {
  auto kept = known(co_await member->lease_keep_alive({.id = id}));
  if (!kept) co_return std::unexpected(kept.error());
  if (kept->ttl == 0) co_return fail(ErrorCode::not_found, "the lease is gone");
  co_return Result<>{};
}

/// Takes leases, keeps each alive for a while, and lets it run out.
Task<void> lease_holder(World* world) {
  for (LeaseId id = 1; !world->peace; ++id) {
    const Bytes key = std::format("lease{}", id);
    const std::int64_t ttl = 3 + static_cast<std::int64_t>(world->random().below(4));
    MonotonicTime asked = world->cluster.now();
    std::size_t node = world->any_node();
    if (!world->open(node)) {
      (void)co_await async::sleep_for(world->cluster.clock(), milliseconds(200));
      continue;
    }
    auto taken = co_await call(
        world, node, grant_and_put(&world->cluster.member(node), {.ttl = ttl, .id = id}, key));
    if (!taken) continue;
    world->leases[key] = {key, ttl, asked};
    for (std::uint64_t rounds = world->random().below(6); rounds > 0 && !world->peace; --rounds) {
      (void)co_await async::sleep_for(world->cluster.clock(), seconds(1));
      asked = world->cluster.now();
      node = world->any_node();
      if (!world->open(node)) continue;
      auto kept = co_await call(world, node, keep_alive(&world->cluster.member(node), id));
      if (kept) world->leases[key].kept_at = asked;
      if (!kept && kept.error() == ErrorCode::not_found) break;
    }
  }
}

/// Notices leased keys that go before their time. A stale leader may have acknowledged a keepalive
/// for an election timeout after it was replaced, and clocks run apart.
void check_lease(World& world, const Event& event) {
  auto lease = world.leases.find(event.kv.key);
  if (event.type != EventType::remove || lease == world.leases.end()) return;
  const Duration ttl = seconds(lease->second.ttl_seconds);
  const auto least = std::chrono::duration_cast<Duration>(ttl * (1 - 2 * clock_error_max)) -
                     2 * Options().election_timeout;
  if (world.cluster.now() < lease->second.kept_at + least) {
    world.result.violations.push_back(event.kv.key + " went before its lease ran out");
  }
}

void attach(World& world, std::size_t watcher, std::size_t node) {
  auto& door = world.doors.emplace_back(std::make_unique<LocalClient>(world.cluster.member(node)));
  world.watched_node[watcher] = node;
  const bool skips = world.options.fault == Fault::watch_resumes_too_late;
  world.watchers[watcher]->attach(*door, skips ? 1 : 0);
}

void detach_from(World& world, std::size_t node) {
  for (std::size_t i = 0; i < world.watchers.size(); ++i) {
    if (world.watched_node[i] == node) world.watchers[i]->detach();
  }
}

/// Whoever has no watch gets one at a member that lives.
void attach_loose(World& world) {
  for (std::size_t i = 0; i < world.watchers.size(); ++i) {
    const std::size_t node = world.any_node();
    if (!world.watchers[i]->attached() && world.cluster.running(node)) attach(world, i, node);
  }
}

/// What the nemesis does, one thing at a time.
class Nemesis {
 public:
  explicit Nemesis(World& world) : world_(world), cluster_(world.cluster) {
    for (std::size_t node = 0; node < SimCluster::size; ++node) hook(node);
  }
  ~Nemesis() {
    for (std::size_t node = 0; node < SimCluster::size; ++node) {
      cluster_.board(node).storage_lane().set_hooks({}, {});
    }
  }
  Nemesis(const Nemesis&) = delete;
  Nemesis& operator=(const Nemesis&) = delete;

  void act() {
    const std::size_t node = world_.any_node();
    switch (world_.random().below(14)) {
      case 0:
      case 1: crash(node); break;
      case 2:
        for (std::size_t each = 0; each < SimCluster::size; ++each) crash(each);
        break;
      case 3:
        if (cluster_.running(node)) stop(node);
        break;
      case 4: cluster_.isolate(node); break;
      case 5: cluster_.cut((node + 1) % SimCluster::size, node); break;
      case 6:
      case 7: cluster_.heal(); break;
      case 8: pause(node, milliseconds(50 + world_.random().below(2500))); break;
      case 9: {
        const double error =
            clock_error_max * (static_cast<double>(world_.random().below(201)) - 100) / 100;
        cluster_.board(node).clock().set_rate(1 + error);
        break;
      }
      case 10:
        cluster_.board(node).clock().jump_wall(seconds(world_.random().below(7200)) -
                                               seconds(3600));
        break;
      case 11:
        cluster_.board(node).storage_lane().set_latency(
            milliseconds(1), milliseconds(1 + world_.random().below(300)));
        break;
      case 12: cluster_.set_loss(0.01 * static_cast<double>(world_.random().below(20))); break;
      default: armed_ = true;
    }
  }

  void make_peace() {
    armed_ = false;
    cluster_.heal();
    cluster_.set_loss(0);
    for (std::size_t node = 0; node < SimCluster::size; ++node) {
      cluster_.board(node).queue().set_paused(false);
      cluster_.board(node).clock().set_rate(1);
      cluster_.board(node).storage_lane().set_latency(std::chrono::microseconds(100),
                                                      milliseconds(2));
    }
    start_all();
  }

  void start_some() {
    for (std::size_t node = 0; node < SimCluster::size; ++node) {
      if (!cluster_.running(node) && world_.lucky(2)) start(node);
    }
  }
  void start_all() {
    for (std::size_t node = 0; node < SimCluster::size; ++node) {
      if (!cluster_.running(node)) start(node);
    }
  }

 private:
  /// Now and then the power goes between two operations of the disk that a commit makes.
  void hook(std::size_t node) {
    sim::Disk& disk = cluster_.board(node).disk();
    cluster_.board(node).storage_lane().set_hooks(
        [this, &disk] {
          if (armed_) disk.trip_after(world_.random().below(12));
        },
        [this, &disk, node] {
          if (!disk.tripped()) {
            disk.trip_never();
            return true;
          }
          armed_ = false;
          ++world_.result.crashes_in_a_write;
          crash(node);
          return false;
        });
  }

  void crash(std::size_t node) {
    if (!cluster_.running(node)) return;
    detach_from(world_, node);
    cluster_.board(node).queue().set_paused(false);
    cluster_.crash(node);
    ++world_.result.crashes;
  }
  /// As a board stops: first nobody is let in, then the member goes.
  void stop(std::size_t node) {
    cluster_.board(node).queue().set_paused(false);
    detach_from(world_, node);
    world_.leaving = node;
    const bool drained = cluster_.run_until([&] { return world_.calls[node] == 0; }, 2 * patience);
    world_.leaving.reset();
    if (!drained) return world_.result.violations.push_back("a call does not end");
    armed_ = false;
    if (cluster_.running(node)) cluster_.stop(node);  // or a crash came first
  }
  void start(std::size_t node) {
    auto started = cluster_.try_start(node, [](Options&) {});
    if (!started) {
      world_.result.violations.push_back(
          std::format("node {} does not start: {}", node, started.error().to_string()));
    }
  }
  void pause(std::size_t node, Duration time) {
    if (!cluster_.running(node)) return;
    cluster_.board(node).queue().set_paused(true);
    cluster_.after(time, [this, node] { cluster_.board(node).queue().set_paused(false); });
  }

  World& world_;
  SimCluster& cluster_;
  bool armed_ = false;
};

bool settled(World& world) {
  SimCluster& cluster = world.cluster;
  for (std::size_t node = 1; node < SimCluster::size; ++node) {
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
    for (const auto& watcher : world.watchers) watcher->request_progress();
    cluster.run_for(seconds(1));
  }
  for (std::size_t node = 0; node < SimCluster::size; ++node) {
    if (cluster.member(node).hash(0)->hash != cluster.member(0).hash(0)->hash) {
      violations.push_back(std::format("node {} has another state than node 0", node));
    }
  }
  for (const KeyValue& kv : world.model.range_at("lease", "leasf", world.model.known_until())) {
    violations.push_back(kv.key + " outlived its lease");
  }
}

void add_watchers(World& world) {
  const auto add = [&](Bytes key, Bytes range_end) {
    world.watchers.push_back(std::make_unique<Watcher>(
        std::format("watch {}", world.watchers.size()), key, range_end, world.model));
    world.watchers.back()->on_event = [&world](const Event& event) { check_lease(world, event); };
    world.watched_node.push_back(0);
  };
  for (int i = 0; i < 3; ++i) add(everything, everything);
  add("key1", "key4");
  add("key2", {});
}

}  // namespace

RunResult run(const RunOptions& options) {
  World world(options);
  SimCluster& cluster = world.cluster;
  if (options.fault == Fault::disk_ignores_syncs) {
    for (std::size_t node = 0; node < SimCluster::size; ++node) {
      cluster.board(node).disk().ignore_syncs();
    }
  }
  cluster.leader();
  add_watchers(world);
  attach_loose(world);
  for (std::size_t i = 0; i < clients; ++i) cluster.scope().spawn(client(&world, i));
  cluster.scope().spawn(lease_holder(&world));
  Nemesis nemesis(world);
  const MonotonicTime end = cluster.now() + options.chaos;
  while (cluster.now() < end && world.result.violations.empty()) {
    cluster.run_for(milliseconds(100 + world.random().below(1500)));
    if (world.lucky(2)) nemesis.act();
    nemesis.start_some();
    attach_loose(world);
    world.watchers[world.random().below(world.watchers.size())]->request_progress();
  }
  check_peace(world, nemesis);
  auto found = std::back_inserter(world.result.violations);
  for (const auto& watcher : world.watchers) {
    watcher->detach();
    std::ranges::copy(watcher->check(), found);
  }
  std::ranges::copy(world.history.check(world.model), found);
  world.result.revisions = world.model.known_until();
  world.result.trace_hash = cluster.trace_hash();
  return world.result;
}

}  // namespace tripod::etcd::robustness
