#include "firmware/etcd/raft/progress.h"

#include "platform/base/check.h"

namespace tripod::etcd::raft {

void Inflights::push(LogIndex last, std::size_t bytes) {
  CHECK(sent_.empty() || sent_.back().last < last);
  sent_.push_back({last, bytes});
  bytes_ += bytes;
}

void Inflights::acknowledge(LogIndex index) {
  while (!sent_.empty() && sent_.front().last <= index) {
    CHECK(bytes_ >= sent_.front().bytes);
    bytes_ -= sent_.front().bytes;
    sent_.pop_front();
  }
}

void Inflights::clear() {
  sent_.clear();
  bytes_ = 0;
}

bool Inflights::full(const Limits& limits) const {
  return sent_.size() >= limits.inflight_messages_max || bytes_ >= limits.inflight_bytes_max;
}

void Progress::become_probe() {
  // After a snapshot the follower holds at least that, even if its answer has not come yet.
  LogIndex known = state == Replication::snapshot ? std::max(match, snapshot_index) : match;
  state = Replication::probe;
  next = known.next();
  probe_sent = false;
  snapshot_index = {};
  commit_sent = {};
  inflights.clear();
}

void Progress::become_replicate() {
  state = Replication::replicate;
  next = match.next();
  probe_sent = false;
  snapshot_index = {};
  inflights.clear();
}

void Progress::become_snapshot() {
  state = Replication::snapshot;
  probe_sent = false;
  snapshot_index = {};
  inflights.clear();
}

bool Progress::paused(const Limits& limits) const {
  switch (state) {
    case Replication::probe: return probe_sent;
    case Replication::replicate: return inflights.full(limits);
    case Replication::snapshot: return true;
  }
  return true;
}

}  // namespace tripod::etcd::raft
