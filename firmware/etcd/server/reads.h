#pragma once
// Linearizable reads: all that arrive in one turn share one ReadIndex question, then wait until
// this member has applied what the answer names. A question that was refused or lost is asked again
// until patience ends.
//
// Lives on the loop thread.

#include <functional>
#include <map>

#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/raft/actions.h"
#include "firmware/etcd/server/deadlines.h"
#include "platform/async/oneshot.h"
#include "platform/async/task.h"

namespace tripod::etcd {

class Reads {
 public:
  Reads(os::Clock& clock, Duration patience, std::function<void(std::uint64_t token)> ask);

  /// Returns once a local read is linearizable, or why it cannot be.
  Task<grpc::Reply<void>> confirm();
  /// Returns once `index` is applied here.
  Task<grpc::Reply<void>> wait_applied(raft::LogIndex index);

  void flush();
  void on_read(std::uint64_t token, raft::LogIndex index);
  bool refused(std::uint64_t token);
  void applied(raft::LogIndex index);
  void retry();
  std::size_t waiting() const;
  void stop();

  std::function<void()> want_turn;

 private:
  using Done = async::Oneshot<void>;
  using Group = std::vector<Done>;
  static Task<grpc::Reply<void>> wait(Done done);
  void expect(Done done);
  void retry_soon();

  os::Clock& clock_;
  std::function<void(std::uint64_t)> ask_;
  Deadlines<Done> deadlines_;
  Group forming_;
  std::map<std::uint64_t, Group> asked_;    // by token
  std::map<raft::LogIndex, Group> behind_;  // by the index that must be applied
  raft::LogIndex applied_;
  std::unique_ptr<os::Operation> retry_timer_;
  std::uint64_t next_token_ = 1;  // odd; proposals take the even ones
  bool stopped_ = false;
};

}  // namespace tripod::etcd
