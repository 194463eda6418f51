// Elections (thesis sections 3.4, 6.2, 9.6), the vote lease, check-quorum and the two changes of
// role.

#include "firmware/etcd/raft/quorum.h"
#include "firmware/etcd/raft/raft.h"
#include "platform/base/check.h"

namespace tripod::etcd::raft {

void Raft::become_follower(Term term, NodeId leader) {
  CHECK(term >= term_);
  CHECK(leader != id_);
  if (leader != leader_ || role_ != Role::follower) refuse_reads(Refused::leader_lost);
  if (term > term_) vote_ = nobody;
  acknowledged_ = {};
  term_ = term;
  role_ = Role::follower;
  leader_ = leader;
  votes_.clear();
  progress_.clear();
  abort_transfer();
  reset_election_deadline();
}

void Raft::become_leader() {
  CHECK(role_ == Role::candidate && vote_ == id_);
  CHECK(hard_handed_out_.term == term_ && hard_handed_out_.vote == id_,
        "a leader's vote is durable");
  refuse_reads(Refused::leader_lost);
  role_ = Role::leader;
  leader_ = id_;
  votes_.clear();
  abort_transfer();
  CHECK(progress_.empty());
  sync_progress();
  heartbeat_deadline_ = moment_.now + timing_.heartbeat_interval;
  // Thesis section 3.6.2: older entries are committed only through one of the new term.
  append(EntryType::normal, nullptr);
}

/// The lease ran out with nobody to take over: proposals are refused rather than sent into the
/// dark.
void Raft::leader_gone() {
  CHECK(role_ != Role::leader);
  if (leader_ == nobody) return;
  refuse_reads(Refused::leader_lost);
  leader_ = nobody;
}

bool Raft::promotable() const {
  // A configuration that is committed but not yet applied may have made this member's majorities
  // wrong.
  return voter(id_) && !log_.conf_change_within(conf_.index, log_.committed());
}

bool Raft::lease_holds() const {
  if (role_ == Role::leader) return true;  // check_quorum ends it
  return leader_ != nobody && moment_.now < leader_contact_ + timing_.election_timeout;
}

void Raft::reset_election_deadline() {
  // Several draws from one random number: mix it with a count (splitmix64's finalizer).
  std::uint64_t draw = moment_.random + ++draws_ * 0x9e3779b97f4a7c15ULL;
  draw = (draw ^ (draw >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  draw = (draw ^ (draw >> 27U)) * 0x94d049bb133111ebULL;
  draw ^= draw >> 31U;
  auto spread = static_cast<std::uint64_t>(timing_.election_spread.count());
  Duration extra(static_cast<Duration::rep>(spread == 0 ? 0 : draw % spread));
  election_deadline_ = moment_.now + timing_.election_timeout + extra;
  deadline_moved_ = false;
}

/// What arrived meanwhile is read first: a leader that stood still for as long is still one.
void Raft::on(StoodStill event) {
  for (auto& [node, progress] : progress_) {
    progress.last_active = std::min(moment_.now, progress.last_active + event.time);
  }
  if (role_ == Role::leader || std::exchange(deadline_moved_, true)) return;
  const MonotonicTime moved =
      std::min(election_deadline_ + event.time, moment_.now + timing_.election_timeout);
  election_deadline_ = std::max(election_deadline_, moved);
}

void Raft::on(Campaign) {
  if (role_ != Role::leader && promotable()) campaign(false);
}

void Raft::campaign(bool transfer) {
  CHECK(role_ != Role::leader && promotable());
  leader_gone();
  if (transfer) {
    start_votes(true);
    return;
  }
  role_ = Role::pre_candidate;
  votes_.clear();
  votes_[id_] = true;
  reset_election_deadline();
  for (NodeId node : conf_.voters) {
    if (node != id_) send(node, term_.next(), PreVote{log_.last()});
  }
  count_votes();
}

void Raft::start_votes(bool transfer) {
  role_ = Role::candidate;
  term_ = term_.next();
  vote_ = id_;
  votes_.clear();  // the own vote counts when it is durable
  reset_election_deadline();
  for (NodeId node : conf_.voters) {
    if (node != id_) send_after_persist(node, Vote{log_.last(), transfer});
  }
}

void Raft::count_own_vote() {
  if (role_ != Role::candidate) return;
  CHECK(vote_ == id_);
  votes_[id_] = true;
  count_votes();
}

void Raft::count_votes() {
  CHECK(role_ == Role::pre_candidate || role_ == Role::candidate);
  std::size_t granted = 0;
  std::size_t rejected = 0;
  for (NodeId node : conf_.voters) {
    auto vote = votes_.find(node);
    if (vote == votes_.end()) continue;
    (vote->second ? granted : rejected) += 1;
  }
  switch (tally(conf_.voters.size(), granted, rejected)) {
    case Tally::open: return;
    case Tally::lost: become_follower(term_, nobody); return;
    case Tally::won: break;
  }
  if (role_ == Role::pre_candidate) {
    start_votes(false);
  } else {
    become_leader();
  }
}

void Raft::handle(NodeId from, Term term, const PreVote& body) {
  bool free_to_vote = term > term_ || vote_ == from || (vote_ == nobody && leader_ == nobody);
  if (free_to_vote && !lease_holds() && log_.up_to_date(body.last)) {
    send(from, term, PreVoteResponse{.granted = true});
  } else {
    send(from, PreVoteResponse{});
  }
}

void Raft::handle(NodeId from, Term term, const PreVoteResponse& body) {
  if (role_ != Role::pre_candidate) return;
  if (body.granted && term != term_.next()) return;  // of an earlier attempt
  votes_.try_emplace(from, body.granted);
  count_votes();
}

void Raft::handle(NodeId from, Term term, const Vote& body) {
  CHECK(term == term_);
  bool free_to_vote = vote_ == from || (vote_ == nobody && leader_ == nobody);
  if (!free_to_vote || !log_.up_to_date(body.last)) {
    send(from, VoteResponse{});
    return;
  }
  if (role_ != Role::follower) become_follower(term_, nobody);  // a pre-candidate gives way
  CHECK(vote_ == nobody || vote_ == from);
  vote_ = from;
  reset_election_deadline();
  send_after_persist(from, VoteResponse{.granted = true});
}

void Raft::handle(NodeId from, Term term, const VoteResponse& body) {
  CHECK(term == term_);
  if (role_ != Role::candidate) return;
  votes_.try_emplace(from, body.granted);
  count_votes();
}

void Raft::handle(NodeId from, Term, const TimeoutNow&) {
  if (role_ == Role::leader || from != leader_ || !promotable()) return;
  campaign(true);
}

void Raft::check_quorum() {
  CHECK(role_ == Role::leader);
  std::size_t heard = 0;
  for (NodeId node : conf_.voters) {
    auto progress = progress_.find(node);
    if (progress == progress_.end()) continue;
    if (node == id_ || moment_.now < progress->second.last_active + timing_.election_timeout)
      ++heard;
  }
  if (heard < majority(conf_.voters.size())) become_follower(term_, nobody);
}

void Raft::on(TransferLeadership event) {
  if (role_ != Role::leader || event.to == id_ || !voter(event.to)) return;
  transfer_target_ = event.to;
  transfer_deadline_ = moment_.now + timing_.election_timeout;
  if (progress_.at(event.to).match == log_.last().index) send(event.to, TimeoutNow{});
}

}  // namespace tripod::etcd::raft
