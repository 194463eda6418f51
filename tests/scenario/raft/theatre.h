#pragma once
// A cluster on a stage: Raft cores, their durable logs in memory, and the messages between them,
// moved by hand. Time moves when a story says so.

#include <deque>
#include <map>
#include <set>

#include "firmware/etcd/raft/raft.h"
#include "tests/scenario/runner.h"

namespace tripod::etcd::raft::scenario {

using tripod::scenario::Lines;
using tripod::scenario::Words;

class Theatre final : public tripod::scenario::Story {
 public:
  Theatre();
  Result<> play(const Words& words, Lines& out) override;

 private:
  using Link = std::pair<NodeId, NodeId>;
  using Verb = Result<> (Theatre::*)(const Words& words);

  struct Actor {
    Recovered durable;       // what a restart finds
    std::vector<Entry> log;  // durable entries, by index from base
    LogIndex applied;
    std::optional<Raft> raft;
    std::optional<PersistBatch> batch;  // given out, not done
    bool disk_stuck = false;
  };

  // verbs.cpp
  Result<> nodes(const Words& words);
  Result<> limit(const Words& words);
  Result<> history(const Words& words);
  Result<> campaign(const Words& words);
  Result<> tick(const Words& words);
  Result<> wait(const Words& words);
  Result<> persist(const Words& words);
  Result<> deliver(const Words& words);
  Result<> drop(const Words& words);
  Result<> settle(const Words& words);
  Result<> cut(const Words& words);
  Result<> heal(const Words& words);
  Result<> propose(const Words& words);
  Result<> read(const Words& words);
  Result<> transfer(const Words& words);
  Result<> change(const Words& words);
  Result<> compact(const Words& words);
  Result<> restart(const Words& words);
  Result<> stop(const Words& words);
  Result<> snapshot(const Words& words);
  Result<> unreachable(const Words& words);
  Result<> stuck(const Words& words);
  Result<> status(const Words& words);
  Result<> show_log(const Words& words);
  Result<> show_progress(const Words& words);

  Result<Actor*> actor(const Words& words, std::size_t place);
  Result<std::uint64_t> number(const Words& words, std::size_t place) const;
  void start(NodeId id);
  void step(NodeId id, Event event);
  void act(NodeId id);
  void perform(NodeId id, Actor& one, Actions& actions);
  void finish_batch(NodeId id);
  void answer_read(NodeId id, Actor& one, const EntriesWanted& wanted);
  bool deliver_one(const Link& link);
  Moment moment(NodeId id) const { return {now_, id.value * 1000003}; }

  // describe.cpp
  void say(std::string line) { out_->push_back(std::move(line)); }
  void whisper(std::string line);
  static std::string describe(const Message& message);
  static std::string describe(const Entry& entry);
  static std::string describe(const PersistBatch& batch);
  static std::string describe(const ConfState& state);

  std::map<std::string, Verb, std::less<>> verbs_;
  MonotonicTime now_{std::chrono::seconds(1)};
  Timing timing_;
  Limits limits_;
  std::map<NodeId, Actor> actors_;
  std::map<Link, std::deque<Message>> wire_;
  std::set<Link> cut_;
  std::uint64_t tokens_ = 0;
  bool quiet_ = false;  // decisions only, no messages and batches
  Lines* out_ = nullptr;
};

}  // namespace tripod::etcd::raft::scenario
