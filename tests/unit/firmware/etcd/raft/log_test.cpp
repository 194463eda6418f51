#include "firmware/etcd/raft/log.h"

#include <gtest/gtest.h>

#include "firmware/etcd/raft/progress.h"
#include "firmware/etcd/raft/quorum.h"

namespace tripod::etcd::raft {
namespace {

Entry entry(std::uint64_t index, std::uint64_t term, std::string data = "data") {
  return {{index}, {term}, EntryType::normal, share(std::move(data))};
}

/// Terms of entries 1, 2, ...
Log log_of(std::vector<std::uint64_t> terms, Limits limits = {}) {
  Log log({}, {}, limits);
  for (std::size_t i = 0; i < terms.size(); ++i) log.append(entry(i + 1, terms[i]));
  return log;
}

TEST(Log, knows_the_term_of_every_place) {
  Log log = log_of({1, 1, 2, 5, 5});
  EXPECT_EQ(log.term_at({0}), Term{0});
  EXPECT_EQ(log.term_at({2}), Term{1});
  EXPECT_EQ(log.term_at({3}), Term{2});
  EXPECT_EQ(log.term_at({5}), Term{5});
  EXPECT_EQ(log.term_at({6}), std::nullopt);
}

TEST(Log, merging_skips_what_is_there_and_cuts_what_contradicts) {
  Log log = log_of({1, 1, 2, 2});
  std::vector<Entry> same = {entry(2, 1), entry(3, 2)};
  log.merge(same);
  EXPECT_EQ(log.last(), (LogPosition{{4}, {2}}));
  std::vector<Entry> other = {entry(3, 2), entry(4, 3), entry(5, 3)};
  log.merge(other);
  EXPECT_EQ(log.last(), (LogPosition{{5}, {3}}));
  EXPECT_EQ(log.term_at({3}), Term{2});
  EXPECT_EQ(log.term_at({4}), Term{3});
}

TEST(LogDeathTest, a_committed_entry_is_never_cut_off) {
  Log log = log_of({1, 1});
  log.commit_to({2});
  std::vector<Entry> other = {entry(2, 2)};
  EXPECT_DEATH(log.merge(other), "committed");
}

TEST(Log, what_was_cut_off_while_being_persisted_does_not_count_as_durable) {
  Log log = log_of({1, 1, 1});
  EXPECT_EQ(log.take_unpersisted().size(), 3U);
  std::vector<Entry> other = {entry(2, 2)};
  log.merge(other);
  log.persisted();
  EXPECT_EQ(log.durable(), LogIndex{1});
  EXPECT_EQ(log.take_unpersisted().size(), 1U);
  log.persisted();
  EXPECT_EQ(log.durable(), LogIndex{2});
}

TEST(Log, hands_out_only_what_is_committed_and_durable) {
  Log log = log_of({1, 1, 1});
  log.commit_to({2});
  EXPECT_TRUE(log.take_committed(1000).empty());
  log.take_unpersisted();
  log.persisted();
  EXPECT_EQ(log.take_committed(1).size(), 1U) << "at least one, whatever its size";
  EXPECT_EQ(log.take_committed(1000).size(), 1U);
  EXPECT_TRUE(log.take_committed(1000).empty());
  log.applied_to({2});
}

TEST(Log, hints_jump_over_terms_that_cannot_match) {
  Log log = log_of({1, 1, 4, 4, 6, 6});
  EXPECT_EQ(log.hint({6}, {6}), (LogPosition{{6}, {6}}));
  EXPECT_EQ(log.hint({6}, {5}), (LogPosition{{4}, {4}}));
  EXPECT_EQ(log.hint({3}, {9}), (LogPosition{{3}, {4}}));
  EXPECT_EQ(log.hint({6}, {3}), (LogPosition{{2}, {1}}));
  EXPECT_EQ(log.hint({6}, {0}), (LogPosition{{0}, {0}}));
}

TEST(Log, compaction_keeps_the_term_of_the_base_and_of_what_is_left) {
  Log log = log_of({1, 1, 2, 2, 3});
  log.take_unpersisted();
  log.persisted();
  log.commit_to({5});
  log.take_committed(1 << 20);
  log.applied_to({5});
  log.compact({1});
  EXPECT_EQ(log.term_at({1}), Term{1});
  EXPECT_EQ(log.term_at({2}), Term{1});
  log.compact({2});
  EXPECT_EQ(log.term_at({1}), std::nullopt);
  EXPECT_EQ(log.term_at({2}), Term{1});
  EXPECT_EQ(log.term_at({3}), Term{2});
  log.compact({5});
  EXPECT_EQ(log.last(), (LogPosition{{5}, {3}}));
  EXPECT_EQ(log.first(), LogIndex{6});
}

TEST(Log, memory_is_bounded_and_old_entries_come_back_by_a_read) {
  Limits limits;
  limits.cache_entries_max = 2;
  Log log = log_of({1, 1, 1, 1, 1}, limits);
  log.take_unpersisted();
  log.commit_to({5});
  EXPECT_GT(log.unsettled_bytes(), 0U);
  log.persisted();
  EXPECT_EQ(log.unsettled_bytes(), 0U);
  EXPECT_FALSE(log.in_memory({3}));
  EXPECT_TRUE(log.in_memory({4}));
  EXPECT_TRUE(log.committed_on_disk());
  log.offer({entry(1, 9)});
  EXPECT_FALSE(log.in_memory({1})) << "of another term";
  log.offer({entry(1, 1), entry(2, 1), entry(3, 1)});
  EXPECT_EQ(log.take_committed(1 << 20).size(), 5U);
}

TEST(Quorum, majorities) {
  EXPECT_EQ(majority(1), 1U);
  EXPECT_EQ(majority(4), 3U);
  std::vector<LogIndex> matches = {{5}, {9}, {7}};
  EXPECT_EQ(majority_match(matches), LogIndex{7});
  matches.push_back({1});
  EXPECT_EQ(majority_match(matches), LogIndex{5});
  EXPECT_EQ(tally(3, 1, 1), Tally::open);
  EXPECT_EQ(tally(3, 2, 0), Tally::won);
  EXPECT_EQ(tally(3, 1, 2), Tally::lost);
  EXPECT_EQ(tally(4, 2, 2), Tally::lost);
}

TEST(Inflights, count_and_bytes_bound_them) {
  Limits limits;
  limits.inflight_messages_max = 2;
  limits.inflight_bytes_max = 100;
  Inflights inflights;
  inflights.push({1}, 10);
  EXPECT_FALSE(inflights.full(limits));
  inflights.push({2}, 10);
  EXPECT_TRUE(inflights.full(limits));
  inflights.acknowledge({1});
  EXPECT_FALSE(inflights.full(limits));
  inflights.acknowledge({2});
  inflights.push({3}, 200);
  EXPECT_TRUE(inflights.full(limits));
}

}  // namespace
}  // namespace tripod::etcd::raft
