#pragma once
// Snapshots on their way between members, for one that lags behind the start of the leader's log:
// the leader sends its state.db piece by piece, each when the last one was acknowledged; the other
// writes it beside its own and, when all of it came and matches its digest, takes it in. Both hold
// one piece in memory. What breaks off begins anew; nothing is taken in by halves.
//
// Lives on the loop thread.

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "firmware/etcd/raft/message.h"
#include "firmware/etcd/server/snapshots.h"
#include "platform/async/sync.h"
#include "platform/base/metrics.h"

namespace tripod::etcd {

raft::SnapshotMeta meta_of(const SnapshotFacts& facts);

/// What the transfers need of the member; outlives them.
class SnapshotHost {
 public:
  virtual ~SnapshotHost() = default;
  virtual void send(raft::NodeId to, raft::MessageBody body) = 0;
  virtual bool leads() const = 0;
  /// The end of sending, as of raft::SnapshotReport.
  virtual void report(raft::NodeId to, bool delivered) = 0;
  /// The file at `path` holds that snapshot, checked and durable: to be taken in. False: it is not
  /// wanted any more.
  virtual Task<bool> install(raft::SnapshotMeta meta, std::string path) = 0;
};

class SnapshotSender {
 public:
  static constexpr std::size_t piece_bytes = 192 * 1024;
  static constexpr Duration repeat_after = std::chrono::seconds(1);
  static constexpr int repeats_max = 10;  // without a sign of life
  static constexpr Duration pause_after_failure = std::chrono::seconds(2);

  SnapshotSender(const os::World& world, Snapshots& snapshots, SnapshotHost& host,
                 metrics::Registry& metrics);

  void start(raft::NodeId to);
  void on_answer(raft::NodeId from, const raft::InstallSnapshotResponse& answer);
  /// The oldest index that is on its way: what comes after it must stay in the log.
  std::optional<std::uint64_t> oldest() const;
  Task<void> stop();

 private:
  struct Transfer {
    raft::LogIndex index;
    std::optional<raft::InstallSnapshotResponse> answer;
    async::Signal answered;
  };

  Task<void> run(raft::NodeId to);
  Task<Result<>> transfer(raft::NodeId to, Transfer* state);
  Task<Result<>> deliver(raft::NodeId to, Transfer* state, raft::InstallSnapshot piece);

  os::World world_;
  Logger log_;
  Snapshots& snapshots_;
  SnapshotHost& host_;
  metrics::Registry& metrics_;
  std::map<raft::NodeId, std::unique_ptr<Transfer>> transfers_;
  Scope scope_;
};

class SnapshotReceiver {
 public:
  /// `path`: of the file that takes what comes.
  SnapshotReceiver(const os::World& world, std::string path, ClusterId cluster, MemberId self,
                   SnapshotHost& host, metrics::Registry& metrics);

  void on_piece(raft::NodeId from, const raft::InstallSnapshot& piece);
  Task<void> stop();

 private:
  Task<void> take(raft::NodeId from, raft::InstallSnapshot piece);
  Task<Result<>> store(raft::InstallSnapshot piece);
  Task<Result<>> finish(raft::InstallSnapshot piece);
  void answer(raft::NodeId to, bool refused);

  os::World world_;
  Logger log_;
  std::string path_;
  ClusterId cluster_;
  MemberId self_;
  SnapshotHost& host_;
  metrics::Registry& metrics_;
  raft::NodeId from_;  // nobody: nothing is being received
  raft::LogPosition last_;
  std::uint64_t next_ = 0;
  std::shared_ptr<SnapshotWriter> writer_;  // used on the storage lane
  bool busy_ = false;
  Scope scope_;
};

}  // namespace tripod::etcd
