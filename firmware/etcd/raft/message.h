#pragma once
// What members say to each other. One Message is one struct on the wire (codec.h); losing,
// repeating or reordering messages costs time, never safety.

#include <string_view>
#include <variant>
#include <vector>

#include "firmware/etcd/raft/types.h"

namespace tripod::etcd::raft {

/// Why a proposal or read was turned away. Nothing of it happened, except for leader_lost: a
/// proposal that went to a leader may still be committed by it or a successor.
enum class Refused : std::uint8_t {
  no_leader = 1,   // nobody to forward to; try again after an election
  leader_lost,     // the leader changed before it answered
  transferring,    // the leader is handing over
  too_large,       // above Limits::entry_bytes_max
  overloaded,      // above Limits::uncommitted_bytes_max or pending_reads_max
  change_pending,  // another configuration change is not applied yet
  change_invalid,  // the change would leave no voter, or too many members
  not_a_member,    // this node was removed
};

std::string_view name_of(Refused reason);

/// Thesis section 9.6: would you vote for me in Message::term, which I have not entered yet?
struct PreVote {
  LogPosition last;
};
struct PreVoteResponse {
  bool granted = false;
};
struct Vote {
  LogPosition last;
  bool transfer = false;  // the old leader asked for this election: no lease stands against it
};
struct VoteResponse {
  bool granted = false;
};
struct Append {
  LogPosition previous;
  LogIndex commit;
  std::vector<Entry> entries;
};
struct AppendResponse {
  bool rejected = false;
  LogIndex
      index;  // accepted: last index known to match and durable; rejected: Append::previous.index
  LogPosition hint;  // rejected: where the leader might look next
};
struct Heartbeat {
  LogIndex commit;
  std::uint64_t read_round = 0;  // 0: no read waits
};
struct HeartbeatResponse {
  std::uint64_t read_round = 0;
};
/// Thesis section 3.10: campaign at once, without pre-vote.
struct TimeoutNow {};
/// A follower's proposal, passed on to the leader. `token` names it in a refusal.
struct Forward {
  std::uint64_t token = 0;
  EntryType type = EntryType::normal;
  SharedBytes data;
};
struct ForwardRefused {
  std::uint64_t token = 0;
  Refused reason = Refused::no_leader;
};
/// Thesis section 6.4, asked by a follower for all reads it has waiting.
struct ReadIndex {
  std::uint64_t round = 0;  // the follower's
};
struct ReadIndexResponse {
  std::uint64_t round = 0;
  LogIndex index;
};
/// A piece of a snapshot; sent and taken in by the member, who owns the state. Pieces arrive in
/// order of offset.
struct InstallSnapshot {
  SnapshotMeta meta;
  std::uint64_t offset = 0;
  SharedBytes data;
  bool done = false;
};
struct InstallSnapshotResponse {
  LogIndex index;                 // of the snapshot meant
  std::uint64_t offset_next = 0;  // where the receiver wants to go on
  bool refused = false;           // not wanted, or not from the start: begin again or give up
};

using MessageBody =
    std::variant<PreVote, PreVoteResponse, Vote, VoteResponse, Append, AppendResponse, Heartbeat,
                 HeartbeatResponse, TimeoutNow, Forward, ForwardRefused, ReadIndex,
                 ReadIndexResponse, InstallSnapshot, InstallSnapshotResponse>;

struct Message {
  NodeId from;
  NodeId to;
  /// The sender's; of PreVote and its granting answer the one after.
  Term term;
  MessageBody body;
};

/// "Append", "VoteResponse": for logs, metrics and traces.
std::string_view name_of(const MessageBody& body);

/// Helper for std::visit with one lambda per alternative.
template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

}  // namespace tripod::etcd::raft
