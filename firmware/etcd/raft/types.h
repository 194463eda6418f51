#pragma once
// The nouns of Raft: terms, log positions, entries, what must be durable, who takes part. Plain
// values, no behaviour. Names follow the Raft thesis and etcd.

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "platform/base/bytes.h"
#include "platform/base/time.h"

namespace tripod::etcd::raft {

/// A member of the cluster. 0 means "nobody".
struct NodeId {
  std::uint64_t value = 0;
  explicit constexpr operator bool() const { return value != 0; }
  friend constexpr auto operator<=>(const NodeId&, const NodeId&) = default;
};
inline constexpr NodeId nobody{};

/// 0 is before the first election.
struct Term {
  std::uint64_t value = 0;
  constexpr Term next() const { return {value + 1}; }
  friend constexpr auto operator<=>(const Term&, const Term&) = default;
};

/// 0 is the place before the first entry.
struct LogIndex {
  std::uint64_t value = 0;
  constexpr LogIndex next() const { return {value + 1}; }
  /// The place before; stays at 0.
  constexpr LogIndex previous() const { return {value == 0 ? 0 : value - 1}; }
  friend constexpr auto operator<=>(const LogIndex&, const LogIndex&) = default;
};

/// A place in the log and the term of the entry there: two logs that agree on it agree on all
/// before it.
struct LogPosition {
  LogIndex index;
  Term term;
  friend constexpr bool operator==(const LogPosition&, const LogPosition&) = default;
};

/// From `first` on, entries have this term, until the next run begins.
struct TermRun {
  LogIndex first;
  Term term;
  friend constexpr bool operator==(const TermRun&, const TermRun&) = default;
};

enum class EntryType : std::uint8_t {
  normal = 0,       // a command of the state machine; empty data is the no-op of a new leader
  conf_change = 1,  // an encoded ConfChange (codec.h)
};

/// Immutable once made; copies share the data.
struct Entry {
  LogIndex index;
  Term term;
  EntryType type = EntryType::normal;
  SharedBytes data;  // null means empty

  BytesView view() const { return data ? BytesView(*data) : BytesView(); }
  /// What it costs in memory and on the wire, with a margin for the fields around the data.
  std::size_t size_bytes() const { return view().size() + 48; }
};

/// What a member must remember across a crash besides the log. `commit` is only a hint that saves
/// work at start: it is written along with changes of term and vote, never on its own.
struct HardState {
  Term term;
  NodeId vote;
  LogIndex commit;
  friend constexpr bool operator==(const HardState&, const HardState&) = default;
};

/// Who takes part, as of the configuration entry at `index`. Both lists sorted, without duplicates,
/// disjoint.
struct ConfState {
  LogIndex index;  // 0: the configuration the cluster was founded with
  std::vector<NodeId> voters;
  std::vector<NodeId> learners;
  friend bool operator==(const ConfState&, const ConfState&) = default;
};

enum class ConfChangeType : std::uint8_t {
  add_voter = 1,  // promotes a learner, too
  add_learner = 2,
  remove = 3,
  update = 4,  // no change of roles; the context says what is new (peer URLs)
};

/// One step of membership change (thesis section 4.1: one at a time).
struct ConfChange {
  ConfChangeType type = ConfChangeType::add_voter;
  NodeId node;
  Bytes context;  // the caller's, e.g. name and peer URLs
  /// The configuration it was decided upon: under another one the leader refuses it as
  /// change_pending.
  std::optional<LogIndex> base = std::nullopt;
};

/// What a snapshot stands for: the state after applying `last`, under the configuration
/// `conf_state`.
struct SnapshotMeta {
  LogPosition last;
  ConfState conf_state;
};

/// When an event happens, and one unpredictable number drawn for it. The core knows no other time
/// or chance.
struct Moment {
  MonotonicTime now;
  std::uint64_t random = 0;
};

/// Bounds on everything a peer or client can make this member hold.
struct Limits {
  std::size_t entry_bytes_max = 2 * 1024 * 1024;
  std::size_t append_bytes_max = 256 * 1024;  // entries of one Append; one entry may be larger
  std::size_t append_entries_max = 1024;
  std::size_t inflight_messages_max = 64;  // Appends without an answer, per follower
  std::size_t inflight_bytes_max = 2 * 1024 * 1024;
  std::size_t uncommitted_bytes_max = 8 * 1024 * 1024;  // leader refuses proposals above
  std::size_t apply_bytes_max = 1024 * 1024;            // handed out and not yet applied
  std::size_t cache_bytes_max = 4 * 1024 * 1024;  // durable, applied entries kept for followers
  std::size_t cache_entries_max = 8192;
  std::size_t pending_reads_max = 4096;
  std::size_t members_max = 32;
  std::size_t snapshot_chunk_bytes_max = 256 * 1024;
};

struct Timing {
  Duration heartbeat_interval = Milliseconds(100);
  Duration election_timeout = Milliseconds(1000);
  /// A follower waits election_timeout plus a random part of this for a sign of a leader.
  Duration election_spread = Milliseconds(500);
};

}  // namespace tripod::etcd::raft
