#include "tests/sim/etcd/power.h"

#include <algorithm>
#include <deque>
#include <format>

#include "firmware/etcd/mvcc/key_space/key_space.h"
#include "tests/sim/etcd/cluster.h"

namespace tripod::etcd::robustness {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration pause_between_steps = milliseconds(20);
constexpr std::uint64_t starting_cut_one_in = 8;
constexpr std::uint64_t operations_of_a_start = 30;  // about
constexpr std::size_t violations_max = 20;
const Bytes everything(1, '\0');

/// Small numbers, so that checkpoints and cuts of the log happen within the load.
void make_busy(Options& options) {
  options.state_commit_interval = milliseconds(150);
  options.state_commit_bytes = 8 * 1024;
  options.wal_bytes_max = 96 * 1024;
  options.log_entries_kept = 8;
  options.log_store = {.segment_bytes = 1024, .wal_pages = 60};
}

void make_busy_on_trial(Options& options) {
  make_busy(options);
  options.log_store.keep_format = true;
}

/// What must be the same after a restart.
struct State {
  Revision revision = 0;
  std::uint32_t hash = 0;
  std::vector<LeaseId> leases;
  friend bool operator==(const State&, const State&) = default;
};

/// The disks as one power cut leaves them, and what the client knew by then.
struct Cut {
  std::size_t operation = 0;
  sim::Loss loss = sim::Loss::everything;
  bool while_starting = false;
  std::size_t acknowledged = 0;
  std::size_t asked = 0;
  std::vector<sim::Disk::Image> disks;
};

/// A cluster that came up again; compared when the states of the load are known.
struct Outcome {
  Cut cut;  // without its disks
  State state;
};

std::string to_text(const Cut& cut) {
  constexpr std::array<std::string_view, sim::kinds_of_loss> names = {"everything", "a tail",
                                                                      "some", "torn", "flipped"};
  return std::format("power cut at operation {}{}, losing {}, after {} acknowledged steps",
                     cut.operation, cut.while_starting ? " and while starting again" : "",
                     names[static_cast<std::size_t>(cut.loss)], cut.acknowledged);
}

template <typename Reply>
bool acknowledged(const Reply& reply) {
  CHECK(reply.has_value(), reply ? "" : reply.error().message);
  return true;
}

/// One step of the load: all kinds of writes, of all sizes of pages.
Task<bool> perform(Member* member, std::size_t step) {
  const Bytes key = std::format("key{}", step % 7);
  const Bytes value = std::format("{} ", step) + Bytes((step * 37) % 600, 'v');
  switch (step % 8) {
    case 3: {
      TxnRequest txn;
      txn.success.push_back({PutRequest{.key = key, .value = value}});
      txn.success.push_back({DeleteRangeRequest{.key = "key1", .range_end = "key3"}});
      txn.success.push_back({PutRequest{.key = key + "+", .value = value}});
      co_return acknowledged(co_await member->txn(std::move(txn)));
    }
    case 4: co_return acknowledged(co_await member->put({.key = key, .value = Bytes(9000, 'l')}));
    case 5: co_return acknowledged(co_await member->delete_range({.key = key, .range_end = {}}));
    case 6: {
      const auto id = static_cast<LeaseId>(step);
      co_return acknowledged(co_await member->lease_grant({.ttl = 3600, .id = id}));
    }
    case 7: {
      if (step % 16 == 7) {
        const auto lease = static_cast<LeaseId>(step - 1);
        co_return acknowledged(co_await member->put({.key = key, .value = value, .lease = lease}));
      }
      co_return acknowledged(co_await member->compact({.revision = member->revision() - 2}));
    }
    default: co_return acknowledged(co_await member->put({.key = key, .value = value}));
  }
}

class Experiment {
 public:
  explicit Experiment(const PowerOptions& options)
      : options_(options),
        cluster_(options.seed, {.size = options.members,
                                .change = options.old_format ? make_busy_on_trial : make_busy,
                                .start = false}),
        chance_(options.seed) {}

  PowerResult run() {
    for (std::size_t node = 0; node < options_.members; ++node) {
      sim::Disk& disk = cluster_.board(node).disk();
      if (options_.syncs_ignored) disk.ignore_syncs();
      disk.set_observer([this] { on_operation(); });
    }
    for (std::size_t node = 0; node < options_.members; ++node) cluster_.start(node);
    go_on([this] { return cluster_.find_leader().has_value(); });
    states_.push_back(state_of(cluster_, 0));
    for (std::size_t step = 1; step <= options_.steps; ++step) take(step);
    rest(seconds(1));
    for (std::size_t node = 0; node < options_.members; ++node) {
      cluster_.board(node).disk().set_observer({});
    }
    compare();
    return std::move(result_);
  }

 private:
  void take(std::size_t step) {
    const std::size_t node = step % options_.members;
    bool done = false;
    asked_ = step;
    cluster_.scope().spawn([](Member* member, std::size_t number, bool* out) -> Task<void> {
      *out = co_await perform(member, number);
    }(&cluster_.member(node), step, &done));
    go_on([&done] { return done; });
    acknowledged_ = step;
    states_.push_back(state_of(cluster_, node));
    rest(pause_between_steps);
  }

  /// Runs the load's cluster, and between its events those that power cuts left.
  void go_on(const std::function<bool()>& done) {
    CHECK(cluster_.run_until(
              [&] {
                start_again();
                return done();
              },
              seconds(60)),
          "the load does not go on");
  }
  void rest(Duration time) {
    cluster_.run_until(
        [this] {
          start_again();
          return false;
        },
        time);
    start_again();
  }

  void on_operation() {
    ++result_.operations;
    if (result_.operations % options_.stride != 0) return;
    const std::size_t turn = result_.operations / options_.stride;
    for (std::size_t kind = 0; kind < sim::kinds_of_loss; ++kind) {
      if (!options_.every_loss && turn % sim::kinds_of_loss != kind) continue;
      cut(cluster_, {.operation = result_.operations,
                     .loss = static_cast<sim::Loss>(kind),
                     .acknowledged = acknowledged_,
                     .asked = asked_});
    }
  }

  void cut(SimCluster& cluster, Cut cut) {
    for (std::size_t node = 0; node < options_.members; ++node) {
      cut.disks.push_back(cluster.board(node).disk().image_after_cut(chance_, cut.loss));
    }
    cuts_.push_back(std::move(cut));
  }

  void start_again() {
    while (!cuts_.empty() && result_.violations.size() < violations_max) {
      Cut cut = std::move(cuts_.front());
      cuts_.pop_front();
      start_again_from(std::move(cut));
    }
  }

  void start_again_from(Cut cut) {
    SimCluster cluster(options_.seed + 1,
                       {.size = options_.members, .change = make_busy, .start = false});
    std::uint64_t operations_left = !cut.while_starting && chance_.below(starting_cut_one_in) == 0
                                        ? 1 + chance_.below(operations_of_a_start)
                                        : 0;
    ++result_.cuts;
    ++result_.cuts_by_loss[static_cast<std::size_t>(cut.loss)];
    if (cut.while_starting) ++result_.cuts_while_starting;
    for (std::size_t node = 0; node < options_.members; ++node) {
      sim::Disk& disk = cluster.board(node).disk();
      disk.restore(cut.disks[node]);
      disk.set_observer([&] {
        if (operations_left == 0 || --operations_left > 0) return;
        Cut again = cut;
        again.while_starting = true;
        again.disks.clear();
        this->cut(cluster, std::move(again));
      });
    }
    if (come_up(cluster, cut)) {
      cut.disks.clear();
      outcomes_.push_back({cut, state_of(cluster, 0)});
    }
    for (std::size_t node = 0; node < options_.members; ++node) {
      cluster.board(node).disk().set_observer({});
    }
    result_.logs_taken_over += cluster.logs_taken_over();
  }

  void violated(const Cut& cut, std::string_view what) {
    result_.violations.push_back(std::format("{}: {}", to_text(cut), what));
  }

  bool come_up(SimCluster& cluster, const Cut& cut) {
    for (std::size_t node = 0; node < options_.members; ++node) {
      auto started = cluster.try_start(node, [](Options&) {});
      if (!started) {
        violated(cut,
                 std::format("member {} does not start: {}", node, started.error().to_string()));
        return false;
      }
    }
    if (!cluster.run_until([&] { return cluster.find_leader().has_value(); }, seconds(30))) {
      violated(cut, "no leader");
      return false;
    }
    const std::size_t reader = cut.operation % options_.members;
    auto read =
        cluster.wait(cluster.member(reader).range({.key = everything, .range_end = everything}));
    if (!read) {
      violated(cut, "no read: " + read.error().message);
      return false;
    }
    const bool agree = cluster.run_until(
        [&] {
          for (std::size_t node = 1; node < options_.members; ++node) {
            if (cluster.member(node).applied_index() != cluster.member(0).applied_index()) {
              return false;
            }
          }
          return true;
        },
        seconds(30));
    if (!agree) {
      violated(cut, "the members do not get to the same index");
      return false;
    }
    for (std::size_t node = 1; node < options_.members; ++node) {
      if (state_of(cluster, node) == state_of(cluster, 0)) continue;
      violated(cut, std::format("member {} has another state than member 0", node));
      return false;
    }
    return true;
  }

  static State state_of(SimCluster& cluster, std::size_t node) {
    Member& member = cluster.member(node);
    State state{member.revision(), member.hash(0)->hash, {}};
    for (const auto& lease : cluster.wait(member.lease_leases())->leases) {
      state.leases.push_back(lease.id);
    }
    std::ranges::sort(state.leases);
    return state;
  }

  /// What came up again must be the state after all acknowledged steps, or after the one on its way
  /// as well.
  void compare() {
    for (const Outcome& outcome : outcomes_) {
      const auto first = states_.begin() + static_cast<std::ptrdiff_t>(outcome.cut.acknowledged);
      const auto last = states_.begin() + static_cast<std::ptrdiff_t>(outcome.cut.asked) + 1;
      if (std::find(first, last, outcome.state) != last) continue;
      if (result_.violations.size() == violations_max) return;
      violated(outcome.cut,
               std::format("came up at revision {} with {} leases, where revision {} with {} or, "
                           "with the step under way, {} with {} was",
                           outcome.state.revision, outcome.state.leases.size(), first->revision,
                           first->leases.size(), (last - 1)->revision, (last - 1)->leases.size()));
    }
  }

  PowerOptions options_;
  PowerResult result_;
  std::deque<Cut> cuts_;
  std::vector<Outcome> outcomes_;
  std::vector<State> states_;  // after so many steps
  std::size_t acknowledged_ = 0;
  std::size_t asked_ = 0;
  SimCluster cluster_;
  sim::Random chance_;
};

}  // namespace

PowerResult cut_power_everywhere(const PowerOptions& options) {
  return Experiment(options).run();
}

std::string to_text(const PowerOptions& options, const PowerResult& result) {
  const auto& by = result.cuts_by_loss;
  return std::format(
      "{} member{}, {} steps{}: {} operations of the disk, {} power cuts (losing everything {}, a "
      "tail {}, some {}, torn {}, flipped {}; {} of them a second one while starting again): {}",
      options.members, options.members == 1 ? "" : "s", options.steps,
      options.old_format ? " of the release before" : "", result.operations, result.cuts, by[0],
      by[1], by[2], by[3], by[4], result.cuts_while_starting,
      result.violations.empty() ? "good" : "VIOLATIONS");
}

}  // namespace tripod::etcd::robustness
