// Log replication: what a follower does with Appends, what a leader does with their answers, and
// when entries are committed (thesis sections 3.5, 3.6.2, 10.2.1).

#include "firmware/etcd/raft/quorum.h"
#include "firmware/etcd/raft/raft.h"
#include "platform/base/check.h"

namespace tripod::etcd::raft {
namespace {

/// Consecutive from the place after `previous`, terms not falling and not above the sender's.
bool well_formed(const Append& body, Term sender) {
  LogPosition last = body.previous;
  for (const Entry& entry : body.entries) {
    if (entry.index != last.index.next() || entry.term < last.term) return false;
    last = {entry.index, entry.term};
  }
  return last.term <= sender;
}

}  // namespace

void Raft::heed_leader(NodeId from) {
  CHECK(role_ != Role::leader,
        std::format("{} and {} both lead term {}", from.value, id_.value, term_.value));
  CHECK(leader_ == nobody || leader_ == from,
        std::format("{} and {} both lead term {}", from.value, leader_.value, term_.value));
  if (role_ != Role::follower || leader_ != from) become_follower(term_, from);
  leader_contact_ = moment_.now;
  reset_election_deadline();
}

void Raft::handle(NodeId from, Term term, Append& body) {
  if (!well_formed(body, term)) return;
  heed_leader(from);
  if (body.previous.index < log_.committed()) {
    acknowledge(from, log_.committed());
    return;
  }
  if (!log_.matches(body.previous)) {
    LogIndex last = std::min(body.previous.index, log_.last().index);
    send(from, AppendResponse{true, body.previous.index, log_.hint(last, body.previous.term)});
    return;
  }
  LogIndex last_new{body.previous.index.value + body.entries.size()};
  const LogIndex commit = std::min(body.commit, last_new);
  const bool only_news =
      commit > log_.committed() && body.entries.empty() && last_new <= acknowledged_;
  log_.merge(body.entries);
  log_.commit_to(commit);
  // The leader was told of this match. Had it been lost on the way, it would ask again behind the
  // next heartbeat, with nothing new.
  if (!only_news) acknowledge(from, last_new);
}

void Raft::acknowledge(NodeId leader, LogIndex match) {
  acknowledged_ = std::max(acknowledged_, match);
  send_after_persist(leader, AppendResponse{.rejected = false, .index = match, .hint = {}});
}

void Raft::handle(NodeId from, Term, const Heartbeat& body) {
  heed_leader(from);
  if (body.commit > log_.last().index) {
    fatal_data_lost(std::format(
        "the leader knows entries up to {} of this member's log to be durable, but it "
        "ends at {}: the data of this member were lost; remove the member and add it anew",
        body.commit.value, log_.last().index.value));
  }
  log_.commit_to(body.commit);
  send(from, HeartbeatResponse{body.read_round});
}

void Raft::handle(NodeId from, Term, const AppendResponse& body) {
  auto found = progress_.find(from);
  if (role_ != Role::leader || found == progress_.end() || body.index > log_.last().index) return;
  Progress& progress = found->second;
  progress.last_active = moment_.now;
  if (body.rejected) {
    rejected(progress, body);
  } else {
    accepted(from, progress, body.index);
  }
}

void Raft::accepted(NodeId from, Progress& progress, LogIndex match) {
  if (match < progress.match) return;  // an old answer
  bool news = match > progress.match;
  progress.match = match;
  progress.next = std::max(progress.next, match.next());
  switch (progress.state) {
    case Replication::probe: progress.become_replicate(); break;
    case Replication::replicate: progress.inflights.acknowledge(match); break;
    case Replication::snapshot:
      if (match.next() >= log_.first()) progress.become_replicate();
      break;
  }
  if (!news) return;
  maybe_commit();
  if (from == transfer_target_ && match == log_.last().index) send(from, TimeoutNow{});
}

void Raft::rejected(Progress& progress, const AppendResponse& body) {
  if (progress.state == Replication::snapshot || body.index <= progress.match) return;
  if (progress.state == Replication::replicate) {
    progress.become_probe();
    return;
  }
  if (progress.next.previous() != body.index) return;  // the answer to an earlier probe
  LogIndex guess = log_.hint(body.hint.index, body.hint.term).index.next();
  progress.next = std::max(std::min(body.index, guess), progress.match.next());
  progress.probe_sent = false;
}

void Raft::handle(NodeId from, Term, const HeartbeatResponse& body) {
  auto found = progress_.find(from);
  if (role_ != Role::leader || found == progress_.end()) return;
  Progress& progress = found->second;
  progress.last_active = moment_.now;
  progress.probe_sent = false;
  progress.read_round = std::max(progress.read_round, body.read_round);
  release_reads();
  if (progress.state != Replication::replicate || progress.match == log_.last().index) return;
  // Appends may have been lost: an empty one behind them finds out. What it would follow may be
  // compacted.
  LogIndex previous = progress.next.previous();
  if (std::optional<Term> term = log_.term_at(previous)) {
    send(from, Append{{previous, *term}, log_.committed(), {}});
  } else {
    progress.become_probe();
  }
}

void Raft::append(EntryType type, SharedBytes data) {
  CHECK(role_ == Role::leader);
  log_.append({log_.last().index.next(), term_, type, std::move(data)});
}

void Raft::maybe_commit() {
  CHECK(role_ == Role::leader);
  std::vector<LogIndex> matches;
  for (NodeId node : conf_.voters) matches.push_back(progress_.at(node).match);
  LogIndex match = majority_match(matches);
  if (match > log_.committed() && log_.term_at(match) == term_) log_.commit_to(match);
}

void Raft::broadcast_heartbeat() {
  CHECK(role_ == Role::leader);
  for (const auto& [node, progress] : progress_) {
    if (node == id_) continue;
    send(node, Heartbeat{std::min(progress.match, log_.committed()), reads_.last_round()});
  }
  heartbeat_deadline_ = moment_.now + timing_.heartbeat_interval;
}

void Raft::replicate() {
  for (auto& [node, progress] : progress_) {
    if (node != id_) replicate_to(node, progress);
  }
}

void Raft::replicate_to(NodeId to, Progress& progress) {
  while (!progress.paused(limits_)) {
    bool entries_wait = progress.next <= log_.last().index;
    bool commit_waits = progress.state == Replication::replicate &&
                        progress.commit_sent < std::min(log_.committed(), progress.next.previous());
    bool unsure = progress.state == Replication::probe && progress.match < log_.last().index;
    if (!entries_wait && !commit_waits && !unsure) return;
    if (!send_append(to, progress)) return;
  }
}

/// False when nothing could be sent now: entries are on disk, or only a snapshot helps.
bool Raft::send_append(NodeId to, Progress& progress) {
  LogIndex previous = progress.next.previous();
  std::optional<Term> previous_term = log_.term_at(previous);
  if (!previous_term) {
    want_snapshot(to, progress);
    return false;
  }
  Append body{{previous, *previous_term}, log_.committed(), {}};
  body.entries = log_.entries(progress.next, limits_.append_bytes_max, limits_.append_entries_max);
  if (body.entries.empty() && progress.next <= log_.last().index) return false;
  progress.commit_sent = body.commit;
  if (progress.state == Replication::probe) {
    progress.probe_sent = true;
  } else if (!body.entries.empty()) {
    std::size_t bytes = 0;
    for (const Entry& entry : body.entries) bytes += entry.size_bytes();
    progress.next = body.entries.back().index.next();
    progress.inflights.push(body.entries.back().index, bytes);
  }
  send(to, std::move(body));
  return true;
}

void Raft::want_snapshot(NodeId to, Progress& progress) {
  // Nobody there would take it.
  if (moment_.now >= progress.last_active + timing_.election_timeout) return;
  progress.become_snapshot();
  actions_.snapshots_wanted.push_back(to);
}

void Raft::on(PeerUnreachable event) {
  auto found = progress_.find(event.peer);
  if (found == progress_.end() || found->second.state != Replication::replicate) return;
  found->second.become_probe();
}

}  // namespace tripod::etcd::raft
