#pragma once
// The shell around the Raft core of one member: gives it time and messages, makes its batches
// durable on the log lane, and hands out what is committed. One turn takes everything that
// happened meanwhile; one batch is under way at a time.
//
// Lives on the loop thread. Decides nothing.

#include <array>
#include <memory>
#include <optional>

#include "firmware/etcd/peer/transport.h"
#include "firmware/etcd/raft/log_store/log_store.h"
#include "firmware/etcd/raft/raft.h"
#include "platform/base/metrics.h"
#include "platform/os/board.h"

namespace tripod::etcd {

/// Who uses the replica; outlives it. Called from turns only.
class ReplicaHost {
 public:
  virtual ~ReplicaHost() = default;
  /// The turn begins: the last chance to propose or ask within it.
  virtual void before_turn() = 0;
  virtual void apply(const raft::Entry& entry) = 0;
  /// Entries were applied, the last one of which is in this state machine now.
  virtual void after_apply() = 0;
  virtual void on_read(std::uint64_t token, raft::LogIndex index) = 0;
  virtual void on_refused(std::uint64_t token, raft::Refused reason) = 0;
  virtual void on_leadership(const raft::Leadership& leadership) = 0;
  /// A member lags behind the start of the log; report_snapshot() when it was sent one, or not.
  virtual void on_snapshot_wanted(raft::NodeId to) = 0;
  /// A piece of a snapshot or the answer to one, from whom the term allows it.
  virtual void on_snapshot_message(const raft::Message& message) = 0;
};

/// The loop was held by the application of a huge entry, or by the machine.
inline constexpr Duration held_for_long = Milliseconds(100);

class Replica {
 public:
  /// `store` is used on the log lane from now on. `transport` may be set later, before the
  /// first turn.
  Replica(const os::World& world, raft::Raft raft, raft::LogStore store, ReplicaHost& host,
          metrics::Registry& metrics);
  /// CHECKs that halt() has ended.
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  void set_transport(peer::Transport& transport) { transport_ = &transport; }
  /// Takes an event in and has a turn soon.
  void step(raft::Event event);
  void want_turn();
  const raft::Raft& raft() const { return raft_; }
  raft::LogIndex applied() const { return applied_; }
  /// Committed entries wait until release_applies(): whoever holds them does so for a moment, and
  /// they are let through when too many come.
  void hold_applies() { holding_ = true; }
  void release_applies();
  void report_snapshot(raft::NodeId to, bool delivered) {
    step(raft::SnapshotReport{to, delivered});
  }
  /// The state machine holds this snapshot now, which is ahead of what is committed here.
  void installed(const raft::SnapshotMeta& meta);
  /// A message that does not come from the core.
  void send(const raft::Message& message);
  /// No more turns; returns when the log lane is done.
  Task<void> halt();
  /// In place of halt(), before the first turn.
  void abandon() { halted_ = true; }

 private:
  raft::Moment moment();
  void turn();
  bool apply_waiting();
  void persist(raft::PersistBatch batch);
  void read_entries(const raft::EntriesWanted& wanted);
  void arm();
  void stood_still_since(MonotonicTime begin);
  void lane_done();

  os::World world_;
  Logger log_;
  raft::Raft raft_;
  std::unique_ptr<raft::LogStore> store_;
  ReplicaHost& host_;
  peer::Transport* transport_ = nullptr;
  std::array<std::uint64_t, 64> chances_{};  // drawn together: a put is a dozen moments
  std::size_t chances_left_ = 0;
  raft::LogIndex applied_;
  std::vector<raft::Entry> waiting_;  // to be applied
  std::unique_ptr<os::Operation> timer_;
  std::optional<MonotonicTime> armed_for_;
  MonotonicTime stood_still_until_;
  std::size_t lane_jobs_ = 0;
  async::Oneshot<void> lane_idle_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  metrics::Histogram& fsync_seconds_;
  bool holding_ = false;
  bool turn_wanted_ = false;
  bool halted_ = false;
};

}  // namespace tripod::etcd
