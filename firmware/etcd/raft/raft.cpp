#include "firmware/etcd/raft/raft.h"

#include <utility>

#include "platform/base/check.h"

namespace tripod::etcd::raft {
namespace {

Error contradiction(std::string_view what, LogIndex applied, const Recovered& recovered) {
  return Error{ErrorCode::corrupt,
               std::format("{}: state applied up to {}, log from {} to {}, committed up to {}",
                           what, applied.value, recovered.base.index.next().value,
                           recovered.last.value, recovered.hard_state.commit.value)};
}

bool from_leader(const MessageBody& body) {
  return std::holds_alternative<Append>(body) || std::holds_alternative<Heartbeat>(body) ||
         std::holds_alternative<InstallSnapshot>(body);
}

}  // namespace

Result<Raft> Raft::create(Setup setup, const Moment& moment) {
  Recovered& log = setup.recovered;
  bool restored = false;
  if (setup.snapshot && setup.applied > log.last && setup.snapshot->last.index == setup.applied) {
    // The power went between the installation of a snapshot and the reset of the log behind it.
    log.base = setup.snapshot->last;
    log.last = log.base.index;
    log.term_runs.clear();
    log.conf_changes.clear();
    log.conf_state = setup.snapshot->conf_state;
    restored = true;
  }
  if (setup.applied > log.last) {
    return std::unexpected(contradiction("the log is behind the state", setup.applied, log));
  }
  if (setup.applied < log.base.index) {
    return std::unexpected(contradiction("the log begins after the state", setup.applied, log));
  }
  if (log.hard_state.commit > log.last) {
    return std::unexpected(contradiction("the log lacks committed entries", setup.applied, log));
  }
  Raft raft(std::move(setup), moment);
  if (restored) {
    // Whoever votes makes the term durable first: in a term that is not, this member has not voted.
    if (raft.log_.base().term > raft.term_) {
      raft.term_ = raft.log_.base().term;
      raft.vote_ = nobody;
    }
    raft.reset_pending_ = raft.log_.base();
    raft.conf_handed_out_ = {};
  }
  return raft;
}

Raft::Raft(Setup setup, const Moment& moment)
    : id_(setup.id),
      timing_(setup.timing),
      limits_(setup.limits),
      moment_(moment),
      term_(setup.recovered.hard_state.term),
      vote_(setup.recovered.hard_state.vote),
      conf_(setup.recovered.conf_state),
      log_(setup.recovered, setup.applied, setup.limits),
      hard_handed_out_(setup.recovered.hard_state),
      conf_handed_out_(setup.recovered.conf_state.index) {
  CHECK(id_ != nobody);
  CHECK(timing_.heartbeat_interval * 2 <= timing_.election_timeout);
  reset_election_deadline();
  if (conf_.voters.size() == 1 && conf_.voters[0] == id_) election_deadline_ = moment.now;
}

void Raft::step(const Moment& moment, Event event) {
  moment_ = moment;
  std::visit([this](auto&& one) { on(std::forward<decltype(one)>(one)); }, std::move(event));
  check_invariants();
}

Actions Raft::take_actions(const Moment& moment) {
  moment_ = moment;
  flush_reads();
  collect_apply();
  replicate();
  collect_persist();
  collect_reading();
  Leadership now{role_, leader_, term_};
  if (now != announced_) actions_.leadership = announced_ = now;
  check_invariants();
  return std::exchange(actions_, {});
}

void Raft::check_invariants() const {
  CHECK(hard_handed_out_.term <= term_);
  CHECK(log_.applied() <= log_.handed_out() && log_.handed_out() <= log_.committed());
  CHECK(log_.committed() <= log_.last().index && log_.durable() <= log_.last().index);
  CHECK(log_.last().term <= term_);
  CHECK((role_ == Role::leader) == (leader_ == id_ && id_ != nobody));
  CHECK(progress_.empty() || role_ == Role::leader);
  for (const auto& [node, progress] : progress_) {
    CHECK(progress.match < progress.next);
    CHECK(progress.match <= log_.last().index);
    CHECK(node != id_ || progress.match <= log_.durable());
  }
}

MonotonicTime Raft::deadline() const {
  if (role_ == Role::leader) return heartbeat_deadline_;
  if (reads_.rounds().empty()) return election_deadline_;
  return std::min(election_deadline_, reads_.rounds().front().asked_at + read_retry());
}

Status Raft::status() const {
  return Status{.id = id_,
                .leader = leader_,
                .vote = vote_,
                .term = term_,
                .role = role_,
                .committed = log_.committed(),
                .applied = log_.applied(),
                .first = log_.first(),
                .last = log_.last(),
                .durable = log_.durable(),
                .transfer_target = transfer_target_,
                .conf_state = conf_};
}

void Raft::on(Tick) {
  if (role_ == Role::leader) {
    if (moment_.now < heartbeat_deadline_) return;
    check_quorum();
    if (role_ != Role::leader) return;
    if (transfer_target_ != nobody && moment_.now >= transfer_deadline_) abort_transfer();
    broadcast_heartbeat();
    return;
  }
  retry_reads();
  if (moment_.now < election_deadline_) return;
  if (promotable()) {
    campaign(false);
  } else {
    if (!lease_holds()) leader_gone();
    reset_election_deadline();
  }
}

void Raft::on(Receive event) {
  Message& message = event.message;
  if (message.to != id_ || message.from == id_ || message.from == nobody) return;
  if (!accept_term(message)) return;
  std::visit([&](auto& body) { handle(message.from, message.term, body); }, message.body);
}

/// Thesis section 3.3: a higher term makes a follower, a lower one is told. False: the message goes
/// no further.
bool Raft::accept_term(const Message& message) {
  const MessageBody& body = message.body;
  if (message.term < term_) {
    // A refused pre-vote comes in the refuser's term, which may be behind.
    const auto* answer = std::get_if<PreVoteResponse>(&body);
    if (answer != nullptr && !answer->granted) return true;
    answer_stale(message);
    return false;
  }
  if (message.term == term_) return true;
  if (std::holds_alternative<PreVote>(body)) return true;
  if (const auto* answer = std::get_if<PreVoteResponse>(&body);
      answer != nullptr && answer->granted) {
    return true;
  }
  if (const auto* vote = std::get_if<Vote>(&body); vote != nullptr && !vote->transfer) {
    if (lease_holds()) return false;
  }
  become_follower(message.term, from_leader(body) ? message.from : nobody);
  return true;
}

void Raft::answer_stale(const Message& message) {
  NodeId from = message.from;
  if (from_leader(message.body)) {
    // Tells a deposed leader of the new term; without it, a member that is ahead would never be
    // heard again.
    send(from, AppendResponse{.rejected = true, .index = {}, .hint = {}});
  } else if (std::holds_alternative<PreVote>(message.body)) {
    send(from, PreVoteResponse{});
  } else if (std::holds_alternative<Vote>(message.body)) {
    send(from, VoteResponse{});
  } else if (const auto* forward = std::get_if<Forward>(&message.body)) {
    send(from, ForwardRefused{forward->token, Refused::no_leader});
  }
}

void Raft::send(NodeId to, MessageBody body) {
  send(to, term_, std::move(body));
}

void Raft::send(NodeId to, Term term, MessageBody body) {
  CHECK(to != id_ && to != nobody);
  actions_.messages.push_back({id_, to, term, std::move(body)});
}

void Raft::send_after_persist(NodeId to, MessageBody body) {
  CHECK(to != id_ && to != nobody);
  messages_after_persist_.push_back({id_, to, term_, std::move(body)});
}

void Raft::collect_persist() {
  if (batch_in_flight_ != 0) return;
  PersistBatch batch;
  batch.entries = log_.take_unpersisted();
  batch.reset = std::exchange(reset_pending_, std::nullopt);
  batch.compact = std::exchange(compact_pending_, std::nullopt);
  if (conf_.index != conf_handed_out_) {
    batch.conf_state = conf_;
    conf_handed_out_ = conf_.index;
  }
  // A configuration entry is proposed only behind an applied one: with the commit index beside it,
  // a restarted member knows that it must apply the former before it stands for election.
  bool with_change = std::ranges::any_of(
      batch.entries, [](const Entry& entry) { return entry.type == EntryType::conf_change; });
  HardState now{term_, vote_, log_.committed()};
  bool promised = now.term != hard_handed_out_.term || now.vote != hard_handed_out_.vote;
  if (promised || with_change || batch.conf_state || batch.reset) {
    CHECK(now.term > hard_handed_out_.term || hard_handed_out_.vote == nobody ||
              now.vote == hard_handed_out_.vote,
          "two votes in one term");
    batch.hard_state = hard_handed_out_ = now;
    if (role_ == Role::candidate && vote_ == id_) own_vote_in_flight_ = term_;
  }
  if (batch.empty()) {
    for (Message& message : messages_after_persist_)
      actions_.messages.push_back(std::move(message));
    messages_after_persist_.clear();
    return;
  }
  batch.id = batch_in_flight_ = ++batches_;
  CHECK(messages_in_flight_.empty());
  messages_in_flight_ = std::exchange(messages_after_persist_, {});
  actions_.persist = std::move(batch);
}

void Raft::on(Persisted event) {
  CHECK(batch_in_flight_ != 0 && event.id == batch_in_flight_);
  batch_in_flight_ = 0;
  log_.persisted();
  for (Message& message : messages_in_flight_) actions_.messages.push_back(std::move(message));
  messages_in_flight_.clear();
  if (std::exchange(own_vote_in_flight_, std::nullopt) == term_) count_own_vote();
  if (role_ == Role::leader) {
    auto own = progress_.find(id_);
    if (own == progress_.end() || log_.durable() <= own->second.match) return;
    own->second.match = log_.durable();
    own->second.next = own->second.match.next();
    maybe_commit();
  }
}

void Raft::collect_apply() {
  if (log_.applied() != log_.handed_out()) return;  // the last portion is still being applied
  std::vector<Entry> entries = log_.take_committed(limits_.apply_bytes_max);
  for (const Entry& entry : entries) {
    if (entry.type == EntryType::conf_change) apply_conf_change(entry);
  }
  std::ranges::move(entries, std::back_inserter(actions_.apply));
}

void Raft::on(Applied event) {
  log_.applied_to(event.index);
}

/// Asks for a stretch of the log that left memory: for the state machine first, then for who is
/// furthest behind.
void Raft::collect_reading() {
  if (reading_entries_) return;
  LogIndex first;
  if (log_.committed_on_disk()) first = log_.handed_out().next();
  for (const auto& [node, progress] : progress_) {
    if (log_.committed_on_disk() || node == id_ || progress.paused(limits_)) continue;
    bool on_disk = progress.next >= log_.first() && progress.next <= log_.durable() &&
                   !log_.in_memory(progress.next);
    if (on_disk && (first == LogIndex{} || progress.next < first)) first = progress.next;
  }
  if (first == LogIndex{}) return;
  LogIndex last = std::min(log_.durable(), LogIndex{first.value + limits_.append_entries_max - 1});
  actions_.read_entries = EntriesWanted{first, last, limits_.apply_bytes_max};
  reading_entries_ = true;
}

void Raft::on(EntriesRead event) {
  CHECK(reading_entries_);
  reading_entries_ = false;
  log_.offer(std::move(event.entries));
}

bool Raft::voter(NodeId node) const {
  return std::ranges::contains(conf_.voters, node);
}

bool Raft::member(NodeId node) const {
  return voter(node) || std::ranges::contains(conf_.learners, node);
}

}  // namespace tripod::etcd::raft
