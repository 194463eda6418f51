#include "tests/sim/etcd/changing.h"

#include <algorithm>
#include <format>
#include <set>

#include "firmware/etcd/mvcc/key_space/key_space.h"
#include "platform/async/sync.h"
#include "tests/sim/etcd/cluster.h"

namespace tripod::etcd::robustness {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t clients = 4;
constexpr std::size_t boards_max = 7;
constexpr std::size_t members_max = 5;
constexpr Duration patience{seconds(9)};

/// The log is short, so that whoever was away needs a snapshot.
void keep_little(Options& options) {
  options.log_entries_kept = 40;
  options.log_store = {.segment_bytes = 2 * 1024, .wal_pages = 150};
  options.state_commit_bytes = 4 * 1024;
  options.wal_bytes_max = 32 * 1024;
}

struct World {
  explicit World(const ChangingOptions& given) : options(given), cluster(given.seed) {}

  sim::Random& random() { return cluster.random(); }
  bool lucky(std::uint64_t one_in) { return random().below(one_in) == 0; }

  ChangingOptions options;
  ChangingResult result;
  std::vector<int> acknowledged = std::vector<int>(clients, -1);  // by client: its last value
  std::set<std::size_t> spare;                                    // boards without data
  std::set<std::size_t> awaited;                                  // added, not joined yet
  std::map<std::size_t, std::uint64_t> snapshots;                 // of this life of the member
  bool peace = false;
  SimCluster cluster;  // goes first: its clients use the rest
};

template <typename T>
Task<Result<T>> known(Task<grpc::Reply<T>> asked) {
  auto reply = co_await std::move(asked);
  if (!reply) co_return fail(ErrorCode::unavailable, reply.error().message);
  co_return std::move(*reply);
}

/// Each client raises the number under its key.
Task<void> client(World* world, std::size_t number) {
  for (int value = 0; !world->peace;) {
    const auto pause = milliseconds(1 + world->random().below(60));
    (void)co_await async::sleep_for(world->cluster.clock(), pause);
    const std::size_t node = world->random().below(world->cluster.boards());
    if (!world->cluster.running(node)) continue;
    PutRequest put{.key = std::format("client{}", number),
                   .value = std::format("{:08}", value) + Bytes(400, 'x')};
    auto answer = co_await async::with_timeout(
        world->cluster.clock(), patience, known(world->cluster.member(node).put(std::move(put))));
    if (!answer) continue;  // the same number again: it may be there
    world->acknowledged[number] = value++;
    ++world->result.answered;
  }
}

class Administrator {
 public:
  explicit Administrator(World& world) : world_(world), cluster_(world.cluster) {}

  void act() {
    switch (world_.random().below(14)) {
      case 0:
      case 1: crash(any_board()); break;
      case 2: cluster_.isolate(any_board()); break;
      case 3:
      case 4: cluster_.heal(); break;
      case 5: cluster_.set_loss(0.01 * static_cast<double>(world_.random().below(10))); break;
      case 6: move_leader(); break;
      case 7:
      case 8: add(); break;
      case 9:
      case 10: promote(); break;
      case 11: remove_one(); break;
      case 12: replace(any_board()); break;
      default: fall_behind(any_board());
    }
  }

  /// What is down comes up, what was removed goes, who was added joins.
  void tend(bool all) {
    for (std::size_t node = 0; node < cluster_.boards(); ++node) {
      if (cluster_.running(node)) {
        note_snapshots(node);
        if (cluster_.member(node).removed()) retire(node);
      } else if (!world_.spare.contains(node) && !world_.awaited.contains(node) &&
                 (all || world_.lucky(2))) {
        start(node);
      }
    }
    for (const std::size_t node : std::set(world_.awaited)) {
      if (all || world_.lucky(2)) join(node);
    }
  }

  std::vector<MemberInfo> members() {
    const auto asked = ask();
    if (!asked) return {};
    auto list = call(cluster_.member(*asked).member_list({.linearizable = true}));
    return list ? list->members : std::vector<MemberInfo>();
  }

 private:
  std::size_t any_board() { return world_.random().below(cluster_.boards()); }
  std::optional<std::size_t> ask() {
    for (int tries = 0; tries < 20; ++tries) {
      const std::size_t node = any_board();
      if (cluster_.running(node) && !cluster_.member(node).removed()) return node;
    }
    return std::nullopt;
  }
  template <typename T>
  Result<T> call(Task<grpc::Reply<T>> asked) {
    auto answer =
        cluster_.wait(async::with_timeout(cluster_.clock(), patience, known(std::move(asked))));
    if (!answer) ++world_.result.refused;
    return answer;
  }

  void crash(std::size_t node) {
    if (!cluster_.running(node)) return;
    note_snapshots(node);
    cluster_.crash(node);
    world_.snapshots.erase(node);
    ++world_.result.crashes;
  }
  void retire(std::size_t node) {
    note_snapshots(node);
    cluster_.stop(node);
    forget(node);
  }
  void forget(std::size_t node) {
    cluster_.replace_disk(node);
    world_.snapshots.erase(node);
    world_.awaited.erase(node);
    world_.spare.insert(node);
  }
  void start(std::size_t node) {
    auto started = cluster_.try_start(node, [](Options&) {});
    if (started) return;
    if (started.error().message.find("permanently removed") != std::string::npos) {
      forget(node);
    } else {
      world_.result.violations.push_back(
          std::format("node {} does not start: {}", node, started.error().to_string()));
    }
  }
  void note_snapshots(std::size_t node) {
    const std::uint64_t now = cluster_.member(node).installed_snapshots();
    world_.result.snapshots += now - world_.snapshots[node];
    world_.snapshots[node] = now;
  }

  void move_leader() {
    const auto leader = cluster_.find_leader();
    const std::size_t to = any_board();
    if (!leader || !cluster_.running(to)) return;
    (void)call(cluster_.member(*leader).move_leader({.target_id = cluster_.member(to).id()}));
  }
  void add() {
    if (members().size() >= members_max) return;
    if (world_.spare.empty()) {
      if (cluster_.boards() >= boards_max) return;
      world_.spare.insert(cluster_.add_board());
    }
    add_board(*world_.spare.begin(), world_.lucky(2));
  }
  void add_board(std::size_t node, bool learner) {
    const auto asked = ask();
    if (!asked) return;
    auto added = call(cluster_.member(*asked).member_add(
        {.peer_urls = {cluster_.peer_url(node)}, .is_learner = learner}));
    // A change that got lost may have been made.
    if (!added && !listed(node)) return;
    world_.spare.erase(node);
    world_.awaited.insert(node);
    ++world_.result.added;
  }
  bool listed(std::size_t node) {
    return std::ranges::any_of(members(), [&](const MemberInfo& member) {
      return member.peer_urls == std::vector{cluster_.peer_url(node)};
    });
  }
  void join(std::size_t node) {
    const auto leader = cluster_.find_leader();
    if (!leader || !call(cluster_.member(*leader).member_list({.linearizable = true}))) return;
    if (!cluster_.running(*leader) || !cluster_.join(node, *leader, seconds(5))) return;
    world_.awaited.erase(node);
    ++world_.result.joined;
  }
  void promote() {
    for (const MemberInfo& member : members()) {
      const auto asked = ask();
      if (!member.is_learner || !asked) continue;
      if (call(cluster_.member(*asked).member_promote({.id = member.id}))) ++world_.result.promoted;
    }
  }
  void remove_one() {
    const auto all = members();
    if (all.size() <= 2) return;
    remove(all[world_.random().below(all.size())].id);
  }
  bool remove(MemberId id) {
    const auto asked = ask();
    if (!asked || !call(cluster_.member(*asked).member_remove({.id = id}))) return false;
    ++world_.result.removed;
    // A board that was added and has not joined is spare again.
    for (const std::size_t node : std::set(world_.awaited)) {
      if (!listed(node)) forget(node);
    }
    return true;
  }
  /// Its disk dies.
  void replace(std::size_t node) {
    if (!cluster_.running(node) || cluster_.member(node).removed()) return;
    const MemberId id = cluster_.member(node).id();
    const std::size_t voters = static_cast<std::size_t>(std::ranges::count_if(
        members(), [](const MemberInfo& member) { return !member.is_learner; }));
    std::size_t up = 0;
    for (std::size_t each = 0; each < cluster_.boards(); ++each) {
      if (each != node && cluster_.running(each) && !cluster_.member(each).is_learner()) ++up;
    }
    // A majority that loses its disks is lost, whatever one does.
    if (voters < 3 || 2 * up <= voters) return;
    crash(node);
    if (remove(id)) {
      forget(node);
      add_board(node, world_.lucky(2));
    }
  }
  /// Down until the others have cut their logs.
  void fall_behind(std::size_t node) {
    if (!cluster_.running(node) || cluster_.find_leader() == node) return;
    cluster_.isolate(node);
    cluster_.run_for(seconds(5));
    cluster_.heal();
  }

  World& world_;
  SimCluster& cluster_;
};

bool settled(SimCluster& cluster) {
  std::set<std::uint64_t> applied;
  for (std::size_t node = 0; node < cluster.boards(); ++node) {
    if (cluster.running(node)) applied.insert(cluster.member(node).applied_index());
  }
  return applied.size() == 1;
}

void check_state(World& world) {
  SimCluster& cluster = world.cluster;
  std::optional<std::uint32_t> hash;
  for (std::size_t node = 0; node < cluster.boards(); ++node) {
    if (!cluster.running(node)) continue;
    const std::uint32_t own = cluster.member(node).hash(0)->hash;
    if (own != hash.value_or(own)) {
      world.result.violations.push_back(std::format("node {} has another state", node));
    }
    hash = own;
    for (std::size_t number = 0; number < clients; ++number) {
      auto found = cluster.wait(cluster.member(node).range(
          {.key = std::format("client{}", number), .serializable = true}));
      const int value =
          !found || found->kvs.empty() ? -1 : std::stoi(found->kvs[0].value.substr(0, 8));
      if (value < world.acknowledged[number]) {
        world.result.violations.push_back(
            std::format("node {} has {} of client {}, acknowledged was {}", node, value, number,
                        world.acknowledged[number]));
      }
    }
  }
}

void check_peace(World& world, Administrator& administrator) {
  SimCluster& cluster = world.cluster;
  world.peace = true;
  cluster.heal();
  cluster.set_loss(0);
  if (!cluster.run_until([&] { return cluster.scope().idle(); }, seconds(30))) {
    world.result.violations.push_back("a client waits for ever");
    return;
  }
  // Boards that learn of their removal go, and what they are replaced by comes.
  for (int tries = 0; tries < 60; ++tries) {
    administrator.tend(true);
    if (!world.result.violations.empty()) return;
    cluster.run_for(seconds(1));
    if (tries > 10 && world.awaited.empty() && settled(cluster)) break;
  }
  const auto leader = cluster.find_leader();
  auto last = leader ? cluster.wait(cluster.member(*leader).put({.key = "last", .value = "last"}))
                     : grpc::Reply<PutResponse>(reject(outcome::no_leader));
  if (!last) {
    world.result.violations.push_back("no write in peace: " + last.error().message);
  } else if (!cluster.run_until([&] { return settled(cluster); }, seconds(30))) {
    world.result.violations.push_back("members do not agree in peace");
  } else {
    check_state(world);
  }
}

}  // namespace

ChangingResult run_changing(const ChangingOptions& options) {
  World world(options);
  SimCluster& cluster = world.cluster;
  cluster.change_options(keep_little);
  for (std::size_t node = 0; node < cluster.boards(); ++node) {
    cluster.stop(node);
    cluster.start(node);
  }
  cluster.leader();
  for (std::size_t i = 0; i < clients; ++i) cluster.scope().spawn(client(&world, i));
  Administrator administrator(world);
  const MonotonicTime end = cluster.now() + options.chaos;
  while (cluster.now() < end && world.result.violations.empty()) {
    cluster.run_for(milliseconds(500 + world.random().below(3000)));
    administrator.act();
    administrator.tend(false);
  }
  check_peace(world, administrator);
  world.result.trace_hash = cluster.trace_hash();
  return world.result;
}

}  // namespace tripod::etcd::robustness
