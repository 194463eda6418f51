#include "firmware/etcd/raft/raft.h"

#include <gtest/gtest.h>

#include "platform/base/check.h"

namespace tripod::etcd::raft {
namespace {

constexpr NodeId n1{1}, n2{2}, n3{3};

/// One member and the hand that feeds it.
class Member {
 public:
  explicit Member(std::vector<NodeId> voters, Limits limits = {})
      : raft_(make(std::move(voters), limits)) {}

  Actions step(Event event) {
    raft_.step(moment_, std::move(event));
    return raft_.take_actions(moment_);
  }
  Actions receive(NodeId from, std::uint64_t term, MessageBody body) {
    return step(Receive{{from, n1, {term}, std::move(body)}});
  }
  Actions wait(Milliseconds time) {
    moment_.now += time;
    return step(Tick{});
  }
  /// As wait(), but nothing could be heard.
  Actions stand_still(Milliseconds time) {
    moment_.now += time;
    raft_.step(moment_, StoodStill{time});
    return step(Tick{});
  }
  Raft& operator*() { return raft_; }
  Raft* operator->() { return &raft_; }

  /// Makes it lead term 1, everything durable and applied by itself.
  void lead() {
    wait(Milliseconds(1600));
    Actions actions = receive(n2, 1, PreVoteResponse{true});
    step(Persisted{actions.persist->id});
    actions = receive(n2, 1, VoteResponse{true});
    ASSERT_EQ(raft_.role(), Role::leader);
    actions = step(Persisted{actions.persist->id});
    actions = receive(n2, 1, AppendResponse{false, {1}, {}});
    ASSERT_EQ(raft_.committed(), LogIndex{1});
    step(Applied{{1}});
  }

 private:
  Raft make(std::vector<NodeId> voters, Limits limits) {
    Recovered recovered;
    recovered.founded = true;
    recovered.conf_state.voters = std::move(voters);
    return std::move(*Raft::create({n1, {}, limits, recovered, {}, {}}, moment_));
  }

  Moment moment_{MonotonicTime(Milliseconds(1000)), 42};
  Raft raft_;
};

template <typename T>
std::vector<T> all_of_type(const Actions& actions) {
  std::vector<T> found;
  for (const Message& message : actions.messages) {
    if (const auto* body = std::get_if<T>(&message.body)) found.push_back(*body);
  }
  return found;
}

TEST(Raft, a_lone_member_leads_and_commits_by_itself) {
  Member member({n1});
  Actions actions = member.wait(Milliseconds(0));
  ASSERT_TRUE(actions.persist);
  EXPECT_EQ(actions.persist->hard_state, (HardState{{1}, n1, {}}));
  EXPECT_EQ(member->role(), Role::candidate) << "its own vote is not durable yet";
  actions = member.step(Persisted{actions.persist->id});
  EXPECT_EQ(member->role(), Role::leader);
  actions = member.step(Propose{7, share("x")});
  // The no-op is on its way to disk, the proposal waits for the next batch.
  actions = member.step(Persisted{2});
  ASSERT_EQ(actions.apply.size(), 1U);
  ASSERT_TRUE(actions.persist);
  actions = member.step(Persisted{actions.persist->id});
  EXPECT_TRUE(actions.apply.empty()) << "one portion at a time";
  actions = member.step(Applied{{1}});
  ASSERT_EQ(actions.apply.size(), 1U);
  EXPECT_EQ(actions.apply[0].view(), "x");
  actions = member.step(RequestRead{9});
  ASSERT_EQ(actions.reads.size(), 1U);
  EXPECT_EQ(actions.reads[0].index, LogIndex{2});
}

TEST(Raft, a_follower_that_stood_still_listens_once_before_it_campaigns) {
  Member member({n1, n2, n3});
  member.receive(n2, 1, Heartbeat{});
  Actions actions = member.stand_still(Milliseconds(3000));
  EXPECT_TRUE(all_of_type<PreVote>(actions).empty());
  EXPECT_EQ(member->leader(), n2);
  member.receive(n2, 1, Heartbeat{});
  EXPECT_TRUE(all_of_type<PreVote>(member.wait(Milliseconds(900))).empty());
  // And when there is nothing to be heard:
  EXPECT_TRUE(all_of_type<PreVote>(member.stand_still(Milliseconds(3000))).empty());
  EXPECT_FALSE(all_of_type<PreVote>(member.stand_still(Milliseconds(3000))).empty());
}

TEST(Raft, time_that_stood_still_within_the_deadline_does_not_count_either) {
  Member member({n1, n2, n3});
  member.receive(n2, 1, Heartbeat{});
  member.wait(Milliseconds(100));
  EXPECT_TRUE(all_of_type<PreVote>(member.stand_still(Milliseconds(850))).empty());
  EXPECT_TRUE(all_of_type<PreVote>(member.wait(Milliseconds(850))).empty());
  EXPECT_FALSE(all_of_type<PreVote>(member.wait(Milliseconds(1100))).empty());
}

TEST(Raft, a_leader_that_stood_still_does_not_take_it_for_the_silence_of_others) {
  Member member({n1, n2, n3});
  member.lead();
  Actions actions = member.stand_still(Milliseconds(3000));
  EXPECT_EQ(member->role(), Role::leader);
  EXPECT_FALSE(all_of_type<Heartbeat>(actions).empty());
  member.wait(Milliseconds(1100));
  EXPECT_EQ(member->role(), Role::follower) << "nobody answered";
}

TEST(Raft, a_vote_leaves_only_when_it_is_durable) {
  Member member({n1, n2, n3});
  Actions actions = member.receive(n2, 1, Vote{{}, false});
  EXPECT_TRUE(actions.messages.empty());
  ASSERT_TRUE(actions.persist);
  EXPECT_EQ(actions.persist->hard_state->vote, n2);
  // The other candidate is refused at once.
  EXPECT_EQ(all_of_type<VoteResponse>(member.receive(n3, 1, Vote{{}, false})).size(), 1U);
  actions = member.step(Persisted{actions.persist->id});
  ASSERT_EQ(all_of_type<VoteResponse>(actions).size(), 1U);
  EXPECT_TRUE(all_of_type<VoteResponse>(actions)[0].granted);
}

TEST(Raft, a_vote_that_came_while_the_disk_was_busy_waits_for_its_own_batch) {
  Member member({n1, n2, n3});
  Actions first =
      member.receive(n2, 1, Append{{}, {}, {{{1}, {1}, EntryType::normal, share("a")}}});
  ASSERT_TRUE(first.persist);
  Actions vote = member.receive(n3, 2, Vote{{{1}, {1}}, true});
  EXPECT_FALSE(vote.persist);
  EXPECT_TRUE(vote.messages.empty());
  Actions after = member.step(Persisted{first.persist->id});
  EXPECT_EQ(all_of_type<AppendResponse>(after).size(), 1U);
  EXPECT_TRUE(all_of_type<VoteResponse>(after).empty());
  ASSERT_TRUE(after.persist);
  after = member.step(Persisted{after.persist->id});
  EXPECT_EQ(all_of_type<VoteResponse>(after).size(), 1U);
}

TEST(Raft, a_later_commit_index_alone_is_answered_where_the_leader_may_not_know_the_match) {
  Member member({n1, n2, n3});
  auto answers = [&](NodeId from, std::uint64_t term, Append append) {
    Actions actions = member.receive(from, term, std::move(append));
    if (!actions.persist) return all_of_type<AppendResponse>(actions).size();
    return all_of_type<AppendResponse>(member.step(Persisted{actions.persist->id})).size();
  };
  const Entry first{{1}, {1}, EntryType::normal, share("a")};
  const Entry second{{2}, {1}, EntryType::normal, share("b")};
  EXPECT_EQ(answers(n2, 1, Append{{}, {}, {first}}), 1U);
  EXPECT_EQ(answers(n2, 1, Append{{{1}, {1}}, {1}, {}}), 0U);
  EXPECT_EQ(member->committed(), LogIndex{1});
  EXPECT_EQ(answers(n2, 1, Append{{{1}, {1}}, {1}, {}}), 1U) << "it brings nothing: it asks";
  EXPECT_EQ(answers(n2, 1, Append{{{1}, {1}}, {1}, {second}}), 1U);
  // More is committed than this member has been sent: that is news only once.
  EXPECT_EQ(answers(n2, 1, Append{{{2}, {1}}, {9}, {}}), 0U);
  EXPECT_EQ(answers(n2, 1, Append{{{2}, {1}}, {10}, {}}), 1U);
  EXPECT_EQ(answers(n3, 2, Append{{{2}, {1}}, {10}, {}}), 1U) << "another leader was told nothing";
  EXPECT_EQ(member->committed(), LogIndex{2});
}

TEST(RaftDeathTest, a_member_whose_log_was_lost_says_so_and_asks_for_a_person) {
  Member member({n1, n2, n3});
  EXPECT_EXIT(member.receive(n2, 1, Heartbeat{{5}, 0}), testing::ExitedWithCode(exit_data_lost),
              "data of this member were lost; remove the member and add it anew");
}

TEST(Raft, a_leader_sends_before_its_own_disk_has_the_entry) {
  Member member({n1, n2, n3});
  member.lead();
  Actions actions = member.step(Propose{1, share("x")});
  ASSERT_TRUE(actions.persist);
  EXPECT_FALSE(all_of_type<Append>(actions).empty());
  // Two followers make a majority of three without it, but what is not durable here is not applied
  // here.
  actions = member.receive(n2, 1, AppendResponse{false, {2}, {}});
  EXPECT_EQ(member->committed(), LogIndex{1});
  actions = member.receive(n3, 1, AppendResponse{false, {2}, {}});
  EXPECT_EQ(member->committed(), LogIndex{2});
  EXPECT_TRUE(actions.apply.empty());
  actions = member.step(Persisted{3});
  EXPECT_EQ(actions.apply.size(), 1U);
}

TEST(Raft, proposals_above_the_limits_are_refused) {
  Limits limits;
  limits.entry_bytes_max = 1000;
  limits.uncommitted_bytes_max = 1500;
  Member member({n1, n2, n3}, limits);
  Actions actions = member.step(Propose{1, share("x")});
  ASSERT_EQ(actions.refused.size(), 1U);
  EXPECT_EQ(actions.refused[0].reason, Refused::no_leader);
  member.lead();
  actions = member.step(Propose{2, share(std::string(1001, 'x'))});
  ASSERT_EQ(actions.refused.size(), 1U);
  EXPECT_EQ(actions.refused[0].reason, Refused::too_large);
  EXPECT_TRUE(member.step(Propose{3, share(std::string(1000, 'x'))}).refused.empty());
  actions = member.step(Propose{4, share(std::string(1000, 'x'))});
  ASSERT_EQ(actions.refused.size(), 1U);
  EXPECT_EQ(actions.refused[0].reason, Refused::overloaded);
}

TEST(Raft, malformed_messages_are_ignored) {
  Member member({n1, n2, n3});
  member.receive(n2, 1, Heartbeat{});
  Actions gap = member.receive(n2, 1, Append{{}, {}, {{{2}, {1}, EntryType::normal, nullptr}}});
  EXPECT_TRUE(gap.messages.empty());
  Actions future = member.receive(n2, 1, Append{{}, {}, {{{1}, {2}, EntryType::normal, nullptr}}});
  EXPECT_TRUE(future.messages.empty());
  Actions stranger = member.step(Receive{{n2, n3, {9}, Heartbeat{}}});
  EXPECT_TRUE(stranger.messages.empty());
  EXPECT_EQ(member->term(), Term{1});
}

TEST(Raft, a_log_behind_its_state_is_corrupt) {
  Recovered recovered;
  recovered.founded = true;
  recovered.conf_state.voters = {n1};
  auto raft = Raft::create({n1, {}, {}, recovered, {5}, {}}, {});
  ASSERT_FALSE(raft);
  EXPECT_EQ(raft.error().code, ErrorCode::corrupt);
}

TEST(Raft, a_snapshot_ahead_of_the_log_restarts_the_log_behind_it) {
  Recovered recovered;
  recovered.founded = true;
  recovered.conf_state.voters = {n1, n2, n3};
  SnapshotMeta snapshot{{{50}, {4}}, {{30}, {n1, n2}, {}}};
  Moment moment{MonotonicTime(Milliseconds(1000)), 1};
  auto raft = Raft::create({n1, {}, {}, recovered, {50}, snapshot}, moment);
  ASSERT_TRUE(raft);
  Actions actions = raft->take_actions(moment);
  ASSERT_TRUE(actions.persist);
  EXPECT_EQ(actions.persist->reset, snapshot.last);
  EXPECT_EQ(actions.persist->conf_state, snapshot.conf_state);
  EXPECT_EQ(raft->term(), Term{4});
}

TEST(Raft, an_installed_snapshot_does_not_drop_what_was_acknowledged_behind_it) {
  Member member({n1, n2, n3});
  std::vector<Entry> entries;
  for (std::uint64_t i = 1; i <= 5; ++i)
    entries.push_back({{i}, {1}, EntryType::normal, share("x")});
  Actions actions = member.receive(n2, 1, Append{{}, {1}, entries});
  member.step(Persisted{actions.persist->id});
  member.step(Applied{{1}});
  member.step(SnapshotInstalled{{{{3}, {1}}, {{}, {n1, n2, n3}, {}}}});
  EXPECT_EQ(member->status().last.index, LogIndex{5});
  EXPECT_EQ(member->status().applied, LogIndex{3});
}

}  // namespace
}  // namespace tripod::etcd::raft
