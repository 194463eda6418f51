#include "firmware/etcd/server/housekeeper.h"

#include <algorithm>
#include <format>

namespace tripod::etcd {
namespace {

constexpr std::size_t mark_bytes = 1024 * 1024;

/// A reader stands in the way, or the disk is full: nothing that was moved is lost, and nothing of
/// the log goes before all of it was.
bool may_be_tried_again(const Error& error) {
  return error == ErrorCode::unavailable || error == ErrorCode::no_space;
}

}  // namespace

Result<std::unique_ptr<Housekeeper>> Housekeeper::open(const os::World& world,
                                                       const Options& options,
                                                       const std::string& path, Store& store,
                                                       Replica& replica,
                                                       metrics::Registry& metrics) {
  auto checkpointer = open_checkpointer(store.db(), path);
  if (!checkpointer) return std::unexpected(checkpointer.error());
  return std::unique_ptr<Housekeeper>(
      new Housekeeper(world, options, store, replica, metrics, std::move(*checkpointer)));
}

Result<sqlite::Database> Housekeeper::open_checkpointer(const StateDb& db,
                                                        const std::string& path) {
  sqlite::Options database;
  database.scratch = db.scratch();
  database.synchronous = sqlite::Synchronous::normal;
  database.cache_kib = 64;
  database.checkpoint_wal_pages = 0;
  database.exclusive = false;
  database.create = false;
  return sqlite::Database::open(path, database);
}

Housekeeper::Housekeeper(const os::World& world, const Options& options, Store& store,
                         Replica& replica, metrics::Registry& metrics,
                         sqlite::Database checkpointer)
    : world_(world),
      options_(options),
      log_(world.log, "etcd.state"),
      store_(store),
      replica_(replica),
      checkpointer_(std::make_unique<sqlite::Database>(std::move(checkpointer))),
      committed_index_(store.applied_index()),
      commit_seconds_(metrics.histogram("etcd_disk_backend_commit_duration_seconds",
                                        "The latency distributions of commit called by backend.",
                                        {0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
                                         0.256, 0.512, 1.024, 2.048, 4.096, 8.192})) {}

void Housekeeper::start() {
  look_at_disk();
  compact();
}

void Housekeeper::after_apply() {
  if (store_.db().uncommitted_bytes() >= options_.state_commit_bytes) {
    commit();
  } else if (!commit_timer_ && store_.db().in_transaction()) {
    commit_timer_ =
        world_.clock.call_at(world_.clock.now() + options_.state_commit_interval, [this] {
          commit_timer_.reset();
          commit();
        });
  }
  if (store_.space().compacting() && !compact_timer_) compact();
}

void Housekeeper::commit() {
  if (stopped_ || paused_ || !store_.db().in_transaction()) return;
  const MonotonicTime started = world_.clock.now();
  bytes_since_checkpoint_ += store_.db().uncommitted_bytes() + 8192;
  store_.commit();
  committed_index_ = store_.applied_index();
  commit_seconds_.observe(std::chrono::duration<double>(world_.clock.now() - started).count());
  if (bytes_since_checkpoint_ >= options_.wal_bytes_max / 2) checkpoint();
}

// --- compaction ---

void Housekeeper::compact() {
  compact_timer_.reset();
  if (stopped_ || paused_) return;
  if (!store_.space().compacting()) {
    compacted();
    return;
  }
  if (!resting_) compact_slice();
  if (store_.db().uncommitted_bytes() >= options_.state_commit_bytes) commit();
  compact_timer_ =
      world_.clock.call_at(world_.clock.now() + compaction_pause, [this] { compact(); });
}

void Housekeeper::compact_slice() {
  const MonotonicTime end = world_.clock.now() + compaction_slice;
  std::size_t left = options_.compaction_slice_work_max;
  while (left > 0) {
    const std::size_t step = std::min(left, compaction_work_per_step);
    if (store_.space().compact_some(step) || world_.clock.now() >= end) return;
    left -= step;
  }
}

void Housekeeper::compacted() {
  for (auto& done : std::exchange(compaction_waiters_, {})) done();
  const std::int64_t free = store_.db().free_bytes();
  if (free <= free_bytes_kept || free <= store_.db().size_bytes() / 4) return;
  vacuum_bytes_left_ = std::max(vacuum_bytes_left_, free / 2);
  if (!vacuum_timer_) vacuum_soon(vacuum_pause);
}

void Housekeeper::when_compacted(std::function<void()> done) {
  compaction_waiters_.push_back(std::move(done));
  if (!compact_timer_) {
    compact_timer_ = world_.clock.call_at(world_.clock.now(), [this] { compact(); });
  }
}

// --- free pages ---

void Housekeeper::vacuum_soon(Duration pause) {
  vacuum_timer_ = world_.clock.call_at(world_.clock.now() + pause, [this] { vacuum(); });
}

void Housekeeper::defragment(std::function<void()> done) {
  vacuum_waiters_.push_back(std::move(done));
  vacuum_bytes_left_ = std::max(vacuum_bytes_left_, store_.db().free_bytes());
  if (!vacuum_timer_) vacuum_soon({});
}

void Housekeeper::vacuum() {
  vacuum_timer_.reset();
  if (stopped_ || paused_) return;
  if (vacuum_bytes_left_ > 0 && store_.db().free_bytes() > 0) {
    if (!resting_) {
      const std::int64_t pages = vacuum_bytes_left_ / store_.db().page_bytes() + 1;
      store_.db().vacuum(static_cast<int>(std::min<std::int64_t>(pages, vacuum_pages_per_slice)));
      vacuum_bytes_left_ -= vacuum_pages_per_slice * store_.db().page_bytes();
      if (store_.db().uncommitted_bytes() >= options_.state_commit_bytes) commit();
    }
    vacuum_soon(vacuum_pause);
    return;
  }
  vacuum_bytes_left_ = 0;
  std::ranges::move(std::exchange(vacuum_waiters_, {}), std::back_inserter(rest_waiters_));
  rest();
}

// --- checkpoints and the log ---

void Housekeeper::run_on_lane(os::Callback work, os::Callback done) {
  ++lane_jobs_;
  world_.storage_lane.run(std::move(work), [this, done = std::move(done)]() mutable {
    --lane_jobs_;
    done();
    if ((stopped_ || paused_) && lane_jobs_ == 0) lane_idle_.set();
  });
}

void Housekeeper::checkpoint() {
  if (resting_ || paused_ || std::exchange(checkpointing_, true)) return;
  bytes_since_checkpoint_ = 0;
  auto counts = std::make_shared<Result<sqlite::CheckpointCounts>>();
  run_on_lane([database = checkpointer_.get(),
               counts] { *counts = database->checkpoint(sqlite::Checkpoint::passive); },
              [this, counts, applied = committed_index_] {
                checkpointing_ = false;
                checkpointed(applied, std::move(*counts));
              });
}

void Housekeeper::watch_failures(const Result<sqlite::CheckpointCounts>& counts) {
  if (!counts && !may_be_tried_again(counts.error())) {
    fatal(std::format("etcd state: checkpoint: {}", counts.error().to_string()));
  }
  const bool failed = !counts;
  if (std::exchange(checkpoints_fail_, failed) == failed) return;
  if (!failed) {
    log_.info("checkpoints succeed again");
  } else {
    log_.warn("a checkpoint failed and is tried again, the files grow meanwhile",
              LogField("reason", counts.error().to_string()));
  }
}

void Housekeeper::checkpointed(std::uint64_t applied, Result<sqlite::CheckpointCounts> counts) {
  watch_failures(counts);
  // A part still helps; but only a whole one says that the commit of `applied` is durable.
  if (counts && counts->checkpointed_pages == counts->wal_pages) truncate_log(applied);
  const std::int64_t wal_bytes = counts ? counts->wal_pages * store_.db().page_bytes() : 0;
  const bool large = wal_bytes > static_cast<std::int64_t>(options_.wal_bytes_max);
  if (large || !rest_waiters_.empty()) rest();
}

void Housekeeper::rest() {
  // A checkpoint under way calls again when it is done.
  if (stopped_ || paused_ || resting_ || checkpointing_) return;
  resting_ = true;
  replica_.hold_applies();
  commit();
  bytes_since_checkpoint_ = 0;
  auto counts = std::make_shared<Result<sqlite::CheckpointCounts>>();
  run_on_lane([database = checkpointer_.get(),
               counts] { *counts = database->checkpoint(sqlite::Checkpoint::passive); },
              [this, counts, applied = committed_index_] { rested(applied, std::move(*counts)); });
}

void Housekeeper::rested(std::uint64_t applied, Result<sqlite::CheckpointCounts> counts) {
  resting_ = false;
  replica_.release_applies();
  watch_failures(counts);
  if (counts && counts->checkpointed_pages == counts->wal_pages) truncate_log(applied);
  for (auto& done : std::exchange(rest_waiters_, {})) done();
}

void Housekeeper::count_entry(std::uint64_t index, std::size_t bytes) {
  bytes_since_mark_ += bytes;
  if (bytes_since_mark_ < mark_bytes) return;
  bytes_since_mark_ = 0;
  log_marks_.push_back(index);
  const std::size_t wanted = std::max(options_.log_bytes_kept, options_.log_bytes_max) / mark_bytes;
  if (log_marks_.size() > wanted) log_marks_.pop_front();
}

std::uint64_t Housekeeper::log_mark(std::size_t bytes) const {
  const std::size_t marks = bytes / mark_bytes;
  return marks == 0 || log_marks_.size() < marks ? 0 : log_marks_[log_marks_.size() - marks];
}

std::uint64_t Housekeeper::replicated() const {
  std::uint64_t least = replica_.raft().status().last.index.value;
  for (const auto& [id, progress] : replica_.raft().progress()) {
    if (progress.state == raft::Replication::snapshot) continue;
    if (world_.clock.now() - progress.last_active > follower_patience) continue;
    least = std::min(least, progress.match.value);
  }
  return least;
}

void Housekeeper::truncate_log(std::uint64_t durable) {
  if (paused_) return;
  const raft::Status status = replica_.raft().status();
  // Any member may lead next, so all keep something. Who lags further gets the state.
  std::uint64_t keep_from =
      durable > options_.log_entries_kept ? durable - options_.log_entries_kept : 0;
  std::uint64_t least = options_.log_entries_kept / 10;
  if (const std::uint64_t mark = log_mark(options_.log_bytes_kept); mark > keep_from) {
    keep_from = mark;
    least = 1;
  }
  keep_from = std::min(keep_from, replicated());
  keep_from = std::max(keep_from, log_mark(options_.log_bytes_max));
  keep_from = std::min(keep_from, durable);
  if (log_wanted_from) keep_from = std::min(keep_from, log_wanted_from().value_or(keep_from));
  // Not for a few entries: each cut is a write.
  if (keep_from < status.first.value + least) return;
  log_.info("cutting the log", LogField("from", status.first.value), LogField("to", keep_from));
  replica_.step(raft::Compact{{keep_from}});
}

// --- the disk ---

void Housekeeper::look_at_disk() {
  auto free = std::make_shared<Result<std::uint64_t>>(0);
  run_on_lane([this, free] { *free = world_.storage.free_bytes(options_.data_dir); },
              [this, free] {
                if (stopped_) return;
                const bool full = *free && **free < options_.disk_reserve_bytes;
                if (full != no_space_) {
                  no_space_ = full;
                  if (full) {
                    log_.error("the disk is nearly full, writes are refused",
                               LogField("free-bytes", **free),
                               LogField("reserve-bytes", options_.disk_reserve_bytes));
                  } else {
                    log_.info("the disk has room again");
                  }
                }
                disk_timer_ = world_.clock.call_at(world_.clock.now() + disk_interval,
                                                   [this] { look_at_disk(); });
              });
}

Task<void> Housekeeper::pause() {
  commit();
  paused_ = true;
  commit_timer_.reset();
  compact_timer_.reset();
  vacuum_timer_.reset();
  lane_idle_ = {};
  if (lane_jobs_ > 0) co_await lane_idle_.uncancellable();
  checkpointer_.reset();
}

Result<> Housekeeper::resume(const std::string& path) {
  CHECK(paused_);
  auto checkpointer = open_checkpointer(store_.db(), path);
  if (!checkpointer) return std::unexpected(checkpointer.error());
  checkpointer_ = std::make_unique<sqlite::Database>(std::move(*checkpointer));
  paused_ = false;
  bytes_since_checkpoint_ = 0;
  committed_index_ = store_.applied_index();
  lane_idle_ = {};
  compact();
  if (!vacuum_waiters_.empty()) vacuum_soon({});
  if (!rest_waiters_.empty()) rest();
  return {};
}

Task<void> Housekeeper::stop() {
  commit_timer_.reset();
  compact_timer_.reset();
  disk_timer_.reset();
  vacuum_timer_.reset();
  compaction_waiters_.clear();
  vacuum_waiters_.clear();
  rest_waiters_.clear();
  commit();
  stopped_ = true;
  lane_idle_ = {};
  if (lane_jobs_ > 0) co_await lane_idle_.uncancellable();
}

}  // namespace tripod::etcd
