#pragma once
// What happens to the Raft core (Event) and what it asks its shell to do (Actions).
//
// The shell, once per loop turn: step() each event, then take_actions(), then
//   send      every message, in order per peer; dropping one is allowed
//   persist   LogStore::append on the log lane, then step(Persisted{batch.id}), or end
//   apply     the entries in order, then step(Applied{last index}), at once or later
//   the rest  as the fields say
// Messages that promise something (votes, acknowledged appends) are not in Actions until the
// Persisted event of the batch that makes the promise durable: that order cannot be got wrong
// outside. A leader's Appends leave before its own disk has the entries (thesis section 10.2.1).
// While a batch is under way no second one is given out; what arrives meanwhile is collected for
// the next, which is the group commit.

#include <optional>
#include <variant>
#include <vector>

#include "firmware/etcd/raft/message.h"
#include "firmware/etcd/raft/types.h"

namespace tripod::etcd::raft {

// --- events ---

/// Raft::deadline() has come, or may have.
struct Tick {};
/// This process did nothing else for so long: nobody could be heard, so that silence says nothing.
/// Comes before the Tick that is due.
struct StoodStill {
  Duration time{};
};
struct Receive {
  Message message;
};
struct Persisted {
  std::uint64_t id = 0;  // PersistBatch::id
};
struct Applied {
  LogIndex index;
};
/// `token` is the caller's, and comes back in Actions::refused. Not hearing of it again means it
/// was accepted, or lost on the way to the leader: commitment shows when the entry is applied.
struct Propose {
  std::uint64_t token = 0;
  SharedBytes data;
};
struct ProposeConfChange {
  std::uint64_t token = 0;
  ConfChange change;
};
/// Answered by Actions::reads or Actions::refused.
struct RequestRead {
  std::uint64_t token = 0;
};
/// Ignored unless this member leads and `to` is another voter; given up after one election timeout.
struct TransferLeadership {
  NodeId to;
};
/// Stand for election now (with pre-vote), unless leading.
struct Campaign {};
/// The answer to Actions::read_entries. Entries may be fewer than asked for; none means that they
/// are gone.
struct EntriesRead {
  std::vector<Entry> entries;
};
/// Drop the log up to and including `index`, which must be applied durably. The next batch does it.
struct Compact {
  LogIndex index;
};
/// The state machine now holds this snapshot, durably. Ignored when the log is further already.
struct SnapshotInstalled {
  SnapshotMeta meta;
};
/// The end of sending the snapshot that Actions::snapshots_wanted asked for.
struct SnapshotReport {
  NodeId to;
  bool delivered = false;
};
/// A connection broke: messages to this peer were lost.
struct PeerUnreachable {
  NodeId peer;
};

using Event =
    std::variant<Tick, StoodStill, Receive, Persisted, Applied, Propose, ProposeConfChange,
                 RequestRead, TransferLeadership, Campaign, EntriesRead, Compact, SnapshotInstalled,
                 SnapshotReport, PeerUnreachable>;

// --- actions ---

/// One transaction of the log store, all or nothing. Order of its parts: reset, entries, compact.
struct PersistBatch {
  std::uint64_t id = 0;
  std::optional<HardState> hard_state;
  std::optional<ConfState> conf_state;
  std::optional<LogPosition>
      reset;                   // a snapshot was installed: the log is empty after this position
  std::vector<Entry> entries;  // consecutive; whatever is stored from the first one's index on goes
  std::optional<LogIndex> compact;  // drop up to and including

  bool empty() const { return !hard_state && !conf_state && !reset && entries.empty() && !compact; }
};

struct ReadState {
  std::uint64_t token = 0;
  LogIndex index;  // linearizable once this is applied
};

struct Refusal {
  std::uint64_t token = 0;
  Refused reason = Refused::no_leader;
};

struct EntriesWanted {
  LogIndex first;
  LogIndex last;
  std::size_t bytes_max = 0;
};

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

std::string_view name_of(Role role);

struct Leadership {
  Role role = Role::follower;
  NodeId leader;
  Term term;
  friend bool operator==(const Leadership&, const Leadership&) = default;
};

struct Actions {
  std::vector<Message> messages;
  std::optional<PersistBatch> persist;
  std::vector<Entry>
      apply;  // committed and durable here; conf_change entries too, for the member's own tables
  std::vector<ReadState> reads;
  std::vector<Refusal> refused;
  std::optional<EntriesWanted>
      read_entries;  // LogStore::read, then step(EntriesRead); one at a time
  std::vector<NodeId>
      snapshots_wanted;  // send it InstallSnapshot pieces, then step(SnapshotReport)
  std::vector<Message>
      snapshot_messages;                // InstallSnapshot and its response, checked, for the member
  std::optional<ConfState> conf_state;  // membership changed
  std::optional<Leadership> leadership;  // role, leader or term changed
};

}  // namespace tripod::etcd::raft
