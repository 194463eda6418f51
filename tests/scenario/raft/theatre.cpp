#include "tests/scenario/raft/theatre.h"

#include <format>

#include "firmware/etcd/raft/codec.h"
#include "platform/base/check.h"

namespace tripod::etcd::raft::scenario {

Theatre::Theatre()
    : verbs_({{"nodes", &Theatre::nodes},
              {"limit", &Theatre::limit},
              {"history", &Theatre::history},
              {"campaign", &Theatre::campaign},
              {"tick", &Theatre::tick},
              {"wait", &Theatre::wait},
              {"persist", &Theatre::persist},
              {"deliver", &Theatre::deliver},
              {"drop", &Theatre::drop},
              {"settle", &Theatre::settle},
              {"cut", &Theatre::cut},
              {"heal", &Theatre::heal},
              {"propose", &Theatre::propose},
              {"read", &Theatre::read},
              {"transfer", &Theatre::transfer},
              {"change", &Theatre::change},
              {"compact", &Theatre::compact},
              {"restart", &Theatre::restart},
              {"stop", &Theatre::stop},
              {"snapshot", &Theatre::snapshot},
              {"unreachable", &Theatre::unreachable},
              {"stuck", &Theatre::stuck},
              {"status", &Theatre::status},
              {"log", &Theatre::show_log},
              {"progress", &Theatre::show_progress}}) {}

Result<> Theatre::play(const Words& words, Lines& out) {
  out_ = &out;
  auto verb = verbs_.find(words[0]);
  if (verb == verbs_.end()) return fail(ErrorCode::invalid, "unknown verb " + words[0]);
  return (this->*verb->second)(words);
}

void Theatre::start(NodeId id) {
  Actor& one = actors_.at(id);
  auto created = Raft::create({id, timing_, limits_, one.durable, one.applied, {}}, moment(id));
  CHECK(created.has_value(), created.error().to_string());
  one.raft.emplace(std::move(*created));
  one.batch.reset();
}

void Theatre::step(NodeId id, Event event) {
  Actor& one = actors_.at(id);
  if (!one.raft) return;
  one.raft->step(moment(id), std::move(event));
  act(id);
}

/// One turn after another until the core has nothing more to say.
void Theatre::act(NodeId id) {
  Actor& one = actors_.at(id);
  for (;;) {
    Actions actions = one.raft->take_actions(moment(id));
    perform(id, one, actions);
    if (actions.read_entries) answer_read(id, one, *actions.read_entries);
    if (actions.apply.empty() && !actions.read_entries) return;
    if (!actions.apply.empty()) {
      one.applied = actions.apply.back().index;
      one.raft->step(moment(id), Applied{one.applied});
    }
  }
}

void Theatre::perform(NodeId id, Actor& one, Actions& actions) {
  std::string name = std::format("{}", id.value);
  if (actions.leadership) {
    const Leadership& now = *actions.leadership;
    std::string leader = now.leader == nobody || now.leader == id
                             ? ""
                             : std::format(", leader {}", now.leader.value);
    say(std::format("{} is {} of term {}{}", name, name_of(now.role), now.term.value, leader));
  }
  for (Message& message : actions.messages) {
    Link link{message.from, message.to};
    bool lost = cut_.contains(link) || !actors_.contains(message.to);
    whisper(describe(message) + (lost ? " (lost)" : ""));
    if (!lost) wire_[link].push_back(std::move(message));
  }
  if (actions.persist) {
    CHECK(!one.batch);
    whisper(std::format("{} persists{}", name, describe(*actions.persist)));
    one.batch = std::move(actions.persist);
  }
  for (const Entry& entry : actions.apply) say(std::format("{} applies {}", name, describe(entry)));
  if (actions.conf_state) say(std::format("{} has {}", name, describe(*actions.conf_state)));
  for (const ReadState& read : actions.reads) {
    say(std::format("{} answers read {} at {}", name, read.token, read.index.value));
  }
  for (const Refusal& refusal : actions.refused) {
    say(std::format("{} refuses {}: {}", name, refusal.token, name_of(refusal.reason)));
  }
  for (NodeId to : actions.snapshots_wanted)
    say(std::format("{} wants a snapshot sent to {}", name, to.value));
  for (const Message& message : actions.snapshot_messages) say("member takes " + describe(message));
}

void Theatre::answer_read(NodeId id, Actor& one, const EntriesWanted& wanted) {
  whisper(
      std::format("{} reads {} to {} from disk", id.value, wanted.first.value, wanted.last.value));
  EntriesRead found;
  for (const Entry& entry : one.log) {
    if (entry.index >= wanted.first && entry.index <= wanted.last) found.entries.push_back(entry);
  }
  one.raft->step(moment(id), std::move(found));
}

/// What LogStore does, in memory.
void Theatre::finish_batch(NodeId id) {
  Actor& one = actors_.at(id);
  PersistBatch batch = std::move(*one.batch);
  one.batch.reset();
  Recovered& durable = one.durable;
  if (batch.hard_state) durable.hard_state = *batch.hard_state;
  if (batch.conf_state) durable.conf_state = *batch.conf_state;
  if (batch.reset) {
    durable.base = *batch.reset;
    one.log.clear();
  }
  if (!batch.entries.empty()) {
    LogIndex first = batch.entries.front().index;
    std::erase_if(one.log, [&](const Entry& entry) { return entry.index >= first; });
    one.log.insert(one.log.end(), batch.entries.begin(), batch.entries.end());
  }
  if (batch.compact) {
    for (const Entry& entry : one.log) {
      if (entry.index == *batch.compact) durable.base = {entry.index, entry.term};
    }
    std::erase_if(one.log, [&](const Entry& entry) { return entry.index <= *batch.compact; });
  }
  durable.last = one.log.empty() ? durable.base.index : one.log.back().index;
  durable.term_runs.clear();
  durable.conf_changes.clear();
  for (const Entry& entry : one.log) {
    if (durable.term_runs.empty() || durable.term_runs.back().term != entry.term) {
      durable.term_runs.push_back({entry.index, entry.term});
    }
    if (entry.type == EntryType::conf_change && entry.index > durable.conf_state.index) {
      durable.conf_changes.push_back(entry.index);
    }
  }
  step(id, Persisted{batch.id});
}

bool Theatre::deliver_one(const Link& link) {
  auto& queue = wire_[link];
  if (queue.empty()) return false;
  Message message = std::move(queue.front());
  queue.pop_front();
  if (!actors_.at(link.second).raft) return true;
  auto decoded = decode(encode(message), limits_);
  CHECK(decoded.has_value(), decoded.error().to_string());
  step(link.second, Receive{std::move(*decoded)});
  return true;
}

}  // namespace tripod::etcd::raft::scenario

int main(int argc, char** argv) {
  return tripod::scenario::play_all(argc, argv, "tests/scenario/raft", [] {
    return std::make_unique<tripod::etcd::raft::scenario::Theatre>();
  });
}
