#include "tests/sim/raft/cluster.h"

#include <format>

#include "firmware/etcd/raft/codec.h"

namespace tripod::etcd::raft::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using tripod::sim::LinkQuality;
using tripod::sim::Links;
using tripod::sim::SimBoard;
using tripod::sim::SimFabric;
using tripod::sim::Simulation;

class Cluster {
 public:
  explicit Cluster(const RunOptions& options)
      : options_(options),
        simulation_(options.seed),
        links_(simulation_),
        fabric_(simulation_, links_) {
    if (options.observer) simulation_.set_trace_observer(options.observer);
    ConfState founding;
    for (std::size_t i = 1; i <= options.nodes; ++i) {
      founding.voters.push_back({i});
      hosts_.push_back(std::format("n{}", i));
    }
    for (NodeId id : founding.voters) {
      boards_.push_back(std::make_unique<SimBoard>(simulation_, fabric_, host(id), host(id)));
      nodes_.push_back(std::make_unique<Node>(*boards_.back(), checker_, id, founding,
                                              options.fault,
                                              [this](const Message& message) { send(message); }));
    }
    for (auto& node : nodes_) node->start();
  }

  ~Cluster() {
    for (auto& node : nodes_) node->crash(std::nullopt);
  }

  RunResult run() {
    client_acts();
    nemesis_acts();
    MonotonicTime end = simulation_.now() + options_.chaos;
    while (simulation_.now() < end && checker_.ok()) {
      simulation_.run_until([this] { return !checker_.ok(); }, milliseconds(100));
    }
    if (checker_.ok()) make_peace();
    RunResult result{checker_.violations(), simulation_.trace_hash(), checker_.acknowledged_count(),
                     checker_.leaders_count(), checker_.reads_count()};
    return result;
  }

 private:
  const std::string& host(NodeId id) const { return hosts_.at(id.value - 1); }
  tripod::sim::Random& random() { return simulation_.random(); }
  Node& any() { return *nodes_[random().below(nodes_.size())]; }
  Node* leader() {
    for (auto& node : nodes_) {
      if (node->up() && node->raft().role() == Role::leader) return node.get();
    }
    return nullptr;
  }

  /// Datagrams: lost, late, twice, out of order.
  void send(const Message& message) {
    if (message.to.value > nodes_.size()) return;
    // A proposal sent twice would be two proposals; on a real connection nothing arrives twice.
    bool twice = links_.duplicates() && !std::holds_alternative<Forward>(message.body);
    const auto* vote = std::get_if<VoteResponse>(&message.body);
    if (vote != nullptr && vote->granted && random().chance(0.3)) restart_at_once(message.from);
    SharedBytes bytes = share(encode(message));
    Node& receiver = *nodes_[message.to.value - 1];
    for (int copies = twice ? 2 : 1; copies > 0; --copies) {
      auto delay = links_.draw(host(message.from), host(message.to));
      if (!delay) {
        if (random().chance(0.1)) nodes_[message.from.value - 1]->unreachable(message.to);
        continue;
      }
      simulation_.at(simulation_.now() + *delay, [&receiver, bytes] {
        if (!receiver.up()) return;
        receiver.board().queue().post([&receiver, bytes] { receiver.deliver(*bytes); });
      });
    }
  }

  /// A voter that is back before the election is over is asked by the other candidate.
  void restart_at_once(NodeId id) {
    Node& voter = *nodes_[id.value - 1];
    simulation_.at(simulation_.now(), [this, &voter] {
      voter.crash(random().between(milliseconds(1), milliseconds(20)));
    });
  }

  void client_acts() {
    // Bursts between quiet times, so that batches of many sizes are seen.
    std::uint64_t burst = random().chance(0.1) ? random().between(5, 20) : 1;
    for (std::uint64_t i = 0; i < burst; ++i) {
      if (random().chance(0.25)) {
        any().read();
      } else {
        any().propose(++commands_, random().below(300));
      }
    }
    simulation_.at(simulation_.now() + random().between(milliseconds(5), milliseconds(80)), [this] {
      if (!peace_) client_acts();
    });
  }

  void nemesis_acts() {
    strike();
    simulation_.at(simulation_.now() + random().between(milliseconds(30), milliseconds(500)),
                   [this] {
                     if (!peace_) nemesis_acts();
                   });
  }

  void strike() {
    Node& victim = any();
    switch (random().below(14)) {
      case 0:
      case 1: victim.crash(random().between(milliseconds(50), milliseconds(1500))); break;
      case 2:
      case 3: victim.board().disk().trip_after(random().below(12)); break;
      case 4: isolate(victim.id()); break;
      case 5: links_.cut(host(victim.id()), host(any().id())); break;
      case 6:
      case 7: links_.heal(); break;
      case 8:
        links_.set_quality({milliseconds(0), milliseconds(random().below(60) + 1),
                            0.01 * static_cast<double>(random().below(25)),
                            0.01 * static_cast<double>(random().below(20))});
        break;
      case 9:
        victim.board().clock().set_rate(0.8 + 0.01 * static_cast<double>(random().below(50)));
        break;
      case 10: pause(victim, random().between(milliseconds(50), milliseconds(1200))); break;
      case 11:
        if (Node* now = leader()) now->transfer(victim.id());
        break;
      case 12: {
        Duration slow = random().between(Duration(milliseconds(1)), milliseconds(150));
        victim.board().storage_lane().set_latency(milliseconds(0), slow);
        break;
      }
      default:
        if (options_.membership_changes) change_membership(victim.id());
    }
  }

  void isolate(NodeId id) {
    simulation_.trace(std::format("{} is cut off", host(id)));
    for (auto& node : nodes_) {
      links_.cut(host(id), host(node->id()));
      links_.cut(host(node->id()), host(id));
    }
  }

  void pause(Node& victim, Duration time) {
    victim.board().queue().set_paused(true);
    simulation_.at(simulation_.now() + time,
                   [&victim] { victim.board().queue().set_paused(false); });
  }

  void change_membership(NodeId id) {
    Node* now = leader();
    if (now == nullptr) return;
    const ConfState& conf = now->raft().conf_state();
    bool voter = std::ranges::contains(conf.voters, id);
    ConfChangeType type = ConfChangeType::add_voter;
    if (voter && conf.voters.size() > 2) type = ConfChangeType::remove;
    if (!voter && random().chance(0.5)) type = ConfChangeType::add_learner;
    now->change({type, id, {}});
  }

  void make_peace() {
    peace_ = true;
    simulation_.trace("peace");
    links_.heal();
    links_.set_quality({});
    for (auto& node : nodes_) {
      node->board().queue().set_paused(false);
      node->board().clock().set_rate(1);
      node->board().storage_lane().set_latency(milliseconds(0), milliseconds(2));
      if (!node->up()) node->start();
    }
    bool whole =
        simulation_.run_until([this] { return restored() || !checker_.ok(); }, seconds(40));
    if (!checker_.ok()) return;
    if (!whole) {
      checker_.violated("the cluster did not come right again: " + describe());
      return;
    }
    for (auto& node : nodes_) checker_.complete(node->id(), node->machine());
  }

  std::string describe() const {
    std::string text;
    for (const auto& node : nodes_) {
      if (!node->up()) {
        text += std::format("[{} down]", node->id().value);
        continue;
      }
      Status status = node->raft().status();
      text += std::format("[{} {} term {} leader {} committed {} last {} voters {}]",
                          node->id().value, name_of(status.role), status.term.value,
                          status.leader.value, status.committed.value, status.last.index.value,
                          status.conf_state.voters.size());
    }
    return text;
  }

  /// Everyone is a voter again, and after one more write everyone holds the same.
  bool restored() {
    MonotonicTime now = simulation_.now();
    if (now < look_again_) return false;
    look_again_ = now + milliseconds(100);
    Node* leads = leader();
    if (leads == nullptr) return false;
    for (auto& node : nodes_) {
      if (!node->up()) return false;
      if (std::ranges::contains(leads->raft().conf_state().voters, node->id())) continue;
      leads->change({ConfChangeType::add_voter, node->id(), {}});
      return false;
    }
    if (!final_ || checker_.acknowledged_count() == acknowledged_before_) {
      acknowledged_before_ = checker_.acknowledged_count();
      final_ = true;
      leads->propose(++commands_, 10);
      return false;
    }
    LogIndex applied = leads->machine().applied.index;
    return applied == leads->raft().status().last.index &&
           std::ranges::all_of(
               nodes_, [&](const auto& node) { return node->machine().applied.index == applied; });
  }

  RunOptions options_;
  Simulation simulation_;
  Links links_;
  SimFabric fabric_;
  Checker checker_;
  std::vector<std::string> hosts_;
  std::vector<std::unique_ptr<SimBoard>> boards_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::uint64_t commands_ = 0;
  bool peace_ = false;
  bool final_ = false;
  std::size_t acknowledged_before_ = 0;
  MonotonicTime look_again_;
};

}  // namespace

RunResult run(const RunOptions& options) {
  return Cluster(options).run();
}

}  // namespace tripod::etcd::raft::sim
