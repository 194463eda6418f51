#pragma once
// Looks at all members at once, as nobody in the cluster can, and says when a promise of Raft is
// broken: one leader per term, one vote per term and member, log matching, leader completeness,
// equal state at equal index, no acknowledged write lost, no read older than a write acknowledged
// before it was asked for.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "firmware/etcd/raft/raft.h"

namespace tripod::etcd::raft::sim {

/// What a member's state machine holds: the commands in order, and a hash over all entries.
struct Machine {
  LogPosition applied;
  std::uint64_t chain = 0;
  std::vector<std::uint64_t> commands;

  void apply(const Entry& entry);
};

/// The number in front of a command's data.
std::uint64_t command_of(const Entry& entry);

class Checker {
 public:
  void leads(NodeId node, const Raft& raft);
  void durable(NodeId node, const PersistBatch& batch);
  /// `term`: the member's when it applied.
  void applied(NodeId node, Term term, const Entry& entry, const Machine& machine);
  void acknowledged(std::uint64_t command, LogIndex index);
  /// The least a read asked for now may return.
  LogIndex read_bound() const { return acknowledged_max_; }
  void read(NodeId node, LogIndex index, LogIndex bound);
  /// At the end: every acknowledged command is there.
  void complete(NodeId node, const Machine& machine);
  void violated(std::string what);

  bool ok() const { return violations_.empty(); }
  const std::vector<std::string>& violations() const { return violations_; }
  std::size_t acknowledged_count() const { return acknowledged_.size(); }
  std::size_t leaders_count() const { return leaders_.size(); }
  std::size_t reads_count() const { return reads_; }

 private:
  struct Content {
    std::uint64_t data_hash = 0;
    Term previous;
    bool previous_known = false;
  };
  struct Committed {
    Term term;
    std::uint64_t data_hash = 0;
    std::uint64_t chain = 0;
    Term seen_in;  // it was committed in this term at the latest
  };

  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;
  std::map<std::pair<LogIndex, Term>, Content> contents_;
  std::map<LogIndex, Committed> committed_;
  std::map<std::uint64_t, LogIndex> acknowledged_;
  LogIndex acknowledged_max_;
  std::size_t reads_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace tripod::etcd::raft::sim
