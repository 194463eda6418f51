#pragma once
// One member's Raft: a state machine without IO, clock, chance or threads. Events go in, Actions
// come out (actions.h); the same events give the same actions. Implements the Raft thesis (Ongaro
// 2014) with pre-vote (9.6), check-quorum with leases on votes (6.2), ReadIndex (6.4), leader
// transfer (3.10), learners (4.2.1), one-at-a-time membership change (4.3, effective when applied,
// as in etcd) and pipelined appends that do not wait for the leader's own disk (10.2.1).
//
// Not thread-safe; lives on the loop thread.

#include <map>
#include <optional>
#include <vector>

#include "firmware/etcd/raft/actions.h"
#include "firmware/etcd/raft/log.h"
#include "firmware/etcd/raft/progress.h"
#include "firmware/etcd/raft/read_queue.h"
#include "firmware/etcd/raft/recovered.h"
#include "platform/base/result.h"

namespace tripod::etcd::raft {

struct Setup {
  NodeId id;
  Timing timing;
  Limits limits;
  Recovered recovered;  // LogStore::recovered()
  LogIndex applied;     // of the state machine, durable there
  /// The last snapshot installed in the state machine, if any: it may be ahead of the log after a
  /// power cut.
  std::optional<SnapshotMeta> snapshot;
};

/// For status calls, metrics and tests.
struct Status {
  NodeId id;
  NodeId leader;
  NodeId vote;
  Term term;
  Role role = Role::follower;
  LogIndex committed;
  LogIndex applied;
  LogIndex first;  // oldest entry that is not compacted
  LogPosition last;
  LogIndex durable;
  NodeId transfer_target;
  ConfState conf_state;
};

class Raft {
 public:
  /// Fails with corrupt when the log and `applied` contradict each other.
  static Result<Raft> create(Setup setup, const Moment& moment);
  Raft(Raft&&) = default;

  /// Takes one event in; never calls out. Cheap: sending and persisting are decided in
  /// take_actions().
  void step(const Moment& moment, Event event);
  /// Everything to do since the last call. Call once per loop turn, after the turn's events;
  /// nothing to do gives empty Actions.
  Actions take_actions(const Moment& moment);
  /// When a Tick is due next. Moves with every event; a Tick too early does nothing.
  MonotonicTime deadline() const;

  Status status() const;
  NodeId leader() const { return leader_; }
  Role role() const { return role_; }
  Term term() const { return term_; }
  LogIndex committed() const { return log_.committed(); }
  /// Nothing for places that are compacted or not there.
  std::optional<Term> term_at(LogIndex index) const { return log_.term_at(index); }
  const ConfState& conf_state() const { return conf_; }
  /// What this leader knows of its followers; empty elsewhere.
  const std::map<NodeId, Progress>& progress() const { return progress_; }

 private:
  Raft(Setup setup, const Moment& moment);

  // raft.cpp: dispatch, terms, persistence
  void on(Tick);
  void on(StoodStill event);
  void on(Receive event);
  void on(Persisted event);
  void on(Applied event);
  void on(Propose event);
  void on(ProposeConfChange event);
  void on(RequestRead event);
  void on(TransferLeadership event);
  void on(Campaign);
  void on(EntriesRead event);
  void on(Compact event);
  void on(SnapshotInstalled event);
  void on(SnapshotReport event);
  void on(PeerUnreachable event);
  bool accept_term(const Message& message);
  void answer_stale(const Message& message);
  void send(NodeId to, MessageBody body);
  void send(NodeId to, Term term, MessageBody body);
  void send_after_persist(NodeId to, MessageBody body);
  void collect_persist();
  void collect_apply();
  void collect_reading();
  void check_invariants() const;
  bool voter(NodeId node) const;
  bool member(NodeId node) const;

  // election.cpp
  void become_follower(Term term, NodeId leader);
  void become_leader();
  void campaign(bool transfer);
  void leader_gone();
  void start_votes(bool transfer);
  void count_votes();
  void count_own_vote();
  bool promotable() const;
  bool lease_holds() const;
  void reset_election_deadline();
  void handle(NodeId from, Term term, const PreVote& body);
  void handle(NodeId from, Term term, const PreVoteResponse& body);
  void handle(NodeId from, Term term, const Vote& body);
  void handle(NodeId from, Term term, const VoteResponse& body);
  void handle(NodeId from, Term term, const TimeoutNow& body);
  void check_quorum();
  void abort_transfer() { transfer_target_ = nobody; }

  // replication.cpp
  void handle(NodeId from, Term term, Append& body);
  void handle(NodeId from, Term term, const AppendResponse& body);
  void handle(NodeId from, Term term, const Heartbeat& body);
  void handle(NodeId from, Term term, const HeartbeatResponse& body);
  void append(EntryType type, SharedBytes data);
  void heed_leader(NodeId from);
  void acknowledge(NodeId leader, LogIndex match);
  void accepted(NodeId from, Progress& progress, LogIndex match);
  void rejected(Progress& progress, const AppendResponse& body);
  void maybe_commit();
  void broadcast_heartbeat();
  void replicate();
  void replicate_to(NodeId to, Progress& progress);
  bool send_append(NodeId to, Progress& progress);
  void want_snapshot(NodeId to, Progress& progress);

  // proposals.cpp: proposals, reads, membership, snapshots
  std::optional<Refused> refuse_proposal(EntryType type, BytesView data) const;
  std::optional<Refused> refuse_change(const ConfChange& change) const;
  void propose(std::uint64_t token, EntryType type, SharedBytes data);
  void handle(NodeId from, Term term, const Forward& body);
  void handle(NodeId from, Term term, const ForwardRefused& body);
  void handle(NodeId from, Term term, const ReadIndex& body);
  void handle(NodeId from, Term term, const ReadIndexResponse& body);
  void handle(NodeId from, Term term, InstallSnapshot& body);
  void handle(NodeId from, Term term, const InstallSnapshotResponse& body);
  void flush_reads();
  void retry_reads();
  void release_reads();
  void refuse_reads(Refused reason);
  void apply_conf_change(const Entry& entry);
  void sync_progress();
  Duration read_retry() const { return timing_.election_timeout / 2; }

  NodeId id_;
  Timing timing_;
  Limits limits_;
  Moment moment_;  // of the event being handled

  Role role_ = Role::follower;
  Term term_;
  NodeId vote_;
  NodeId leader_;
  ConfState conf_;
  Log log_;
  std::map<NodeId, bool> votes_;         // candidates: what came back
  std::map<NodeId, Progress> progress_;  // leader: every member, itself included
  ReadQueue reads_;
  NodeId transfer_target_;
  MonotonicTime transfer_deadline_;
  MonotonicTime election_deadline_;
  bool deadline_moved_ = false;  // for time that stood still; once
  MonotonicTime heartbeat_deadline_;
  MonotonicTime leader_contact_;  // when a leader was last heard
  LogIndex acknowledged_;         // what that leader is told, or about to be, as durable here
  std::uint64_t draws_ = 0;       // spreads timeouts drawn from one moment

  Actions actions_;
  Leadership announced_;
  std::vector<Message> messages_after_persist_;  // wait for the next batch
  std::vector<Message> messages_in_flight_;      // wait for the batch under way
  std::uint64_t batch_in_flight_ = 0;            // 0: none
  std::uint64_t batches_ = 0;
  HardState hard_handed_out_;
  LogIndex conf_handed_out_;
  std::optional<LogPosition> reset_pending_;
  std::optional<LogIndex> compact_pending_;
  std::optional<Term> own_vote_in_flight_;  // counted when durable
  bool reading_entries_ = false;
};

}  // namespace tripod::etcd::raft
