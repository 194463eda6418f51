#include <format>

#include "firmware/etcd/raft/codec.h"
#include "tests/scenario/raft/theatre.h"

namespace tripod::etcd::raft::scenario {
namespace {

std::string at(LogPosition position) {
  return std::format("{}/{}", position.index.value, position.term.value);
}

std::string list(const std::vector<NodeId>& nodes) {
  std::string text;
  for (NodeId node : nodes) text += std::format("{}{}", text.empty() ? "" : ",", node.value);
  return text;
}

std::string_view name_of_change(ConfChangeType type) {
  switch (type) {
    case ConfChangeType::add_voter: return "add_voter";
    case ConfChangeType::add_learner: return "add_learner";
    case ConfChangeType::remove: return "remove";
    case ConfChangeType::update: return "update";
  }
  return "?";
}

std::string entries(const std::vector<Entry>& all, std::string (*one)(const Entry&)) {
  if (all.size() > 4) {
    return std::format(" [{} .. {}]", one(all.front()), one(all.back()));
  }
  std::string text;
  for (const Entry& entry : all) text += (text.empty() ? "" : " ") + one(entry);
  return all.empty() ? "" : " [" + text + "]";
}

}  // namespace

void Theatre::whisper(std::string line) {
  if (!quiet_) say(std::move(line));
}

std::string Theatre::describe(const Entry& entry) {
  std::string place = at({entry.index, entry.term});
  if (entry.type == EntryType::conf_change) {
    auto change = decode_conf_change(entry.view());
    return std::format("{} {} {}", place, name_of_change(change->type), change->node.value);
  }
  if (entry.view().size() > 20) return std::format("{} {} bytes", place, entry.view().size());
  return entry.view().empty() ? place : std::format("{} {}", place, entry.view());
}

std::string Theatre::describe(const ConfState& state) {
  std::string text = "voters " + list(state.voters);
  if (!state.learners.empty()) text += " learners " + list(state.learners);
  return text;
}

std::string Theatre::describe(const PersistBatch& batch) {
  std::string text;
  if (batch.reset) text += " reset to " + at(*batch.reset);
  if (batch.hard_state) {
    text +=
        std::format(" term {} vote {}", batch.hard_state->term.value, batch.hard_state->vote.value);
  }
  if (batch.conf_state) text += std::format(" configuration of {}", batch.conf_state->index.value);
  text += entries(batch.entries, describe);
  if (batch.compact) text += std::format(" compact to {}", batch.compact->value);
  return text;
}

std::string Theatre::describe(const Message& message) {
  std::string fields = std::visit(
      Overloaded{
          [](const PreVote& body) { return " last " + at(body.last); },
          [](const PreVoteResponse& body) {
            return std::string(body.granted ? " granted" : " refused");
          },
          [](const Vote& body) {
            return " last " + at(body.last) + (body.transfer ? " by transfer" : "");
          },
          [](const VoteResponse& body) {
            return std::string(body.granted ? " granted" : " refused");
          },
          [](const Append& body) {
            return std::format(" after {} commit {}{}", at(body.previous), body.commit.value,
                               entries(body.entries, describe));
          },
          [](const AppendResponse& body) {
            return body.rejected
                       ? std::format(" rejected {} hint {}", body.index.value, at(body.hint))
                       : std::format(" match {}", body.index.value);
          },
          [](const Heartbeat& body) {
            return std::format(" commit {}{}", body.commit.value,
                               body.read_round != 0 ? " read" : "");
          },
          [](const HeartbeatResponse& body) {
            return std::string(body.read_round != 0 ? " read" : "");
          },
          [](const TimeoutNow&) { return std::string(); },
          [](const Forward& body) { return std::format(" {}", body.data ? *body.data : ""); },
          [](const ForwardRefused& body) { return std::format(" {}", name_of(body.reason)); },
          [](const ReadIndex&) { return std::string(); },
          [](const ReadIndexResponse& body) { return std::format(" index {}", body.index.value); },
          [](const InstallSnapshot& body) { return " " + at(body.meta.last); },
          [](const InstallSnapshotResponse& body) {
            return std::format(" {}{}", body.index.value, body.refused ? " refused" : "");
          },
      },
      message.body);
  return std::format("{}->{} {} term {}{}", message.from.value, message.to.value,
                     name_of(message.body), message.term.value, fields);
}

}  // namespace tripod::etcd::raft::scenario
