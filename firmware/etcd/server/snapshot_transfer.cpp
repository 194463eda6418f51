#include "firmware/etcd/server/snapshot_transfer.h"

#include <format>

namespace tripod::etcd {
namespace {

SnapshotFacts facts_of(const raft::SnapshotMeta& meta, ClusterId cluster) {
  return SnapshotFacts{.cluster = cluster,
                       .index = meta.last.index.value,
                       .term = meta.last.term.value,
                       .members_index = meta.conf_state.index.value,
                       .voters = {},
                       .learners = {}};
}

Task<Result<>> wait_for(async::Signal* signal) {
  co_return co_await signal->wait();
}

}  // namespace

raft::SnapshotMeta meta_of(const SnapshotFacts& facts) {
  raft::SnapshotMeta meta{
      .last = {{facts.index}, {facts.term}},
      .conf_state = {.index = {facts.members_index}, .voters = {}, .learners = {}}};
  for (const MemberId id : facts.voters) meta.conf_state.voters.push_back({id});
  for (const MemberId id : facts.learners) meta.conf_state.learners.push_back({id});
  return meta;
}

// --- sending ---

SnapshotSender::SnapshotSender(const os::World& world, Snapshots& snapshots, SnapshotHost& host,
                               metrics::Registry& metrics)
    : world_(world),
      log_(world.log, "etcd.snapshot"),
      snapshots_(snapshots),
      host_(host),
      metrics_(metrics),
      scope_(world.executor) {}

void SnapshotSender::start(raft::NodeId to) {
  if (scope_.cancelled() || transfers_.contains(to)) return;
  transfers_.emplace(to, std::make_unique<Transfer>());
  scope_.spawn(run(to));
}

void SnapshotSender::on_answer(raft::NodeId from, const raft::InstallSnapshotResponse& answer) {
  const auto found = transfers_.find(from);
  if (found == transfers_.end() || found->second->index != answer.index) return;
  found->second->answer = answer;
  found->second->answered.notify();
}

std::optional<std::uint64_t> SnapshotSender::oldest() const {
  std::optional<std::uint64_t> oldest;
  for (const auto& [to, state] : transfers_) {
    const std::uint64_t index = state->index.value;
    if (!oldest || index < *oldest) oldest = index;
  }
  return oldest;
}

Task<void> SnapshotSender::run(raft::NodeId to) {
  Transfer* state = transfers_.at(to).get();
  auto sent = co_await transfer(to, state);
  metrics_
      .counter(sent ? "etcd_network_snapshot_send_success" : "etcd_network_snapshot_send_failures",
               sent ? "Total number of successful snapshot sends"
                    : "Total number of snapshot send failures",
               {{"To", std::format("{:x}", to.value)}})
      .add();
  if (sent) {
    log_.info("a member took in a snapshot", LogField("peer", std::format("{:x}", to.value)),
              LogField("index", state->index.value));
  } else if (sent.error() != ErrorCode::cancelled) {
    log_.warn("could not send a snapshot", LogField("peer", std::format("{:x}", to.value)),
              LogField("reason", sent.error().to_string()));
    // Not at once, for the core would ask again at once.
    (void)co_await async::sleep_for(world_.clock, pause_after_failure);
  }
  transfers_.erase(to);
  if (!scope_.cancelled()) host_.report(to, sent.has_value());
}

Task<Result<>> SnapshotSender::transfer(raft::NodeId to, Transfer* state) {
  auto stream = co_await snapshots_.open();
  if (!stream) co_return std::unexpected(stream.error());
  const raft::SnapshotMeta meta = meta_of((*stream)->facts());
  if (meta.conf_state.voters.empty() || meta.last.term == raft::Term{}) {
    co_return fail(ErrorCode::unavailable, "nothing was applied in this release yet");
  }
  state->index = meta.last.index;
  const std::uint64_t size = (*stream)->size_bytes();
  log_.info("sending a snapshot", LogField("peer", std::format("{:x}", to.value)),
            LogField("index", meta.last.index.value), LogField("bytes", size));
  std::uint64_t offset = 0;
  while (offset < size) {
    auto piece = co_await (*stream)->read(piece_bytes);
    if (!piece) co_return std::unexpected(piece.error());
    CHECK(!piece->empty());
    const std::uint64_t end = offset + piece->size();
    auto delivered = co_await deliver(
        to, state,
        {.meta = meta, .offset = offset, .data = share(std::move(*piece)), .done = end == size});
    if (!delivered) co_return delivered;
    offset = end;
  }
  co_return Result<>{};
}

/// Sends it until it is acknowledged.
Task<Result<>> SnapshotSender::deliver(raft::NodeId to, Transfer* state,
                                       raft::InstallSnapshot piece) {
  const std::uint64_t end = piece.offset + piece.data->size();
  for (int silent = 0; silent < repeats_max; ++silent) {
    if (!host_.leads()) co_return fail(ErrorCode::unavailable, "this member leads no more");
    state->answer.reset();
    host_.send(to, piece);
    const MonotonicTime until = world_.clock.now() + repeat_after;
    while (world_.clock.now() < until) {
      auto heard = co_await async::with_timeout(world_.clock, until - world_.clock.now(),
                                                wait_for(&state->answered));
      if (!heard && heard.error() == ErrorCode::cancelled) co_return heard;
      if (!state->answer) continue;
      if (state->answer->refused) co_return fail(ErrorCode::refused, "the member does not want it");
      if (state->answer->offset_next == end) co_return Result<>{};
      silent = -1;  // an answer to a repetition: it works on it
    }
  }
  co_return fail(ErrorCode::timeout, "no answer");
}

Task<void> SnapshotSender::stop() {
  scope_.cancel();
  co_await scope_.join();
}

// --- receiving ---

SnapshotReceiver::SnapshotReceiver(const os::World& world, std::string path, ClusterId cluster,
                                   MemberId self, SnapshotHost& host, metrics::Registry& metrics)
    : world_(world),
      log_(world.log, "etcd.snapshot"),
      path_(std::move(path)),
      cluster_(cluster),
      self_(self),
      host_(host),
      metrics_(metrics),
      scope_(world.executor) {}

void SnapshotReceiver::answer(raft::NodeId to, bool refused) {
  host_.send(to, raft::InstallSnapshotResponse{last_.index, refused ? 0 : next_, refused});
}

void SnapshotReceiver::on_piece(raft::NodeId from, const raft::InstallSnapshot& piece) {
  if (scope_.cancelled()) return;
  const bool known = from_ == from && last_ == piece.meta.last;
  if (busy_) {
    if (known) answer(from, false);  // a sign of life
    return;
  }
  // The first piece again is a repetition while it is all that came; else the sender begins anew.
  const std::size_t size = piece.data ? piece.data->size() : 0;
  const bool begins = piece.offset == 0 && !(known && next_ == size);
  if (begins) {
    from_ = from;
    last_ = piece.meta.last;
    next_ = 0;
    log_.info("receiving a snapshot", LogField("from", std::format("{:x}", from.value)),
              LogField("index", last_.index.value));
  } else if (!known || piece.offset > next_) {
    host_.send(from, raft::InstallSnapshotResponse{piece.meta.last.index, 0, true});
    return;
  } else if (piece.offset < next_) {
    answer(from, false);  // a repetition
    return;
  }
  if (!piece.data || piece.data->empty()) return;
  busy_ = true;
  scope_.spawn(take(from, piece));
}

Task<void> SnapshotReceiver::take(raft::NodeId from, raft::InstallSnapshot piece) {
  const std::uint64_t end = piece.offset + piece.data->size();
  auto taken = co_await (piece.done ? finish(piece) : store(piece));
  busy_ = false;
  if (taken) {
    next_ = end;
  } else {
    log_.warn("gave a snapshot up", LogField("reason", taken.error().to_string()));
    writer_.reset();
  }
  answer(from, !taken);
  if (!taken || piece.done) from_ = {};
}

Task<Result<>> SnapshotReceiver::store(raft::InstallSnapshot piece) {
  auto stored =
      co_await async::run_on(world_.storage_lane,
                             [&storage = world_.storage, path = path_, writer = writer_,
                              piece]() mutable -> Result<std::shared_ptr<SnapshotWriter>> {
                               if (piece.offset == 0) {
                                 writer.reset();
                                 auto created = SnapshotWriter::create(storage, path);
                                 if (!created) return std::unexpected(created.error());
                                 writer = std::make_shared<SnapshotWriter>(std::move(*created));
                               }
                               if (!writer)
                                 return fail(ErrorCode::invalid, "a piece without a beginning");
                               if (auto appended = writer->append(*piece.data); !appended) {
                                 return std::unexpected(appended.error());
                               }
                               return writer;
                             });
  if (!stored) co_return std::unexpected(stored.error());
  writer_ = std::move(*stored);
  co_return Result<>{};
}

/// The last piece: the digest of all others.
Task<Result<>> SnapshotReceiver::finish(raft::InstallSnapshot piece) {
  auto adopted = co_await async::run_on(
      world_.storage_lane,
      [&storage = world_.storage, path = path_, writer = std::exchange(writer_, nullptr), piece,
       facts = facts_of(piece.meta, cluster_), self = self_]() mutable -> Result<> {
        if (!writer) return fail(ErrorCode::invalid, "an end without a beginning");
        if (auto whole = writer->finish(*piece.data); !whole) return whole;
        writer.reset();
        return adopt_snapshot(storage, path, facts, self);
      });
  if (!adopted) co_return adopted;
  const bool installed = co_await host_.install(piece.meta, path_);
  if (!installed) co_return fail(ErrorCode::refused, "this member is further already");
  metrics_
      .counter("etcd_network_snapshot_receive_success",
               "Total number of successful snapshot receives",
               {{"From", std::format("{:x}", from_.value)}})
      .add();
  log_.info("took in a snapshot", LogField("index", piece.meta.last.index.value));
  co_return Result<>{};
}

Task<void> SnapshotReceiver::stop() {
  scope_.cancel();
  co_await scope_.join();
}

}  // namespace tripod::etcd
