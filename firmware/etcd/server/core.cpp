#include "firmware/etcd/server/core.h"

#include <format>

#include "firmware/etcd/raft/codec.h"

namespace tripod::etcd {

void Member::Implementation::before_turn() {
  proposals->flush();
  reads->flush();
}

void Member::Implementation::apply(const raft::Entry& entry) {
  applied_term = entry.term;
  housekeeper->count_entry(entry.index.value, entry.size_bytes());
  if (entry.type == raft::EntryType::conf_change) return apply_change(entry);
  store->apply(
      entry.index.value, entry.term.value, entry.view(), world.clock.now(),
      [this](CommandId id, CommandReply reply) { proposals->applied(id, std::move(reply)); });
}

void Member::Implementation::after_apply() {
  store->watches().flush();
  if (members_changed) follow_members();
  reads->applied({store->applied_index()});
  promote_leases_if_leading();
  watch_quota();
  housekeeper->after_apply();
}

void Member::Implementation::on_read(std::uint64_t token, raft::LogIndex index) {
  reads->on_read(token, index);
}

void Member::Implementation::on_refused(std::uint64_t token, raft::Refused reason) {
  if (changes->refused(token, reason) || proposals->refused(token, reason)) return;
  reads->refused(token);
}

void Member::Implementation::on_snapshot_wanted(raft::NodeId to) {
  snapshot_sender->start(to);
}

void Member::Implementation::on_snapshot_message(const raft::Message& message) {
  if (const auto* piece = std::get_if<raft::InstallSnapshot>(&message.body)) {
    snapshot_receiver->on_piece(message.from, *piece);
  } else {
    snapshot_sender->on_answer(message.from, std::get<raft::InstallSnapshotResponse>(message.body));
  }
}

void Member::Implementation::on_leadership(const raft::Leadership& now) {
  const bool leader_changed = now.leader != leadership.leader;
  const bool new_reign = now.leader && (leader_changed || now.term != leadership.term);
  if (now.role != leadership.role || leader_changed) {
    log.info(now.role == raft::Role::leader ? "this member leads" : "leadership",
             LogField("role", raft::name_of(now.role)),
             LogField("leader", std::format("{:x}", now.leader.value)),
             LogField("term", now.term.value));
  }
  if (leadership.leader && !now.leader) leader_lost_at = world.clock.now();
  if (now.leader && leader_changed) {
    leader_elected_at = world.clock.now();
    leader_lost_at.reset();
    metrics.counter("etcd_server_leader_changes_seen_total", "The number of leader changes seen.")
        .add();
  }
  leadership = now;
  if (now.role != raft::Role::leader && store->leases().primary()) store->leases().demote();
  promote_leases_if_leading();
  if (new_reign) {
    proposals->resend();
    reads->retry();
  }
  if (leader_changed) {
    const auto observers = leadership_observers;
    for (const auto& [id, changed] : observers) {
      if (leadership_observers.contains(id)) changed();
    }
  }
}

/// Once the leader has applied an entry of its own term it knows every lease there is.
void Member::Implementation::promote_leases_if_leading() {
  if (leadership.role != raft::Role::leader || store->leases().primary()) return;
  if (applied_term != leadership.term) return;
  store->leases().promote(world.clock.now(), options.election_timeout);
}

Outcome Member::Implementation::why_timeout(MonotonicTime started) const {
  // As etcd words it: a leader was lost about when the request came, or is lost now.
  if (!leadership.leader) return outcome::timeout_connection_lost;
  if (started < leader_elected_at && started > leader_elected_at - 2 * options.election_timeout) {
    return outcome::timeout_leader_failed;
  }
  return outcome::timeout;
}

// --- peers ---

void Member::Implementation::on_message(MemberId from, BytesView bytes) {
  auto message = raft::decode(bytes, raft_limits);
  if (!message || message->from.value != from || message->to.value != plan.self) {
    log.warn(
        "dropped a message", LogField("peer", std::format("{:x}", from)),
        LogField("reason", message ? "wrong sender or receiver" : message.error().to_string()));
    return;
  }
  replica->step(raft::Receive{std::move(*message)});
}

void Member::Implementation::on_unreachable(MemberId peer) {
  replica->step(raft::PeerUnreachable{{peer}});
}

}  // namespace tripod::etcd
