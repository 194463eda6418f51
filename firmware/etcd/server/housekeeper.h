#pragma once
// What a member does beside answering: commits state.db in intervals, compacts and gives free pages
// back in slices, takes checkpoints on the storage lane, cuts the log behind what a checkpoint made
// durable, and looks how full the disk is.
//
// A checkpoint beside a writer never finds the WAL at rest, and a WAL that is never at rest grows.
// So once it is large, the entries to apply wait for one more checkpoint, of what came meanwhile;
// the next write begins it anew.
//
// Lives on the loop thread.

#include <deque>
#include <functional>
#include <memory>

#include "firmware/etcd/mvcc/store.h"
#include "firmware/etcd/options.h"
#include "firmware/etcd/server/replica.h"
#include "platform/base/metrics.h"
#include "platform/os/board.h"

namespace tripod::etcd {

class Housekeeper {
 public:
  /// Two thirds of the time are for those who ask.
  static constexpr Duration compaction_slice = Milliseconds(4);
  static constexpr Duration compaction_pause = Milliseconds(8);
  static constexpr std::size_t compaction_work_per_step = 32;
  /// A follower that was silent for longer is away.
  static constexpr Duration follower_patience = std::chrono::seconds(5);
  static constexpr Duration disk_interval = std::chrono::seconds(2);
  static constexpr int vacuum_pages_per_slice = 32;
  static constexpr Duration vacuum_pause = Milliseconds(5);
  /// After a compaction, free pages are given back when they are more than this and more than a
  /// quarter of the file; half of that stays for what comes.
  static constexpr std::int64_t free_bytes_kept = 4 * 1024 * 1024;

  /// Opens a second connection to state.db at `path`, for checkpoints.
  static Result<std::unique_ptr<Housekeeper>> open(const os::World& world, const Options& options,
                                                   const std::string& path, Store& store,
                                                   Replica& replica, metrics::Registry& metrics);

  void start();
  /// Entries were applied.
  void after_apply();
  /// An entry of that size is applied.
  void count_entry(std::uint64_t index, std::size_t bytes);
  /// Makes everything applied part of the file.
  void commit();
  bool no_space() const { return no_space_; }
  /// Calls back when the rows below the compact revision are gone.
  void when_compacted(std::function<void()> done);
  /// Gives every page back that is free now; calls back when the file is so much smaller.
  void defragment(std::function<void()> done);
  /// The log must keep what comes after `index`; nullopt: nothing in particular. For a snapshot
  /// that is on its way to a member.
  std::function<std::optional<std::uint64_t>()> log_wanted_from;
  /// state.db is to be replaced: commits, and lets go of it; nothing is done until resume().
  Task<void> pause();
  /// Another state.db is in its place.
  Result<> resume(const std::string& path);
  /// Commits, and returns when the storage lane is done with it.
  Task<void> stop();

 private:
  static Result<sqlite::Database> open_checkpointer(const StateDb& db, const std::string& path);
  Housekeeper(const os::World& world, const Options& options, Store& store, Replica& replica,
              metrics::Registry& metrics, sqlite::Database checkpointer);
  void compact();
  void compact_slice();
  void compacted();
  void vacuum();
  void vacuum_soon(Duration pause);
  /// Commits and checkpoints while nothing is applied.
  void rest();
  void rested(std::uint64_t applied, Result<sqlite::CheckpointCounts> counts);
  void checkpoint();
  /// Says when checkpoints begin and cease to fail; ends the process when the next one cannot help.
  void watch_failures(const Result<sqlite::CheckpointCounts>& counts);
  void checkpointed(std::uint64_t applied, Result<sqlite::CheckpointCounts> counts);
  void truncate_log(std::uint64_t durable);
  /// Where the newest `bytes` of the log began, about; 0 when it has fewer, or that is not known.
  std::uint64_t log_mark(std::size_t bytes) const;
  /// The entries up to here are with every follower that still answers.
  std::uint64_t replicated() const;
  void look_at_disk();
  void run_on_lane(os::Callback work, os::Callback done);

  os::World world_;
  const Options& options_;
  Logger log_;
  Store& store_;
  Replica& replica_;
  std::unique_ptr<sqlite::Database> checkpointer_;  // used on the storage lane
  std::unique_ptr<os::Operation> commit_timer_;
  std::unique_ptr<os::Operation> compact_timer_;
  std::unique_ptr<os::Operation> disk_timer_;
  std::unique_ptr<os::Operation> vacuum_timer_;
  std::vector<std::function<void()>> compaction_waiters_;
  std::vector<std::function<void()>> vacuum_waiters_;  // until the slices are done
  std::vector<std::function<void()>> rest_waiters_;    // until the file is cut
  std::int64_t vacuum_bytes_left_ = 0;
  /// Where in the log each further mebibyte of entries began.
  std::deque<std::uint64_t> log_marks_;
  std::size_t bytes_since_mark_ = 0;
  std::size_t bytes_since_checkpoint_ = 0;
  std::uint64_t committed_index_ = 0;  // applied index in the last commit
  std::size_t lane_jobs_ = 0;
  async::Oneshot<void> lane_idle_;
  metrics::Histogram& commit_seconds_;
  bool checkpointing_ = false;
  bool checkpoints_fail_ = false;
  bool resting_ = false;
  bool no_space_ = false;
  bool paused_ = false;
  bool stopped_ = false;
};

}  // namespace tripod::etcd
