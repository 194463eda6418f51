#pragma once
// Linearizable reads that wait (thesis section 6.4). On a leader: reads of one turn form a round,
// confirmed by a quorum of heartbeat answers. On a follower: reads of one turn are asked of the
// leader together.

#include <cstdint>
#include <deque>
#include <vector>

#include "firmware/etcd/raft/types.h"

namespace tripod::etcd::raft {

/// Who asked: a caller here (`node` is nobody, `number` its token), or a follower (`number` its
/// round).
struct Reader {
  NodeId node;
  std::uint64_t number = 0;
};

class ReadQueue {
 public:
  struct Round {
    std::uint64_t id = 0;
    LogIndex index;          // leader: what must be applied to answer
    MonotonicTime asked_at;  // follower: when it went out last
    std::vector<Reader> readers;
  };

  void add(Reader reader) { waiting_.push_back(reader); }
  bool has_waiting() const { return !waiting_.empty(); }
  std::size_t size() const;
  /// Makes all that wait into a round with the next id, which starts at a random number: an answer
  /// meant for a former life of this member must not match.
  Round& open_round(const Moment& moment, LogIndex index);
  /// The rounds under way, oldest first.
  std::deque<Round>& rounds() { return rounds_; }
  const std::deque<Round>& rounds() const { return rounds_; }
  std::uint64_t last_round() const { return rounds_.empty() ? 0 : rounds_.back().id; }
  /// Everyone who waits, in order; the queue is empty afterwards.
  std::vector<Reader> take_all();

 private:
  std::vector<Reader> waiting_;
  std::deque<Round> rounds_;
  std::uint64_t next_id_ = 0;  // 0: not drawn yet
};

}  // namespace tripod::etcd::raft
