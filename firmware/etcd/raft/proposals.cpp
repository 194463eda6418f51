// What callers ask for: proposals, linearizable reads, membership changes, compaction and
// snapshots.

#include "firmware/etcd/raft/codec.h"
#include "firmware/etcd/raft/quorum.h"
#include "firmware/etcd/raft/raft.h"
#include "platform/base/check.h"

namespace tripod::etcd::raft {
namespace {

void insert_sorted(std::vector<NodeId>& nodes, NodeId node) {
  auto place = std::ranges::lower_bound(nodes, node);
  if (place == nodes.end() || *place != node) nodes.insert(place, node);
}

ConfState changed(ConfState state, const ConfChange& change) {
  std::erase(state.learners, change.node);
  switch (change.type) {
    case ConfChangeType::add_voter: insert_sorted(state.voters, change.node); break;
    case ConfChangeType::add_learner:
      std::erase(state.voters, change.node);
      insert_sorted(state.learners, change.node);
      break;
    case ConfChangeType::remove: std::erase(state.voters, change.node); break;
    case ConfChangeType::update: break;
  }
  return state;
}

}  // namespace

void Raft::on(Propose event) {
  propose(event.token, EntryType::normal, std::move(event.data));
}

void Raft::on(ProposeConfChange event) {
  propose(event.token, EntryType::conf_change, share(encode(event.change)));
}

void Raft::propose(std::uint64_t token, EntryType type, SharedBytes data) {
  BytesView view = data ? BytesView(*data) : BytesView();
  std::optional<Refused> refused;
  if (view.size() > limits_.entry_bytes_max) {
    refused = Refused::too_large;
  } else if (role_ == Role::leader) {
    refused = refuse_proposal(type, view);
  } else if (leader_ == nobody) {
    refused = member(id_) ? Refused::no_leader : Refused::not_a_member;
  }
  if (refused) {
    actions_.refused.push_back({token, *refused});
  } else if (role_ == Role::leader) {
    append(type, std::move(data));
  } else {
    send(leader_, Forward{token, type, std::move(data)});
  }
}

std::optional<Refused> Raft::refuse_proposal(EntryType type, BytesView data) const {
  CHECK(role_ == Role::leader);
  if (data.size() > limits_.entry_bytes_max) return Refused::too_large;
  if (transfer_target_ != nobody) return Refused::transferring;
  if (log_.unsettled_bytes() > 0 &&
      log_.unsettled_bytes() + data.size() > limits_.uncommitted_bytes_max) {
    return Refused::overloaded;
  }
  if (type == EntryType::normal) return std::nullopt;
  auto change = decode_conf_change(data);
  if (!change) return Refused::change_invalid;
  return refuse_change(*change);
}

std::optional<Refused> Raft::refuse_change(const ConfChange& change) const {
  // One at a time (thesis section 4.1): none in the log that is not applied, and none before this
  // leader has committed in its term (the correction of section 4.1 in raft-dev, 2015).
  if (log_.conf_change_within(conf_.index, log_.last().index)) return Refused::change_pending;
  if (log_.term_at(log_.committed()) != term_) return Refused::change_pending;
  if (change.base && *change.base != conf_.index) return Refused::change_pending;
  if (change.node == nobody) return Refused::change_invalid;
  ConfState after = changed(conf_, change);
  if (after.voters.empty()) return Refused::change_invalid;
  if (after.voters.size() + after.learners.size() > limits_.members_max)
    return Refused::change_invalid;
  return std::nullopt;
}

void Raft::handle(NodeId from, Term, const Forward& body) {
  BytesView view = body.data ? BytesView(*body.data) : BytesView();
  std::optional<Refused> refused = Refused::no_leader;
  if (role_ == Role::leader) refused = refuse_proposal(body.type, view);
  if (refused) {
    send(from, ForwardRefused{body.token, *refused});
  } else {
    append(body.type, body.data);
  }
}

void Raft::handle(NodeId, Term, const ForwardRefused& body) {
  actions_.refused.push_back({body.token, body.reason});
}

void Raft::apply_conf_change(const Entry& entry) {
  if (entry.index <= conf_.index) return;  // replayed after a restart
  auto change = decode_conf_change(entry.view());
  CHECK(change.has_value(), "a configuration entry was checked before it was proposed");
  conf_ = changed(conf_, *change);
  conf_.index = entry.index;
  CHECK(!conf_.voters.empty());
  actions_.conf_state = conf_;
  if (role_ != Role::leader) return;
  // Whoever is on the way out learns that it is, and the others that it is committed.
  broadcast_heartbeat();
  if (!voter(id_)) {
    become_follower(term_, nobody);
    return;
  }
  sync_progress();
  if (!voter(transfer_target_)) abort_transfer();
  maybe_commit();  // a smaller majority may have been reached already
  release_reads();
}

/// Makes progress_ list exactly the members. New ones are probed from the end of the log.
void Raft::sync_progress() {
  std::erase_if(progress_, [this](const auto& item) { return !member(item.first); });
  auto add = [this](NodeId node, bool learner) {
    auto [place, fresh] = progress_.try_emplace(node);
    Progress& progress = place->second;
    progress.learner = learner;
    if (!fresh) return;
    progress.next = log_.last().index.next();
    progress.last_active = moment_.now;
    if (node == id_) progress.match = log_.durable();
  };
  for (NodeId node : conf_.voters) add(node, false);
  for (NodeId node : conf_.learners) add(node, true);
}

// --- reads ---

void Raft::on(RequestRead event) {
  if (role_ != Role::leader && leader_ == nobody) {
    actions_.refused.push_back(
        {event.token, member(id_) ? Refused::no_leader : Refused::not_a_member});
  } else if (reads_.size() >= limits_.pending_reads_max) {
    actions_.refused.push_back({event.token, Refused::overloaded});
  } else {
    reads_.add({nobody, event.token});
  }
}

void Raft::handle(NodeId from, Term, const ReadIndex& body) {
  // A read that is not taken in is asked again by the follower.
  if (role_ != Role::leader || reads_.size() >= limits_.pending_reads_max) return;
  reads_.add({from, body.round});
}

void Raft::handle(NodeId from, Term, const ReadIndexResponse& body) {
  if (role_ == Role::leader || from != leader_) return;
  auto& rounds = reads_.rounds();
  bool known = std::ranges::contains(rounds, body.round, &ReadQueue::Round::id);
  // What answers a later round answers the earlier ones.
  while (known && !rounds.empty() && rounds.front().id <= body.round) {
    for (const Reader& reader : rounds.front().readers) {
      actions_.reads.push_back({reader.number, body.index});
    }
    rounds.pop_front();
  }
}

void Raft::flush_reads() {
  if (!reads_.has_waiting()) return;
  if (role_ == Role::leader) {
    // Until its first commit a leader does not know what is committed (thesis section 6.4, step 1).
    if (log_.term_at(log_.committed()) != term_) return;
    reads_.open_round(moment_, log_.committed());
    if (conf_.voters.size() > 1) broadcast_heartbeat();
    release_reads();
  } else if (leader_ != nobody) {
    send(leader_, ReadIndex{reads_.open_round(moment_, {}).id});
  }
}

void Raft::retry_reads() {
  if (leader_ == nobody) return;
  for (auto& round : reads_.rounds()) {
    if (moment_.now < round.asked_at + read_retry()) continue;
    round.asked_at = moment_.now;
    send(leader_, ReadIndex{round.id});
  }
}

/// Answers every round that a majority has confirmed this leader in.
void Raft::release_reads() {
  CHECK(role_ == Role::leader);
  auto& rounds = reads_.rounds();
  if (rounds.empty()) return;
  std::vector<LogIndex> confirmed;
  for (NodeId node : conf_.voters) {
    confirmed.push_back({node == id_ ? reads_.last_round() : progress_.at(node).read_round});
  }
  LogIndex round_max = majority_match(confirmed);
  while (!rounds.empty() && rounds.front().id <= round_max.value) {
    LogIndex index = rounds.front().index;
    for (const Reader& reader : rounds.front().readers) {
      if (reader.node == nobody) {
        actions_.reads.push_back({reader.number, index});
      } else {
        send(reader.node, ReadIndexResponse{reader.number, index});
      }
    }
    rounds.pop_front();
  }
}

void Raft::refuse_reads(Refused reason) {
  for (const Reader& reader : reads_.take_all()) {
    // Other members notice the change of leader themselves.
    if (reader.node == nobody) actions_.refused.push_back({reader.number, reason});
  }
}

// --- compaction and snapshots ---

void Raft::on(Compact event) {
  CHECK(event.index <= log_.applied());
  if (event.index < log_.first()) return;
  log_.compact(event.index);
  compact_pending_ = event.index;
}

void Raft::handle(NodeId from, Term, InstallSnapshot& body) {
  heed_leader(from);
  if (body.meta.last.index <= log_.committed()) {
    send(from, InstallSnapshotResponse{body.meta.last.index, 0, true});
    acknowledge(from, log_.committed());
    return;
  }
  actions_.snapshot_messages.push_back({from, id_, term_, std::move(body)});
}

void Raft::handle(NodeId from, Term, const InstallSnapshotResponse& body) {
  auto found = progress_.find(from);
  if (role_ != Role::leader || found == progress_.end()) return;
  found->second.last_active = moment_.now;
  if (found->second.state == Replication::snapshot) found->second.snapshot_index = body.index;
  actions_.snapshot_messages.push_back({from, id_, term_, body});
}

void Raft::on(SnapshotInstalled event) {
  const LogPosition& last = event.meta.last;
  if (last.index <= log_.committed()) return;
  if (log_.matches(last) && last.index <= log_.durable()) {
    log_.skip_to(last.index);  // what was acknowledged behind it stays
  } else {
    // Nothing behind `last` was acknowledged and is durable; acknowledgements that wait must not
    // leave.
    auto is_answer = [](const Message& message) {
      return std::holds_alternative<AppendResponse>(message.body);
    };
    std::erase_if(messages_after_persist_, is_answer);
    std::erase_if(messages_in_flight_, is_answer);
    acknowledged_ = {};
    log_.reset(last);
    reset_pending_ = last;
    compact_pending_ = {};
  }
  conf_ = event.meta.conf_state;
  actions_.conf_state = conf_;
  if (leader_ != nobody && role_ == Role::follower) {
    acknowledge(leader_, last.index);
  }
}

void Raft::on(SnapshotReport event) {
  auto found = progress_.find(event.to);
  if (found == progress_.end() || found->second.state != Replication::snapshot) return;
  if (!event.delivered) found->second.snapshot_index = {};
  found->second.become_probe();
  found->second.probe_sent = true;  // its next heartbeat answer lets it go on
}

}  // namespace tripod::etcd::raft
