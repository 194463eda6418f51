#include "tests/sim/etcd/clients.h"

#include <algorithm>
#include <format>

#include "platform/async/sync.h"

namespace tripod::etcd::robustness {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Bytes key_of(std::uint64_t number) {
  return std::format("key{}", number);
}

/// One that may still be read, or may have been compacted.
Revision some_revision(World& world) {
  const Revision newest = world.model.known_until();
  const Revision oldest = std::max<Revision>(1, world.model.compacted() - 2);
  return oldest + static_cast<Revision>(
                      world.random().below(static_cast<std::uint64_t>(newest - oldest + 1)));
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
      if (world.lucky(5)) operation.at = some_revision(world);
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
    auto read = known(co_await member->range({.key = operation.key,
                                              .range_end = operation.range_end,
                                              .revision = operation.at,
                                              .serializable = stale}));
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

}  // namespace

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

namespace {

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

Task<Result<>> compact(Member* member, Revision revision) {
  auto done = known(co_await member->compact({.revision = revision}));
  if (!done) co_return std::unexpected(done.error());
  co_return Result<>{};
}

}  // namespace

Task<void> compactor(World* world) {
  while (!world->peace) {
    (void)co_await async::sleep_for(world->cluster.clock(),
                                    milliseconds(300 + world->random().below(4000)));
    const std::size_t node = world->any_node();
    const auto kept = static_cast<Revision>(world->random().below(40));
    const Revision revision = world->seen_by_all() - kept;
    if (revision <= world->model.compacted() || !world->open(node)) continue;
    world->model.compact(revision);  // it may be, from now on
    (void)co_await call(world, node, compact(&world->cluster.member(node), revision));
  }
}

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
    if (!taken) {  // refused at once, perhaps: time has to pass
      (void)co_await async::sleep_for(world->cluster.clock(), milliseconds(50));
      continue;
    }
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

namespace {

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

}  // namespace

void detach_from(World& world, std::size_t node) {
  for (std::size_t i = 0; i < world.watchers.size(); ++i) {
    if (world.watched_node[i] == node) world.watchers[i]->detach();
  }
}

void attach_loose(World& world) {
  for (std::size_t i = 0; i < world.watchers.size(); ++i) {
    const std::size_t node = world.any_node();
    if (!world.watchers[i]->attached() && world.cluster.running(node)) attach(world, i, node);
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

}  // namespace tripod::etcd::robustness
