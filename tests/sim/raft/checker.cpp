#include "tests/sim/raft/checker.h"

#include <cstring>
#include <format>

namespace tripod::etcd::raft::sim {

std::uint64_t command_of(const Entry& entry) {
  std::uint64_t command = 0;
  if (entry.view().size() >= sizeof(command)) {
    std::memcpy(&command, entry.view().data(), sizeof(command));
  }
  return command;
}

void Machine::apply(const Entry& entry) {
  applied = {entry.index, entry.term};
  chain = fnv1a(entry.view(), chain ^ (entry.term.value * 31 + entry.index.value));
  if (entry.type == EntryType::normal && !entry.view().empty()) {
    commands.push_back(command_of(entry));
  }
}

void Checker::violated(std::string what) {
  violations_.push_back(std::move(what));
}

void Checker::leads(NodeId node, const Raft& raft) {
  auto [place, fresh] = leaders_.try_emplace(raft.term(), node);
  if (place->second != node) {
    violated(std::format("{} and {} both lead term {}", place->second.value, node.value,
                         raft.term().value));
  }
  if (!fresh) return;
  LogIndex base = raft.status().first.previous();
  for (const auto& [index, entry] : committed_) {
    // A member may learn late that it leads an old term; what later terms committed is not its
    // business.
    if (entry.seen_in >= raft.term()) continue;
    if (index <= base || raft.term_at(index) == entry.term) continue;
    violated(std::format("leader {} of term {} lacks committed entry {}", node.value,
                         raft.term().value, index.value));
    return;
  }
}

void Checker::durable(NodeId node, const PersistBatch& batch) {
  if (batch.hard_state && batch.hard_state->vote != nobody) {
    auto [place, fresh] =
        votes_.try_emplace({node, batch.hard_state->term}, batch.hard_state->vote);
    if (place->second != batch.hard_state->vote) {
      violated(std::format("{} voted twice in term {}", node.value, batch.hard_state->term.value));
    }
  }
  for (std::size_t i = 0; i < batch.entries.size(); ++i) {
    const Entry& entry = batch.entries[i];
    Content& content = contents_[{entry.index, entry.term}];
    std::uint64_t hash = fnv1a(entry.view()) | 1U;
    bool other_data = content.data_hash != 0 && content.data_hash != hash;
    content.data_hash = hash;
    bool other_past = false;
    if (i > 0) {
      Term previous = batch.entries[i - 1].term;
      other_past = content.previous_known && content.previous != previous;
      content.previous = previous;
      content.previous_known = true;
    }
    if (other_data || other_past) {
      violated(std::format("log matching: entry {} of term {} differs on {}", entry.index.value,
                           entry.term.value, node.value));
    }
  }
}

void Checker::applied(NodeId node, Term term, const Entry& entry, const Machine& machine) {
  Committed now{entry.term, fnv1a(entry.view()), machine.chain, term};
  auto [place, fresh] = committed_.try_emplace(entry.index, now);
  const Committed& known = place->second;
  if (known.term != now.term || known.data_hash != now.data_hash || known.chain != now.chain) {
    violated(std::format("state at {} differs on {}: term {} instead of {}", entry.index.value,
                         node.value, now.term.value, known.term.value));
  }
}

void Checker::acknowledged(std::uint64_t command, LogIndex index) {
  acknowledged_[command] = index;
  acknowledged_max_ = std::max(acknowledged_max_, index);
}

void Checker::read(NodeId node, LogIndex index, LogIndex bound) {
  ++reads_;
  if (index < bound) {
    violated(std::format("stale read on {}: index {} after {} was acknowledged", node.value,
                         index.value, bound.value));
  }
}

void Checker::complete(NodeId node, const Machine& machine) {
  std::set<std::uint64_t> held(machine.commands.begin(), machine.commands.end());
  if (held.size() != machine.commands.size()) {
    violated(std::format("{} applied a command twice", node.value));
  }
  for (const auto& [command, index] : acknowledged_) {
    if (held.contains(command)) continue;
    violated(
        std::format("acknowledged write {} at {} is lost on {}", command, index.value, node.value));
    return;
  }
}

}  // namespace tripod::etcd::raft::sim
