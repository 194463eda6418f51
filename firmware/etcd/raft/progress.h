#pragma once
// What a leader knows about one follower's log, and how much it may send ahead of the answers
// (thesis section 10.2.1, etcd's design of probe, replicate and snapshot).

#include <cstdint>
#include <deque>
#include <string_view>

#include "firmware/etcd/raft/types.h"

namespace tripod::etcd::raft {

enum class Replication : std::uint8_t {
  probe,      // where the logs meet is not known: one Append at a time
  replicate,  // known: Appends follow each other, `next` runs ahead
  snapshot,   // it needs what the log no longer has: nothing is sent until the snapshot has arrived
};

std::string_view name_of(Replication state);

/// Appends under way, oldest first.
class Inflights {
 public:
  void push(LogIndex last, std::size_t bytes);
  /// Forgets those that end at or before `index`.
  void acknowledge(LogIndex index);
  void clear();
  bool full(const Limits& limits) const;
  std::size_t count() const { return sent_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Sent {
    LogIndex last;
    std::size_t bytes = 0;
  };
  std::deque<Sent> sent_;
  std::size_t bytes_ = 0;
};

struct Progress {
  LogIndex match;    // known to be durable there
  LogIndex next{1};  // first entry to send; match < next
  Replication state = Replication::probe;
  bool probe_sent = false;  // an answer to the probe is awaited
  bool learner = false;
  LogIndex snapshot_index;       // snapshot: at least this will match afterwards; 0 until known
  LogIndex commit_sent;          // the commit index it was told last
  std::uint64_t read_round = 0;  // the last ReadIndex round it confirmed
  MonotonicTime last_active;     // when it answered last
  Inflights inflights;

  void become_probe();
  void become_replicate();
  void become_snapshot();
  bool paused(const Limits& limits) const;
};

}  // namespace tripod::etcd::raft
