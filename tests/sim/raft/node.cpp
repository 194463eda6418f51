#include "tests/sim/raft/node.h"

#include <cstring>
#include <format>

#include "firmware/etcd/raft/codec.h"
#include "platform/base/check.h"

namespace tripod::etcd::raft::sim {
namespace {

constexpr Timing timing{Milliseconds(50), Milliseconds(300), Milliseconds(150)};
constexpr std::size_t piece_bytes = 400;
constexpr LogStoreOptions small_log{.segment_bytes = 1024, .wal_pages = 40};

Limits small_limits() {
  Limits limits;
  limits.append_bytes_max = 2000;
  limits.inflight_messages_max = 4;
  limits.cache_bytes_max = 4000;
  limits.cache_entries_max = 20;
  limits.apply_bytes_max = 3000;
  return limits;
}

Bytes packed(const Machine& machine) {
  Bytes bytes;
  auto put = [&](std::uint64_t number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };
  put(machine.applied.index.value);
  put(machine.applied.term.value);
  put(machine.chain);
  for (std::uint64_t command : machine.commands) put(command);
  return bytes;
}

Machine unpacked(BytesView bytes) {
  auto number = [&](std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at * sizeof(value), sizeof(value));
    return value;
  };
  Machine machine{{{number(0)}, {number(1)}}, number(2), {}};
  for (std::size_t i = 3; i < bytes.size() / 8; ++i) machine.commands.push_back(number(i));
  return machine;
}

}  // namespace

Node::Node(tripod::sim::SimBoard& board, Checker& checker, NodeId id, ConfState founding,
           Fault fault, Send send)
    : board_(board),
      checker_(checker),
      id_(id),
      founding_(std::move(founding)),
      fault_(fault),
      send_(std::move(send)) {}

void Node::trace(std::string_view what) {
  board_.queue().simulation().trace(std::format("{} {}", board_.name(), what));
}

Moment Node::moment() {
  return {board_.clock().now(), board_.entropy().next()};
}

void Node::start() {
  CHECK(!up());
  board_.power_on();
  auto opened = LogStore::open("raft.db", board_.disk().vfs_name(), {1, id_}, small_log);
  if (!opened) {
    checker_.violated(std::format("{} does not start: {}", id_.value, opened.error().to_string()));
    return;
  }
  store_ = std::make_shared<LogStore>(std::move(*opened));
  if (!store_->recovered().founded) CHECK(store_->found(founding_).has_value());
  machine_ = durable_.machine;
  auto created = Raft::create(
      {id_, timing, small_limits(), store_->recovered(), machine_.applied.index, durable_.snapshot},
      moment());
  if (!created) {
    checker_.violated(std::format("{} does not start: {}", id_.value, created.error().to_string()));
    return;
  }
  raft_.emplace(std::move(*created));
  trace(std::format("starts term={} last={} applied={}", raft_->term().value,
                    raft_->status().last.index.value, machine_.applied.index.value));
  turn_posted_ = false;
  arm_timer();
}

void Node::crash(std::optional<Duration> restart) {
  if (up()) {
    trace("crashes");
    board_.power_off();
    timer_.reset();
    raft_.reset();
    store_.reset();
    proposed_.clear();
    reading_.clear();
    outgoing_.clear();
    incoming_meta_.reset();
  }
  if (!restart) return;
  auto& simulation = board_.queue().simulation();
  simulation.at(simulation.now() + *restart, [this] {
    if (!up()) start();
  });
}

/// A timer that comes too early costs a turn, setting it anew costs more.
void Node::arm_timer() {
  MonotonicTime wanted = raft_->deadline();
  if (timer_ && timer_at_ <= wanted) return;
  timer_at_ = wanted;
  timer_ = board_.clock().call_at(wanted, [this, wanted] {
    timer_.reset();
    expire_snapshots();
    const Duration late = board_.clock().now() - wanted;
    if (late > timing.heartbeat_interval) step(StoodStill{late});
    step(Tick{});
  });
}

void Node::step(Event event) {
  if (!up()) return;
  raft_->step(moment(), std::move(event));
  if (std::exchange(turn_posted_, true)) return;
  board_.queue().post([this] { turn(); });
}

void Node::turn() {
  turn_posted_ = false;
  carry_out(raft_->take_actions(moment()));
  if (up()) arm_timer();
}

void Node::carry_out(Actions actions) {
  if (actions.leadership) {
    const Leadership& now = *actions.leadership;
    trace(std::format("{} of term {}, leader {}", name_of(now.role), now.term.value,
                      now.leader.value));
    if (now.role == Role::leader) checker_.leads(id_, *raft_);
  }
  for (const Message& message : actions.messages) send_(message);
  for (const ReadState& state : actions.reads) {
    auto asked = reading_.extract(state.token);
    if (!asked.empty()) checker_.read(id_, state.index, asked.mapped());
  }
  for (const Refusal& refusal : actions.refused) {
    reading_.erase(refusal.token);
  }
  if (actions.read_entries) {
    const EntriesWanted& wanted = *actions.read_entries;
    auto found = std::make_shared<Result<std::vector<Entry>>>();
    board_.storage_lane().run(
        [this, wanted, found] {
          *found = store_->read(wanted.first, wanted.last, wanted.bytes_max);
        },
        [this, found] {
          CHECK(found->has_value(), found->error().to_string());
          step(EntriesRead{std::move(**found)});
        });
  }
  for (NodeId to : actions.snapshots_wanted) send_snapshot(to);
  for (const Message& message : actions.snapshot_messages) on_snapshot_message(message);
  if (actions.persist) persist(std::move(*actions.persist));
  if (!actions.apply.empty()) apply(actions.apply);
}

void Node::persist(PersistBatch batch) {
  auto promised = std::make_shared<PersistBatch>(batch);
  if (fault_ == Fault::forget_hard_state && !batch.conf_state && !batch.reset)
    batch.hard_state.reset();
  if (fault_ == Fault::forget_vote && batch.hard_state) batch.hard_state->vote = nobody;
  auto written = std::make_shared<PersistBatch>(std::move(batch));
  auto done = std::make_shared<Result<>>();
  bool lie = fault_ == Fault::lie_about_persisted;
  if (lie) board_.queue().post([this, promised] { step(Persisted{promised->id}); });
  board_.storage_lane().run([this, written, done] { *done = store_->append(*written); },
                            [this, promised, done, lie] {
                              if (!lie || !*done) persisted(*promised, *done);
                            });
}

void Node::persisted(const PersistBatch& promised, const Result<>& done) {
  if (!done) {
    // Lost ground: the member stops, as it does on a board, and comes back with what its disk has.
    trace(std::format("stops: {}", name_of(done.error().code)));
    crash(board_.queue().simulation().random().between(Milliseconds(50), Milliseconds(800)));
    return;
  }
  checker_.durable(id_, promised);
  step(Persisted{promised.id});
}

void Node::apply(const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    CHECK(entry.index == machine_.applied.index.next());
    machine_.apply(entry);
    checker_.applied(id_, raft_->term(), entry, machine_);
    if (proposed_.erase(command_of(entry)) > 0)
      checker_.acknowledged(command_of(entry), entry.index);
  }
  trace(std::format("applied {} chain {:x}", machine_.applied.index.value, machine_.chain));
  maybe_checkpoint();
  step(Applied{machine_.applied.index});
}

/// Now and then the state becomes durable, and the log behind it shorter.
void Node::maybe_checkpoint() {
  auto& random = board_.queue().simulation().random();
  if (!random.chance(0.15)) return;
  durable_.machine = machine_;
  std::uint64_t keep = random.below(30);
  LogIndex applied = raft_->status().applied;
  if (applied.value > keep) step(Compact{{applied.value - keep}});
}

void Node::deliver(BytesView bytes) {
  if (!up()) return;
  auto message = decode(bytes, small_limits());
  CHECK(message.has_value(), message.error().to_string());
  step(Receive{std::move(*message)});
}

void Node::propose(std::uint64_t command, std::size_t padding_bytes) {
  if (!up()) return;
  Bytes data(reinterpret_cast<const char*>(&command), sizeof(command));
  data.append(padding_bytes, '.');
  proposed_.insert(command);
  step(Propose{0, share(std::move(data))});
}

void Node::read() {
  if (!up()) return;
  reading_[++tokens_] = checker_.read_bound();
  step(RequestRead{tokens_});
}

// --- snapshots: one piece at a time, the next one when the last is answered ---

void Node::send_snapshot(NodeId to) {
  Bytes bytes = packed(machine_);
  trace(std::format("sends snapshot {} to {}", machine_.applied.index.value, to.value));
  OutgoingSnapshot outgoing{
      {{machine_.applied, raft_->conf_state()}, 0, nullptr, false}, share(std::move(bytes)), {}};
  send_piece(to, outgoing_[to] = std::move(outgoing));
}

void Node::send_piece(NodeId to, OutgoingSnapshot& outgoing) {
  InstallSnapshot piece = outgoing.piece;
  BytesView rest = BytesView(*outgoing.bytes).substr(piece.offset);
  piece.data = share(Bytes(rest.substr(0, piece_bytes)));
  piece.done = rest.size() <= piece_bytes;
  outgoing.deadline = board_.clock().now() + Milliseconds(500);
  send_(Message{id_, to, raft_->term(), std::move(piece)});
}

void Node::expire_snapshots() {
  std::vector<NodeId> late;
  for (const auto& [to, outgoing] : outgoing_) {
    if (board_.clock().now() >= outgoing.deadline) late.push_back(to);
  }
  for (NodeId to : late) {
    outgoing_.erase(to);
    step(SnapshotReport{to, false});
  }
}

void Node::on_snapshot_message(const Message& message) {
  if (const auto* piece = std::get_if<InstallSnapshot>(&message.body)) {
    take_piece(message, *piece);
    return;
  }
  const auto& answer = std::get<InstallSnapshotResponse>(message.body);
  auto found = outgoing_.find(message.from);
  if (found == outgoing_.end() || found->second.piece.meta.last.index != answer.index) return;
  bool complete = answer.offset_next == found->second.bytes->size();
  if (answer.refused || complete) {
    outgoing_.erase(found);
    step(SnapshotReport{message.from, complete});
  } else if (answer.offset_next > found->second.piece.offset) {
    found->second.piece.offset = answer.offset_next;
    send_piece(message.from, found->second);
  }
}

void Node::take_piece(const Message& message, const InstallSnapshot& piece) {
  if (piece.offset == 0) {
    incoming_meta_ = piece.meta;
    incoming_.clear();
  }
  if (!incoming_meta_ || incoming_meta_->last != piece.meta.last ||
      piece.offset != incoming_.size())
    return;
  if (piece.data) incoming_ += *piece.data;
  InstallSnapshotResponse answer{piece.meta.last.index, incoming_.size(), false};
  send_(Message{id_, message.from, raft_->term(), answer});
  if (piece.done) install(piece.meta);
}

void Node::install(const SnapshotMeta& meta) {
  incoming_meta_.reset();
  if (meta.last.index <= raft_->committed()) return;
  machine_ = unpacked(incoming_);
  CHECK(machine_.applied == meta.last);
  durable_ = {machine_, meta};
  trace(std::format("installs snapshot {}", meta.last.index.value));
  auto& simulation = board_.queue().simulation();
  if (simulation.random().chance(0.2)) {
    // The power goes between the state and the log.
    simulation.at(simulation.now(), [this] { crash(Milliseconds(100)); });
    board_.queue().set_paused(true);
    return;
  }
  step(SnapshotInstalled{meta});
}

}  // namespace tripod::etcd::raft::sim
