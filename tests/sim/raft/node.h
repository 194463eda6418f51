#pragma once
// The shell around one Raft core on a simulated board, as firmware's member is on a real one: it
// persists on the storage lane, carries messages as bytes, applies entries to a Machine whose
// durable copy is older than the log.

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "firmware/etcd/raft/log_store/log_store.h"
#include "firmware/etcd/raft/raft.h"
#include "platform/sim/board.h"
#include "tests/sim/raft/checker.h"

namespace tripod::etcd::raft::sim {

/// Rules that a run may break on purpose, to see that the checker notices.
enum class Fault : std::uint8_t { none, lie_about_persisted, forget_hard_state, forget_vote };

class Node {
 public:
  using Send = std::function<void(const Message&)>;

  Node(tripod::sim::SimBoard& board, Checker& checker, NodeId id, ConfState founding, Fault fault,
       Send send);

  void start();
  /// Power cut. `restart` brings it back after the delay.
  void crash(std::optional<Duration> restart);
  bool up() const { return raft_.has_value(); }
  void deliver(BytesView bytes);
  void propose(std::uint64_t command, std::size_t padding_bytes);
  void read();
  void transfer(NodeId to) { step(TransferLeadership{to}); }
  void change(ConfChange change) { step(ProposeConfChange{0, std::move(change)}); }
  void unreachable(NodeId peer) { step(PeerUnreachable{peer}); }

  const Raft& raft() const { return *raft_; }
  const Machine& machine() const { return machine_; }
  NodeId id() const { return id_; }
  tripod::sim::SimBoard& board() { return board_; }

 private:
  struct Durable {
    Machine machine;
    std::optional<SnapshotMeta> snapshot;
  };
  struct OutgoingSnapshot {
    InstallSnapshot piece;  // meta and the next offset
    SharedBytes bytes;
    MonotonicTime deadline;
  };

  void step(Event event);
  Moment moment();
  void turn();
  void carry_out(Actions actions);
  void persist(PersistBatch batch);
  void persisted(const PersistBatch& promised, const Result<>& done);
  void apply(const std::vector<Entry>& entries);
  void maybe_checkpoint();
  void arm_timer();
  void send_snapshot(NodeId to);
  void send_piece(NodeId to, OutgoingSnapshot& outgoing);
  void expire_snapshots();
  void on_snapshot_message(const Message& message);
  void take_piece(const Message& message, const InstallSnapshot& piece);
  void install(const SnapshotMeta& meta);
  void trace(std::string_view what);

  tripod::sim::SimBoard& board_;
  Checker& checker_;
  NodeId id_;
  ConfState founding_;
  Fault fault_;
  Send send_;

  Durable durable_;  // survives crashes
  std::shared_ptr<LogStore> store_;
  std::optional<Raft> raft_;
  Machine machine_;
  bool turn_posted_ = false;
  std::unique_ptr<os::Operation> timer_;
  MonotonicTime timer_at_;
  std::set<std::uint64_t> proposed_;
  std::map<std::uint64_t, LogIndex> reading_;  // token -> least acceptable index
  std::uint64_t tokens_ = 0;
  std::map<NodeId, OutgoingSnapshot> outgoing_;
  std::optional<SnapshotMeta> incoming_meta_;
  Bytes incoming_;
};

}  // namespace tripod::etcd::raft::sim
