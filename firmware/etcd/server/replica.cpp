#include "firmware/etcd/server/replica.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/raft/codec.h"

namespace tripod::etcd {
namespace {

constexpr std::size_t held_max = 256;  // entries that wait while applies are held
// Entries that are applied in less time than the disk takes; beside more, it works already.
constexpr std::size_t applied_before_the_disk = 8;

/// Large and in no hurry; everything else overtakes it.
bool is_bulk(const raft::MessageBody& body) {
  if (const auto* append = std::get_if<raft::Append>(&body)) return !append->entries.empty();
  return std::holds_alternative<raft::Forward>(body) ||
         std::holds_alternative<raft::InstallSnapshot>(body);
}

std::vector<double> doubling(double first, std::size_t count) {
  std::vector<double> bounds;
  for (double bound = first; bounds.size() < count; bound *= 2) bounds.push_back(bound);
  return bounds;
}

}  // namespace

Replica::Replica(const os::World& world, raft::Raft raft, raft::LogStore store, ReplicaHost& host,
                 metrics::Registry& metrics)
    : world_(world),
      log_(world.log, "etcd.raft"),
      raft_(std::move(raft)),
      store_(std::make_unique<raft::LogStore>(std::move(store))),
      host_(host),
      applied_(raft_.status().applied),
      fsync_seconds_(metrics.histogram("etcd_disk_wal_fsync_duration_seconds",
                                       "The latency distributions of fsync called by WAL.",
                                       doubling(0.001, 14))) {}

Replica::~Replica() {
  CHECK(halted_ && lane_jobs_ == 0, "halt() first");
}

raft::Moment Replica::moment() {
  if (chances_left_ == 0) {
    world_.entropy.fill(std::as_writable_bytes(std::span(chances_)));
    chances_left_ = chances_.size();
  }
  return {world_.clock.now(), chances_[--chances_left_]};
}

void Replica::step(raft::Event event) {
  if (halted_) return;
  raft_.step(moment(), std::move(event));
  want_turn();
}

void Replica::want_turn() {
  if (halted_ || std::exchange(turn_wanted_, true)) return;
  world_.executor.post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) turn();
  });
}

void Replica::turn() {
  turn_wanted_ = false;
  if (halted_) return;
  host_.before_turn();
  raft::Actions actions = raft_.take_actions(moment());
  for (const raft::Message& message : actions.messages) send(message);
  if (actions.persist) persist(std::move(*actions.persist));
  if (actions.leadership) host_.on_leadership(*actions.leadership);
  std::ranges::move(actions.apply, std::back_inserter(waiting_));
  const bool applied = apply_waiting();
  for (const raft::ReadState& read : actions.reads) host_.on_read(read.token, read.index);
  for (const raft::Refusal& refusal : actions.refused)
    host_.on_refused(refusal.token, refusal.reason);
  if (actions.read_entries) read_entries(*actions.read_entries);
  for (const raft::NodeId to : actions.snapshots_wanted) host_.on_snapshot_wanted(to);
  for (const raft::Message& message : actions.snapshot_messages) {
    host_.on_snapshot_message(message);
  }
  if (applied) {
    host_.after_apply();
    step(raft::Applied{applied_});
  }
  arm();
}

bool Replica::apply_waiting() {
  if (waiting_.empty() || (holding_ && waiting_.size() < held_max)) return false;
  if (waiting_.size() > applied_before_the_disk) world_.log_lane.begin_now();
  const MonotonicTime started = world_.clock.now();
  for (const raft::Entry& entry : waiting_) {
    applied_ = entry.index;
    host_.apply(entry);
  }
  waiting_.clear();
  stood_still_since(started);
  return true;
}

void Replica::release_applies() {
  holding_ = false;
  if (!waiting_.empty()) want_turn();
}

void Replica::send(const raft::Message& message) {
  CHECK(transport_ != nullptr);
  transport_->send(message.to.value, raft::encode(message), !is_bulk(message.body));
}

void Replica::installed(const raft::SnapshotMeta& meta) {
  CHECK(meta.last.index > raft_.committed());
  waiting_.clear();  // the snapshot holds them
  applied_ = meta.last.index;
  step(raft::SnapshotInstalled{meta});
}

void Replica::persist(raft::PersistBatch batch) {
  ++lane_jobs_;
  const MonotonicTime started = world_.clock.now();
  const std::uint64_t id = batch.id;
  auto result = std::make_shared<Result<>>();
  world_.log_lane.run(
      [store = store_.get(), batch = std::move(batch), result] { *result = store->append(batch); },
      [this, started, id, result] {
        lane_done();
        if (!*result) {
          fatal(std::format("etcd: the log cannot be written: {}", result->error().to_string()));
        }
        fsync_seconds_.observe(std::chrono::duration<double>(world_.clock.now() - started).count());
        step(raft::Persisted{id});
      });
}

void Replica::read_entries(const raft::EntriesWanted& wanted) {
  ++lane_jobs_;
  auto result = std::make_shared<Result<std::vector<raft::Entry>>>();
  world_.log_lane.run(
      [store = store_.get(), wanted, result] {
        *result = store->read(wanted.first, wanted.last, wanted.bytes_max);
      },
      [this, result] {
        lane_done();
        if (!*result) {
          fatal(std::format("etcd: the log cannot be read: {}", result->error().to_string()));
        }
        step(raft::EntriesRead{std::move(**result)});
      });
}

/// Each moment counts once, though an entry held the loop and a tick is late for it.
void Replica::stood_still_since(MonotonicTime begin) {
  const MonotonicTime now = world_.clock.now();
  const Duration held = now - std::max(begin, stood_still_until_);
  if (held <= held_for_long) return;
  stood_still_until_ = now;
  step(raft::StoodStill{held});
}

void Replica::arm() {
  const MonotonicTime due = raft_.deadline();
  // An early tick does nothing but arm again; a late one would matter.
  if (armed_for_ && *armed_for_ <= due) return;
  armed_for_ = due;
  timer_ = world_.clock.call_at(due, [this, due] {
    armed_for_.reset();
    stood_still_since(due);
    step(raft::Tick{});
  });
}

void Replica::lane_done() {
  --lane_jobs_;
  if (halted_ && lane_jobs_ == 0) lane_idle_.set();
}

Task<void> Replica::halt() {
  halted_ = true;
  timer_.reset();
  alive_.reset();
  if (lane_jobs_ > 0) co_await lane_idle_.uncancellable();
}

}  // namespace tripod::etcd
