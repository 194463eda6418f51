#include "firmware/etcd/raft/read_queue.h"

#include "platform/base/check.h"

namespace tripod::etcd::raft {

std::size_t ReadQueue::size() const {
  std::size_t count = waiting_.size();
  for (const Round& round : rounds_) count += round.readers.size();
  return count;
}

ReadQueue::Round& ReadQueue::open_round(const Moment& moment, LogIndex index) {
  CHECK(!waiting_.empty());
  if (next_id_ == 0) next_id_ = (moment.random >> 2) + 1;  // far from overflow
  rounds_.push_back({next_id_++, index, moment.now, std::exchange(waiting_, {})});
  return rounds_.back();
}

std::vector<Reader> ReadQueue::take_all() {
  std::vector<Reader> all;
  for (Round& round : rounds_) all.insert(all.end(), round.readers.begin(), round.readers.end());
  all.insert(all.end(), waiting_.begin(), waiting_.end());
  rounds_.clear();
  waiting_.clear();
  return all;
}

}  // namespace tripod::etcd::raft
