// The verbs of the stories; README.md beside the stories lists them.

#include <charconv>
#include <format>

#include "tests/scenario/raft/theatre.h"

namespace tripod::etcd::raft::scenario {
namespace {

Result<std::uint64_t> parse(const std::string& word) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) {
    return fail(ErrorCode::invalid, word + " is no number");
  }
  return value;
}

}  // namespace

Result<std::uint64_t> Theatre::number(const Words& words, std::size_t place) const {
  if (place >= words.size()) return fail(ErrorCode::invalid, words[0] + ": a number is missing");
  return parse(words[place]);
}

Result<Theatre::Actor*> Theatre::actor(const Words& words, std::size_t place) {
  auto id = number(words, place);
  if (!id) return std::unexpected(id.error());
  auto found = actors_.find({*id});
  if (found == actors_.end()) return fail(ErrorCode::invalid, "no node " + words[place]);
  return &found->second;
}

/// nodes 1 2 3 [learners 4] [outside 5]
Result<> Theatre::nodes(const Words& words) {
  ConfState conf;
  std::vector<NodeId> all;
  std::string kind = "voters";
  for (std::size_t i = 1; i < words.size(); ++i) {
    auto id = parse(words[i]);
    if (!id) {
      kind = words[i];
      continue;
    }
    all.push_back({*id});
    if (kind == "voters") conf.voters.push_back({*id});
    if (kind == "learners") conf.learners.push_back({*id});
  }
  for (NodeId id : all) {
    actors_[id].durable.founded = true;
    actors_[id].durable.conf_state = conf;
    start(id);
  }
  return {};
}

/// limit inflight_messages 2: before nodes.
Result<> Theatre::limit(const Words& words) {
  auto value = number(words, 2);
  if (!value) return std::unexpected(value.error());
  const std::map<std::string, std::size_t*> known = {
      {"inflight_messages", &limits_.inflight_messages_max},
      {"inflight_bytes", &limits_.inflight_bytes_max},
      {"append_entries", &limits_.append_entries_max},
      {"append_bytes", &limits_.append_bytes_max},
      {"cache_entries", &limits_.cache_entries_max},
      {"uncommitted_bytes", &limits_.uncommitted_bytes_max},
      {"entry_bytes", &limits_.entry_bytes_max},
      {"pending_reads", &limits_.pending_reads_max},
  };
  auto limit = known.find(words[1]);
  if (limit == known.end()) return fail(ErrorCode::invalid, "unknown limit " + words[1]);
  *limit->second = *value;
  return {};
}

/// history 2 1 1 3: node 2 has entries of these terms on disk.
Result<> Theatre::history(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  Actor& actor = **one;
  actor.log.clear();
  actor.durable.term_runs.clear();
  for (std::size_t i = 2; i < words.size(); ++i) {
    auto term = number(words, i);
    if (!term) return std::unexpected(term.error());
    LogIndex index{i - 1};
    actor.log.push_back(
        {index, {*term}, EntryType::normal, share(std::format("old{}", index.value))});
    actor.durable.last = index;
    actor.durable.hard_state.term = {*term};
    auto& runs = actor.durable.term_runs;
    if (runs.empty() || runs.back().term != Term{*term}) runs.push_back({index, {*term}});
  }
  start({*number(words, 1)});
  return {};
}

Result<> Theatre::campaign(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  step({*number(words, 1)}, Campaign{});
  return {};
}

/// tick 1: to the moment at which node 1 wants one.
Result<> Theatre::tick(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  if (!(*one)->raft) return fail(ErrorCode::invalid, "it is stopped");
  now_ = std::max(now_, (*one)->raft->deadline());
  step({*number(words, 1)}, Tick{});
  return {};
}

/// wait 500: time passes for everyone, without ticks.
Result<> Theatre::wait(const Words& words) {
  auto time_ms = number(words, 1);
  if (!time_ms) return std::unexpected(time_ms.error());
  now_ += Milliseconds(*time_ms);
  return {};
}

Result<> Theatre::persist(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  if (!(*one)->batch) return fail(ErrorCode::invalid, "nothing is being persisted");
  finish_batch({*number(words, 1)});
  return {};
}

/// deliver 1 2: what is under way from 1 to 2, as of now.
Result<> Theatre::deliver(const Words& words) {
  auto from = number(words, 1);
  auto to = actor(words, 2);
  if (!from) return std::unexpected(from.error());
  if (!to) return std::unexpected(to.error());
  Link link{{*from}, {*number(words, 2)}};
  std::size_t count = wire_[link].size();
  if (count == 0) return fail(ErrorCode::invalid, "nothing is under way");
  for (std::size_t i = 0; i < count; ++i) deliver_one(link);
  return {};
}

Result<> Theatre::drop(const Words& words) {
  auto from = number(words, 1);
  auto to = number(words, 2);
  if (!from) return std::unexpected(from.error());
  if (!to) return std::unexpected(to.error());
  wire_[{{*from}, {*to}}].clear();
  return {};
}

/// settle [verbose]: disks and wires work until nothing is left to do. Prints decisions; verbose,
/// messages too.
Result<> Theatre::settle(const Words& words) {
  quiet_ = words.size() < 2;
  bool busy = true;
  for (int rounds = 0; busy && rounds < 1000; ++rounds) {
    busy = false;
    for (auto& [id, one] : actors_) {
      if (!one.raft || one.disk_stuck || !one.batch) continue;
      finish_batch(id);
      busy = true;
    }
    for (auto& [link, queue] : wire_) busy = deliver_one(link) || busy;
  }
  quiet_ = false;
  if (busy) return fail(ErrorCode::invalid, "it does not settle");
  return {};
}

/// cut 1 2: both directions. What is under way is lost.
Result<> Theatre::cut(const Words& words) {
  auto one = number(words, 1);
  auto other = number(words, 2);
  if (!one) return std::unexpected(one.error());
  if (!other) return std::unexpected(other.error());
  for (Link link : {Link{{*one}, {*other}}, Link{{*other}, {*one}}}) {
    cut_.insert(link);
    wire_[link].clear();
  }
  return {};
}

Result<> Theatre::heal(const Words&) {
  cut_.clear();
  return {};
}

/// propose 1 text | propose 1 bytes 1000
Result<> Theatre::propose(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  std::string data = words.size() > 2 ? words[2] : "";
  if (data == "bytes") {
    auto size = number(words, 3);
    if (!size) return std::unexpected(size.error());
    data = std::string(*size, '.');
  }
  step({*number(words, 1)}, Propose{++tokens_, share(std::move(data))});
  return {};
}

Result<> Theatre::read(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  step({*number(words, 1)}, RequestRead{++tokens_});
  return {};
}

/// transfer 1 2: leader 1 hands over to 2.
Result<> Theatre::transfer(const Words& words) {
  auto one = actor(words, 1);
  auto to = number(words, 2);
  if (!one) return std::unexpected(one.error());
  if (!to) return std::unexpected(to.error());
  step({*number(words, 1)}, TransferLeadership{{*to}});
  return {};
}

/// change 1 add_voter 4
Result<> Theatre::change(const Words& words) {
  auto one = actor(words, 1);
  auto node = number(words, 3);
  if (!one) return std::unexpected(one.error());
  if (!node) return std::unexpected(node.error());
  const std::map<std::string, ConfChangeType> known = {{"add_voter", ConfChangeType::add_voter},
                                                       {"add_learner", ConfChangeType::add_learner},
                                                       {"remove", ConfChangeType::remove}};
  auto type = known.find(words[2]);
  if (type == known.end()) return fail(ErrorCode::invalid, "unknown change " + words[2]);
  step({*number(words, 1)}, ProposeConfChange{++tokens_, {type->second, {*node}, {}}});
  return {};
}

Result<> Theatre::compact(const Words& words) {
  auto one = actor(words, 1);
  auto index = number(words, 2);
  if (!one) return std::unexpected(one.error());
  if (!index) return std::unexpected(index.error());
  step({*number(words, 1)}, Compact{{*index}});
  return {};
}

/// restart 1 [applied 3]: what was not persisted is gone; the state machine may be older than it
/// was.
Result<> Theatre::restart(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  if (words.size() > 2) {
    auto applied = number(words, 3);
    if (!applied) return std::unexpected(applied.error());
    (*one)->applied = {*applied};
  }
  start({*number(words, 1)});
  act({*number(words, 1)});
  return {};
}

/// stop 1: it hears and says nothing until restart.
Result<> Theatre::stop(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  (*one)->raft.reset();
  return {};
}

/// snapshot 1 3: the member behind 1 sends its state to 3, whole and at once.
Result<> Theatre::snapshot(const Words& words) {
  auto from = actor(words, 1);
  auto to = actor(words, 2);
  if (!from) return std::unexpected(from.error());
  if (!to) return std::unexpected(to.error());
  const Raft& raft = *(*from)->raft;
  LogIndex applied = raft.status().applied;
  SnapshotMeta meta{{applied, *raft.term_at(applied)}, raft.conf_state()};
  NodeId source{*number(words, 1)};
  NodeId target{*number(words, 2)};
  step(target, Receive{{source, target, raft.term(), InstallSnapshot{meta, 0, nullptr, true}}});
  if ((*to)->raft->committed() < applied) {
    (*to)->applied = applied;
    step(target, SnapshotInstalled{meta});
  }
  step(source, SnapshotReport{target, true});
  return {};
}

/// unreachable 1 2: 1 learns that its connection to 2 broke.
Result<> Theatre::unreachable(const Words& words) {
  auto one = actor(words, 1);
  auto peer = number(words, 2);
  if (!one) return std::unexpected(one.error());
  if (!peer) return std::unexpected(peer.error());
  step({*number(words, 1)}, PeerUnreachable{{*peer}});
  return {};
}

/// stuck 1 on|off: settle does not finish its batches.
Result<> Theatre::stuck(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  (*one)->disk_stuck = words.size() > 2 && words[2] == "on";
  return {};
}

Result<> Theatre::status(const Words&) {
  for (const auto& [id, one] : actors_) {
    if (!one.raft) {
      say(std::format("{} stopped", id.value));
      continue;
    }
    Status status = one.raft->status();
    say(std::format("{} {} term {} leader {} log {}-{}/{} committed {} durable {}", id.value,
                    name_of(status.role), status.term.value, status.leader.value,
                    status.first.value, status.last.index.value, status.last.term.value,
                    status.committed.value, status.durable.value));
  }
  return {};
}

/// log 1: terms of the entries on its disk.
Result<> Theatre::show_log(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  for (const Entry& entry : (*one)->log) say(describe(entry));
  return {};
}

Result<> Theatre::show_progress(const Words& words) {
  auto one = actor(words, 1);
  if (!one) return std::unexpected(one.error());
  for (const auto& [node, progress] : (*one)->raft->progress()) {
    say(std::format("{} {} match {} next {} in flight {}{}", node.value, name_of(progress.state),
                    progress.match.value, progress.next.value, progress.inflights.count(),
                    progress.learner ? " learner" : ""));
  }
  return {};
}

}  // namespace tripod::etcd::raft::scenario
