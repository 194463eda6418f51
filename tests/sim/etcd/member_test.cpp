#include <gtest/gtest.h>

#include <format>

#include "platform/async/sync.h"
#include "tests/sim/etcd/cluster.h"

namespace tripod::etcd {
namespace {

using std::chrono::seconds;

class MemberTest : public testing::Test {
 protected:
  grpc::Reply<PutResponse> put(std::size_t node, Bytes key, Bytes value, LeaseId lease = 0) {
    return cluster_.wait(cluster_.member(node).put({.key = key, .value = value, .lease = lease}));
  }
  std::string get(std::size_t node, Bytes key, bool serializable = false) {
    auto reply =
        cluster_.wait(cluster_.member(node).range({.key = key, .serializable = serializable}));
    if (!reply) return reply.error().message;
    return reply->kvs.empty() ? "(none)" : reply->kvs[0].value;
  }
  std::size_t follower() { return (cluster_.leader() + 1) % SimCluster::size; }
  std::size_t other_follower() { return (cluster_.leader() + 2) % SimCluster::size; }
  void pause_all(bool paused) {
    for (std::size_t node = 0; node < 3; ++node) cluster_.board(node).queue().set_paused(paused);
  }
  void expect_equal_state() {
    ASSERT_TRUE(cluster_.run_until(
        [&] {
          return cluster_.member(0).applied_index() == cluster_.member(1).applied_index() &&
                 cluster_.member(1).applied_index() == cluster_.member(2).applied_index();
        },
        seconds(30)));
    const auto hash = cluster_.member(0).hash(0)->hash;
    EXPECT_EQ(cluster_.member(1).hash(0)->hash, hash);
    EXPECT_EQ(cluster_.member(2).hash(0)->hash, hash);
  }

  SimCluster cluster_{7};
};

TEST_F(MemberTest, a_write_to_any_member_is_read_at_once_from_any_other) {
  for (std::size_t node = 0; node < 3; ++node) {
    auto reply = put(node, "name", std::format("from {}", node));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_NE(reply->header.member_id, 0U);
    for (std::size_t reader = 0; reader < 3; ++reader) {
      EXPECT_EQ(get(reader, "name"), std::format("from {}", node));
    }
  }
  expect_equal_state();
}

TEST_F(MemberTest, boards_that_all_stood_still_keep_their_leader) {
  const std::size_t leader = cluster_.leader();
  ASSERT_TRUE(put(leader, "a", "1"));
  const std::size_t other = follower();
  const auto term = cluster_.member(leader).status()->raft_term;
  // As when all of them apply an entry that takes long: the followers are done first.
  for (const Duration followers : {seconds(2), seconds(3)}) {
    pause_all(true);
    cluster_.run_for(followers);
    cluster_.board(other).queue().set_paused(false);
    cluster_.run_for(Milliseconds(50));
    pause_all(false);
    cluster_.run_for(seconds(3));
    EXPECT_EQ(cluster_.member(leader).status()->raft_term, term);
    EXPECT_TRUE(cluster_.member(leader).is_leader());
  }
}

TEST_F(MemberTest, a_lease_that_was_renewed_while_boards_stood_still_lives_on) {
  const std::size_t leader = cluster_.leader();
  const LeaseId id = cluster_.wait(cluster_.member(leader).lease_grant({.ttl = 3}))->id;
  ASSERT_TRUE(put(leader, "leased", "1", id));
  // The renewal comes behind the leader's timers, as what waits in a socket does.
  pause_all(true);
  cluster_.run_for(seconds(5));
  bool renewed = false;
  cluster_.board(leader).queue().post([&] {
    cluster_.scope().spawn([](Member* member, LeaseId lease, bool* done) -> Task<void> {
      auto reply = co_await member->lease_keep_alive({.id = lease}, Credentials::board());
      *done = reply && reply->ttl > 0;
    }(&cluster_.member(leader), id, &renewed));
  });
  pause_all(false);
  cluster_.run_for(seconds(2));
  ASSERT_TRUE(cluster_.member(leader).is_leader());
  EXPECT_TRUE(renewed);
  EXPECT_EQ(get(leader, "leased"), "1");
  cluster_.run_for(seconds(5));
  EXPECT_EQ(get(leader, "leased"), "(none)");
}

TEST_F(MemberTest, members_introduce_themselves) {
  cluster_.leader();
  ASSERT_TRUE(cluster_.run_until(
      [&] {
        auto list = cluster_.wait(cluster_.member(0).member_list({.linearizable = true}));
        return list && std::ranges::none_of(list->members, [](const MemberInfo& m) {
                 return m.name.empty() || m.client_urls.empty();
               });
      },
      seconds(20)));
  auto list = cluster_.wait(cluster_.member(2).member_list({.linearizable = true}));
  ASSERT_TRUE(list);
  ASSERT_EQ(list->members.size(), 3U);
  for (const MemberInfo& member : list->members) {
    EXPECT_EQ(member.client_urls.size(), 1U);
    EXPECT_EQ(member.peer_urls.size(), 1U);
  }
  auto status = cluster_.member(1).status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->leader, cluster_.member(cluster_.leader()).id());
  EXPECT_GT(status->raft_applied_index, 0U);
}

TEST_F(MemberTest, refused_requests_say_what_etcd_says) {
  EXPECT_EQ(put(0, "", "x").error().message, "etcdserver: key is not provided");
  EXPECT_EQ(put(0, "a", "x", 99).error().message, "etcdserver: requested lease not found");
  EXPECT_EQ(put(1, "a", Bytes(2 * 1024 * 1024, 'x')).error().message,
            "etcdserver: request is too large");
  auto future = cluster_.wait(cluster_.member(2).range({.key = "a", .revision = 1000}));
  EXPECT_EQ(future.error().message, "etcdserver: mvcc: required revision is a future revision");
}

TEST_F(MemberTest, large_values_travel) {
  const Bytes large(1024 * 1024, 'l');
  ASSERT_TRUE(put(follower(), "large", large));
  EXPECT_EQ(get(other_follower(), "large"), large);
}

TEST_F(MemberTest, a_lease_runs_out_and_takes_its_keys_along) {
  auto granted = cluster_.wait(cluster_.member(follower()).lease_grant({.ttl = 3}));
  ASSERT_TRUE(granted);
  ASSERT_TRUE(put(0, "leased", "x", granted->id));
  // Keepalives through a follower hold it.
  for (int i = 0; i < 4; ++i) {
    cluster_.run_for(seconds(2));
    auto alive = cluster_.wait(cluster_.member(follower()).lease_keep_alive({.id = granted->id}));
    ASSERT_TRUE(alive) << alive.error().message;
    EXPECT_EQ(alive->ttl, 3);
  }
  auto left = cluster_.wait(
      cluster_.member(other_follower()).lease_time_to_live({.id = granted->id, .keys = true}));
  ASSERT_TRUE(left);
  EXPECT_EQ(left->granted_ttl, 3);
  EXPECT_EQ(left->keys, std::vector<Bytes>{"leased"});
  EXPECT_EQ(get(1, "leased"), "x");
  cluster_.run_for(seconds(5));
  EXPECT_EQ(get(1, "leased"), "(none)");
  EXPECT_EQ(cluster_.wait(cluster_.member(follower()).lease_keep_alive({.id = granted->id}))->ttl,
            0);
  EXPECT_EQ(cluster_.wait(cluster_.member(0).lease_time_to_live({.id = granted->id}))->ttl, -1);
  EXPECT_TRUE(cluster_.wait(cluster_.member(0).lease_leases())->leases.empty());
}

class Recorder final : public WatchObserver {
 public:
  void on_events(Revision revision, const std::vector<Event>& events) override {
    if (events.empty()) progress = revision;
    for (const Event& event : events) {
      EXPECT_GE(event.kv.mod_revision, last);
      last = event.kv.mod_revision;
      seen.push_back(event.kv.value);
    }
  }
  void on_cancelled(Revision compacted, grpc::Status) override { cancelled = compacted; }
  std::vector<Bytes> seen;
  Revision last = 0;
  Revision progress = 0;
  Revision cancelled = 0;
};

TEST_F(MemberTest, a_local_watch_sees_every_write_wherever_it_came_in) {
  LocalClient client(cluster_.member(follower()));
  Recorder recorder;
  {
    auto watch = client.watch({.key = "w", .range_end = "x"}, recorder);
    std::vector<Bytes> wanted;
    for (int i = 0; i < 30; ++i) {
      wanted.push_back(std::to_string(i));
      ASSERT_TRUE(
          put(static_cast<std::size_t>(i) % 3, std::format("w{}", i % 4), std::to_string(i)));
    }
    ASSERT_TRUE(cluster_.run_until([&] { return recorder.seen.size() == 30; }, seconds(5)));
    EXPECT_EQ(recorder.seen, wanted);
    watch->request_progress();
    cluster_.run_for(seconds(1));
    EXPECT_EQ(recorder.progress, recorder.last);
  }
  put(0, "w", "after");
  cluster_.run_for(seconds(1));
  EXPECT_EQ(recorder.seen.size(), 30U);
}

TEST_F(MemberTest, a_clean_stop_hands_leadership_over_quickly) {
  const std::size_t old = cluster_.leader();
  put(old, "a", "1");
  const MonotonicTime before = cluster_.now();
  cluster_.stop(old);
  const std::size_t survivor = (old + 1) % 3;
  ASSERT_TRUE(put(survivor, "a", "2"));
  EXPECT_LT(cluster_.now() - before, Milliseconds(800));
  cluster_.start(old);
  EXPECT_EQ(get(old, "a"), "2");
  expect_equal_state();
}

TEST_F(MemberTest, the_loss_of_the_leader_is_survived_and_the_lost_one_catches_up) {
  const std::size_t old = cluster_.leader();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(put(old, "a", std::to_string(i)));
  cluster_.crash(old);
  const std::size_t survivor = (old + 1) % 3;
  const MonotonicTime before = cluster_.now();
  auto reply = put(survivor, "a", "new");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_LT(cluster_.now() - before, seconds(4));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(put(survivor, "b", std::to_string(i)));
  cluster_.start(old);
  EXPECT_EQ(get(old, "a"), "new");
  EXPECT_EQ(get(old, "b"), "19");
  expect_equal_state();
}

TEST_F(MemberTest, a_minority_neither_writes_nor_reads_and_says_so_in_time) {
  const std::size_t alone = cluster_.leader();
  ASSERT_TRUE(put(alone, "a", "1"));
  cluster_.isolate(alone);
  const MonotonicTime before = cluster_.now();
  auto reply = put(alone, "a", "2");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, grpc::StatusCode::unavailable);
  EXPECT_TRUE(reply.error().message.starts_with("etcdserver: request timed out"))
      << reply.error().message;
  EXPECT_LT(cluster_.now() - before, seconds(9));
  EXPECT_TRUE(get(alone, "a").starts_with("etcdserver: request timed out"));
  EXPECT_EQ(get(alone, "a", true), "1");
  EXPECT_TRUE(cluster_.member(alone).without_leader());
  ASSERT_TRUE(put((alone + 1) % 3, "a", "3"));
  cluster_.heal();
  EXPECT_EQ(get(alone, "a"), "3");
  expect_equal_state();
}

/// Writes until its member refuses or is gone; notes what was acknowledged.
Task<void> write_some(SimCluster* cluster, std::size_t node, int round,
                      std::map<Bytes, Bytes>* acknowledged) {
  for (int i = 0; i < 200; ++i) {
    const Bytes key = std::format("k{}-{}", node, i % 5);
    const Bytes value = std::format("{}/{}", round, i);
    auto reply = co_await async::with_timeout(
        cluster->clock(), seconds(3), [](Member* member, Bytes k, Bytes v) -> Task<Result<>> {
          auto put = co_await member->put({.key = k, .value = v});
          if (!put) co_return fail(ErrorCode::unavailable, put.error().message);
          co_return Result<>{};
        }(&cluster->member(node), key, value));
    if (!reply) break;
    (*acknowledged)[key] = value;
  }
}

TEST_F(MemberTest, acknowledged_writes_survive_a_power_cut_of_all) {
  std::map<Bytes, Bytes> acknowledged;
  for (int round = 0; round < 5; ++round) {
    cluster_.leader();
    for (std::size_t node = 0; node < 3; ++node) {
      cluster_.scope().spawn(write_some(&cluster_, node, round, &acknowledged));
    }
    cluster_.run_for(Milliseconds(100 + 150 * round));
    EXPECT_FALSE(acknowledged.empty());
    for (std::size_t node = 0; node < 3; ++node) cluster_.crash(node);
    ASSERT_TRUE(cluster_.run_until([&] { return cluster_.scope().idle(); }, seconds(10)));
    for (std::size_t node = 0; node < 3; ++node) cluster_.start(node);
    for (const auto& [key, value] : acknowledged) {
      // A write that was under way may have won over the last acknowledged one, never an older one.
      const std::string found = get(static_cast<std::size_t>(round) % 3, key);
      EXPECT_GE(std::stoi(found.substr(found.find('/') + 1)) + 1000 * std::stoi(found),
                std::stoi(value.substr(value.find('/') + 1)) + 1000 * std::stoi(value))
          << key;
    }
    expect_equal_state();
  }
}

TEST_F(MemberTest, compaction_works_across_members) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(put(0, std::format("k{}", i % 10), std::to_string(i)));
  const Revision at = cluster_.member(0).revision() - 5;
  auto reply = cluster_.wait(cluster_.member(1).compact({.revision = at, .physical = true}));
  ASSERT_TRUE(reply) << reply.error().message;
  auto old = cluster_.wait(cluster_.member(2).range({.key = "k1", .revision = at - 1}));
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().message, "etcdserver: mvcc: required revision has been compacted");
  expect_equal_state();
  LocalClient client(cluster_.member(0));
  Recorder recorder;
  auto watch = client.watch({.key = "k1", .start_revision = 3}, recorder);
  cluster_.run_for(seconds(1));
  EXPECT_EQ(recorder.cancelled, at);
}

TEST_F(MemberTest, a_directory_of_another_member_is_refused) {
  const std::size_t node = 0;
  cluster_.stop(node);
  auto other_cluster =
      cluster_.try_start(node, [](Options& options) { options.initial_cluster_token = "other"; });
  ASSERT_FALSE(other_cluster);
  EXPECT_NE(other_cluster.error().message.find("cluster"), std::string::npos)
      << other_cluster.error().to_string();
  auto unnamed = cluster_.try_start(node, [](Options& options) { options.name = "stranger"; });
  ASSERT_FALSE(unnamed);
  EXPECT_NE(unnamed.error().message.find("does not name this member"), std::string::npos);
  cluster_.start(node);
  ASSERT_TRUE(put(node, "a", "1"));
}

}  // namespace
}  // namespace tripod::etcd
