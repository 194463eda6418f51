#pragma once
// A few etcd members on simulated boards, and a client that talks to them from outside: whole
// members, with their files, their connections and their state machine, under one seed. Notes when
// two of them lead one term.

#include <map>
#include <memory>

#include "firmware/etcd/local_client.h"
#include "firmware/etcd/mvcc/key_space/key_space.h"
#include "platform/sim/board.h"

namespace tripod::etcd {

class SimCluster {
 public:
  using Change = std::function<void(Options&)>;
  /// What a cluster is founded with, unless its setup says otherwise.
  static constexpr std::size_t size = 3;
  struct Setup {
    std::size_t size = SimCluster::size;
    Change change = {};  // made to the options of every start
    bool start = true;   // false: the boards are there, and nothing runs on them yet
  };

  explicit SimCluster(std::uint64_t seed) : SimCluster(seed, Setup()) {}
  SimCluster(std::uint64_t seed, Setup setup);
  ~SimCluster();

  void start(std::size_t node);
  /// Start that may be refused.
  Result<> try_start(std::size_t node, const Change& change);
  /// As a power cut: what was not synced is lost.
  void crash(std::size_t node);
  /// As kill -9: what was written is there, synced or not.
  void kill(std::size_t node);
  void stop(std::size_t node);
  /// One more board, with nothing on its disk and nothing running; returns its number.
  std::size_t add_board();
  /// The disk is another one, with nothing on it. The board must be down.
  void replace_disk(std::size_t node);
  /// Starts it as a member of the cluster that exists, which has been told of it, at the size that
  /// the member `ask` knows it has.
  Result<> join(std::size_t node, std::size_t ask, Duration patience = std::chrono::seconds(60));
  std::string peer_url(std::size_t node) const;
  std::size_t boards() const { return nodes_.size(); }
  /// Made to the options of every later start.
  void change_options(Change change) { change_ = std::move(change); }
  bool running(std::size_t node) const { return nodes_[node].member != nullptr; }
  Member& member(std::size_t node) { return *nodes_[node].member; }
  sim::SimBoard& board(std::size_t node) { return *nodes_[node].board; }
  /// Cuts `node` off from the others, both ways.
  void isolate(std::size_t node);
  /// One direction only.
  void cut(std::size_t from, std::size_t to);
  void heal() { links_.heal(); }
  /// Loses and repeats that share of the packets.
  void set_loss(double share);
  void after(Duration time, os::Callback callback) {
    simulation_.at(simulation_.now() + time, std::move(callback));
  }
  std::uint64_t trace_hash() const { return simulation_.trace_hash(); }

  /// The node that leads, and knows no later leader; waits for it.
  std::size_t leader();
  std::optional<std::size_t> find_leader();
  /// Leaders that shared a term, so far.
  const std::vector<std::string>& violations() const { return violations_; }
  /// How often a member has moved its log to a later format.
  std::size_t logs_taken_over() const { return logs_taken_over_; }
  bool run_until(const std::function<bool()>& done, Duration limit) {
    return simulation_.run_until(done, limit);
  }
  void run_for(Duration duration) { simulation_.run_for(duration); }
  MonotonicTime now() const { return simulation_.now(); }
  sim::Random& random() { return simulation_.random(); }
  /// Where the client's coroutines run.
  Scope& scope() { return *scope_; }
  os::Clock& clock() { return client_->clock(); }

  /// Runs the world until the task has ended.
  template <typename T>
  T wait(Task<T> task);

 private:
  /// The board's network, whose listeners go when the power does.
  class BoardNetwork;
  struct Node {
    std::unique_ptr<sim::SimBoard> board;
    std::shared_ptr<BoardNetwork> network;
    std::unique_ptr<metrics::Registry> metrics;
    std::unique_ptr<Member> member;
    std::string initial_cluster;  // of one that joined; empty for the founders
    std::unique_ptr<os::Operation> leadership;
  };

  Options options(std::size_t node) const;
  os::World world_of(Node& node);
  Result<> begin(std::size_t node, Options options,
                 std::shared_ptr<const ClusterDescription> existing);
  void make_board(std::size_t node);
  void note_leader(std::size_t node);
  void bury(Node& node);

  sim::Simulation simulation_;
  sim::Links links_{simulation_};
  std::unique_ptr<sim::SimFabric> fabric_;
  std::unique_ptr<sim::SimBoard> client_;
  std::unique_ptr<Scope> scope_;
  Change change_;
  std::size_t founders_;
  std::vector<Node> nodes_;
  std::map<std::uint64_t, std::size_t> leaders_;  // by term
  std::vector<std::string> violations_;
  std::size_t logs_taken_over_ = 0;
};

template <typename T>
T SimCluster::wait(Task<T> task) {
  std::optional<T> result;
  const auto keep = [](Task<T> inner, std::optional<T>* out) -> Task<void> {
    out->emplace(co_await std::move(inner));
  };
  scope_->spawn(keep(std::move(task), &result));
  CHECK(run_until([&] { return result.has_value(); }, std::chrono::minutes(2)),
        "nothing in two minutes");
  return std::move(*result);
}

}  // namespace tripod::etcd
