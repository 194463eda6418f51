#include "firmware/etcd/server/proposals.h"

#include "platform/base/check.h"

namespace tripod::etcd {

Proposals::Proposals(os::Clock& clock, MemberId self, std::uint64_t life, Limits limits,
                     Duration patience, Send send,
                     std::function<Outcome(MonotonicTime started)> why_timeout,
                     metrics::Registry& metrics)
    : clock_(clock),
      self_(self),
      life_(life),
      limits_(limits),
      send_(std::move(send)),
      why_timeout_(std::move(why_timeout)),
      deadlines_(
          clock, patience, [this](std::uint64_t sequence) { return !pending_.contains(sequence); },
          [this](std::uint64_t sequence) {
            const auto found = pending_.find(sequence);
            if (found == pending_.end()) return;
            failed_.add();
            finish(sequence, reject(why_timeout_(found->second.started)));
          }),
      failed_(metrics.counter("etcd_server_proposals_failed_total",
                              "The total number of failed proposals seen.")) {}

Task<CommandReply> Proposals::propose(CommandRequest request, OnBehalfOf caller) {
  if (stopped_) co_return reject(outcome::stopped);
  if (pending_.size() >= limits_.pending_max || pending_bytes_ >= limits_.pending_bytes_max) {
    co_return reject(outcome::too_many_requests);
  }
  Bytes command;
  append_command(command, {self_, life_, next_sequence_}, request, caller);
  if (command.size() > limits_.request_bytes_max) co_return reject(outcome::request_too_large);
  const std::uint64_t sequence = next_sequence_++;
  if (collected_.data.size() + command.size() > limits_.batch_bytes_max) send_collected();

  async::Oneshot<CommandReply> done;
  pending_.emplace(sequence, Waiter{done, 0, command.size(), clock_.now()});
  pending_bytes_ += command.size();
  deadlines_.add(sequence);
  if (collected_.data.empty()) {
    collected_.data = std::move(command);
  } else {
    collected_.data += command;
  }
  collected_.sequences.push_back(sequence);
  want_turn();
  auto result = co_await done;
  if (!result) co_return std::unexpected(grpc::Status::from_error(result.error()));
  co_return std::move(*result);
}

void Proposals::send_collected() {
  if (collected_.sequences.empty()) return;
  Batch batch = std::exchange(collected_, {});
  const std::uint64_t token = std::exchange(next_token_, next_token_ + 2);
  std::size_t open = 0;
  for (const std::uint64_t sequence : batch.sequences) {
    const auto found = pending_.find(sequence);
    if (found == pending_.end()) continue;
    found->second.token = token;
    ++open;
  }
  if (open == 0) return;
  const SharedBytes data = share(std::move(batch.data));
  sent_.emplace(token, Sent{data, std::move(batch.sequences), open});
  send_(token, data);
}

void Proposals::flush() {
  if (!retry_timer_) {
    for (const std::uint64_t token : std::exchange(refused_, {})) {
      const auto found = sent_.find(token);
      if (found != sent_.end()) send_(token, found->second.data);
    }
  }
  send_collected();
}

void Proposals::finish(std::uint64_t sequence, CommandReply reply) {
  const auto found = pending_.find(sequence);
  if (found == pending_.end()) return;
  Waiter waiter = std::move(found->second);
  pending_.erase(found);
  pending_bytes_ -= waiter.bytes;
  if (waiter.token != 0) {
    const auto sent = sent_.find(waiter.token);
    if (sent != sent_.end() && --sent->second.open == 0) sent_.erase(sent);
  }
  waiter.done.set(std::move(reply));
}

void Proposals::applied(CommandId id, CommandReply reply) {
  if (id.origin == self_ && id.life == life_) finish(id.sequence, std::move(reply));
}

void Proposals::fail_batch(std::uint64_t token, const Outcome& outcome) {
  const auto found = sent_.find(token);
  if (found == sent_.end()) return;
  const std::vector<std::uint64_t> sequences = found->second.sequences;
  for (const std::uint64_t sequence : sequences) {
    failed_.add();
    finish(sequence, reject(outcome));
  }
}

bool Proposals::refused(std::uint64_t token, raft::Refused reason) {
  if (token % 2 != 0) return false;
  if (!sent_.contains(token)) return true;
  switch (reason) {
    case raft::Refused::no_leader:
    case raft::Refused::transferring:
      refused_.push_back(token);
      if (!retry_timer_) {
        retry_timer_ = clock_.call_at(clock_.now() + Milliseconds(100), [this] { retry(); });
      }
      break;
    case raft::Refused::leader_lost:
      break;  // it may be applied yet; resend() comes with the next leader
    case raft::Refused::too_large: fail_batch(token, outcome::request_too_large); break;
    case raft::Refused::overloaded:
    case raft::Refused::change_pending:
    case raft::Refused::change_invalid: fail_batch(token, outcome::too_many_requests); break;
    case raft::Refused::not_a_member: fail_batch(token, outcome::stopped); break;
  }
  return true;
}

void Proposals::retry() {
  retry_timer_.reset();
  if (!refused_.empty()) want_turn();
}

void Proposals::resend() {
  retry_timer_.reset();
  refused_.clear();
  for (const auto& [token, sent] : sent_) refused_.push_back(token);
  if (!refused_.empty()) want_turn();
}

void Proposals::stop() {
  stopped_ = true;
  deadlines_.clear();
  retry_timer_.reset();
  while (!pending_.empty()) finish(pending_.begin()->first, reject(outcome::stopped));
}

}  // namespace tripod::etcd
