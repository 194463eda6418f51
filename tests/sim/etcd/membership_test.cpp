#include <gtest/gtest.h>

#include <format>

#include "platform/async/sync.h"
#include "tests/sim/etcd/cluster.h"

namespace tripod::etcd {
namespace {

using std::chrono::seconds;

class MembershipTest : public testing::Test {
 protected:
  MembershipTest() { cluster_.leader(); }

  std::string put(std::size_t node, Bytes key, Bytes value) {
    auto reply = cluster_.wait(cluster_.member(node).put({.key = key, .value = value}));
    return reply ? "" : reply.error().message;
  }
  std::string get(std::size_t node, Bytes key) {
    auto reply = cluster_.wait(cluster_.member(node).range({.key = key}));
    if (!reply) return reply.error().message;
    return reply->kvs.empty() ? "(none)" : reply->kvs[0].value;
  }
  std::vector<MemberInfo> list(std::size_t node) {
    auto reply = cluster_.wait(cluster_.member(node).member_list({.linearizable = true}));
    return reply ? reply->members : std::vector<MemberInfo>();
  }
  grpc::Reply<MemberAddResponse> add(std::size_t ask, std::size_t node, bool learner = false) {
    return cluster_.wait(cluster_.member(ask).member_add(
        {.peer_urls = {cluster_.peer_url(node)}, .is_learner = learner}));
  }
  std::string remove(std::size_t ask, MemberId id) {
    auto reply = cluster_.wait(cluster_.member(ask).member_remove({.id = id}));
    return reply ? "" : reply.error().message;
  }
  std::string promote(std::size_t ask, MemberId id) {
    auto reply = cluster_.wait(cluster_.member(ask).member_promote({.id = id}));
    return reply ? "" : reply.error().message;
  }
  /// Connections count as healthy after five seconds; making one may take three.
  void settle() { cluster_.run_for(seconds(10)); }
  /// All have applied the same, and hold the same.
  bool equal(const std::vector<std::size_t>& nodes) {
    const auto applied = [&](std::size_t node) { return cluster_.member(node).applied_index(); };
    const auto hash = [&](std::size_t node) { return cluster_.member(node).hash(0)->hash; };
    const bool settled = cluster_.run_until(
        [&] {
          return std::ranges::all_of(
              nodes, [&](std::size_t node) { return applied(node) == applied(nodes[0]); });
        },
        seconds(30));
    return settled && std::ranges::all_of(
                          nodes, [&](std::size_t node) { return hash(node) == hash(nodes[0]); });
  }
  bool introduced(std::size_t ask, MemberId id) {
    return cluster_.run_until(
        [&] {
          const auto members = list(ask);
          const auto found = std::ranges::find(members, id, &MemberInfo::id);
          return found != members.end() && !found->name.empty();
        },
        seconds(20));
  }

  SimCluster cluster_{11};
};

TEST_F(MembershipTest, a_fourth_member_joins_and_the_cluster_bears_the_loss_of_one) {
  ASSERT_EQ(put(0, "before", "1"), "");
  settle();
  const std::size_t fourth = cluster_.add_board();
  auto added = add(1, fourth);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->members.size(), 4U);
  EXPECT_EQ(added->member.name, "");
  auto joined = cluster_.join(fourth, 0);
  ASSERT_TRUE(joined) << joined.error().to_string();
  EXPECT_EQ(cluster_.member(fourth).id(), added->member.id);
  EXPECT_EQ(cluster_.member(fourth).cluster_id(), cluster_.member(0).cluster_id());
  ASSERT_TRUE(introduced(0, added->member.id));
  EXPECT_EQ(get(fourth, "before"), "1");
  ASSERT_EQ(put(fourth, "after", "2"), "");
  EXPECT_TRUE(equal({0, 1, 2, fourth}));
  cluster_.crash(0);
  ASSERT_EQ(put(fourth, "with three", "3"), "");
  // Its files know who it is.
  cluster_.crash(fourth);
  cluster_.start(fourth);
  cluster_.start(0);
  EXPECT_EQ(get(fourth, "with three"), "3");
  EXPECT_TRUE(equal({0, 1, 2, fourth}));
}

TEST_F(MembershipTest, a_learner_is_promoted_once_it_is_in_sync) {
  for (int i = 0; i < 50; ++i) ASSERT_EQ(put(0, "k", std::to_string(i)), "");
  settle();
  const std::size_t node = cluster_.add_board();
  auto added = add(2, node, true);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_TRUE(added->member.is_learner);
  EXPECT_EQ(promote(1, added->member.id),
            "etcdserver: can only promote a learner member which is in sync with leader");
  const std::size_t another = cluster_.add_board();
  EXPECT_EQ(add(0, another, true).error().message,
            "etcdserver: too many learner members in cluster");
  EXPECT_EQ(promote(0, 77), "etcdserver: member not found");
  EXPECT_EQ(promote(0, cluster_.member(1).id()), "etcdserver: can only promote a learner member");
  ASSERT_TRUE(cluster_.join(node, 0));
  ASSERT_TRUE(introduced(0, added->member.id));
  EXPECT_TRUE(cluster_.member(node).is_learner());
  EXPECT_TRUE(cluster_.member(node).status()->is_learner);
  ASSERT_TRUE(equal({0, 1, 2, node}));
  EXPECT_EQ(promote(1, added->member.id), "");
  ASSERT_TRUE(cluster_.run_until([&] { return !cluster_.member(node).is_learner(); }, seconds(5)));
  EXPECT_EQ(list(node).size(), 4U);
}

TEST_F(MembershipTest, a_member_that_lost_its_disk_is_replaced) {
  ASSERT_EQ(put(0, "a", "1"), "");
  settle();
  const std::size_t lost = (cluster_.leader() + 1) % 3;
  const std::size_t ask = (lost + 1) % 3;
  const MemberId old = cluster_.member(lost).id();
  cluster_.crash(lost);
  cluster_.replace_disk(lost);
  ASSERT_TRUE(cluster_.run_until([&] { return put(ask, "b", "2").empty(); }, seconds(10)));
  EXPECT_EQ(remove(ask, old), "");
  EXPECT_EQ(remove(ask, old), "etcdserver: member not found");
  settle();
  auto added = add(ask, lost);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_NE(added->member.id, old);
  auto joined = cluster_.join(lost, ask);
  ASSERT_TRUE(joined) << joined.error().to_string();
  ASSERT_TRUE(introduced(ask, added->member.id));
  EXPECT_EQ(get(lost, "b"), "2");
  EXPECT_TRUE(equal({0, 1, 2}));
}

TEST_F(MembershipTest, a_removed_member_notices_and_does_not_start_again) {
  settle();
  const std::size_t gone = cluster_.leader();
  const std::size_t ask = (gone + 1) % 3;
  bool told = false;
  auto observing = cluster_.member(gone).observe_removal([&] { told = true; });
  EXPECT_EQ(remove(ask, cluster_.member(gone).id()), "");
  ASSERT_TRUE(cluster_.run_until([&] { return told; }, seconds(10)));
  EXPECT_TRUE(cluster_.member(gone).removed());
  observing.reset();
  cluster_.stop(gone);
  auto again = cluster_.try_start(gone, [](Options&) {});
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("permanently removed"), std::string::npos)
      << again.error().message;
  ASSERT_EQ(put(ask, "a", "1"), "");
  EXPECT_EQ(list(ask).size(), 2U);
}

TEST_F(MembershipTest, one_that_slept_through_its_removal_is_told) {
  settle();
  const std::size_t gone = (cluster_.leader() + 1) % 3;
  const std::size_t ask = (gone + 1) % 3;
  const MemberId id = cluster_.member(gone).id();
  cluster_.stop(gone);
  ASSERT_TRUE(cluster_.run_until([&] { return remove(ask, id).empty(); }, seconds(10)));
  cluster_.run_for(seconds(5));
  cluster_.start(gone);
  ASSERT_TRUE(cluster_.run_until([&] { return cluster_.member(gone).removed(); }, seconds(10)));
}

TEST_F(MembershipTest, changes_that_would_lose_the_majority_are_refused) {
  settle();
  const std::size_t down = (cluster_.leader() + 1) % 3;
  const std::size_t ask = (down + 1) % 3;
  const std::size_t third = 3 - down - ask;
  cluster_.stop(down);
  cluster_.run_for(seconds(1));  // the others notice
  const std::size_t fourth = cluster_.add_board();
  // A voter is down: no new voter, and nobody who works may go.
  EXPECT_EQ(add(ask, fourth).error().message, "etcdserver: unhealthy cluster");
  EXPECT_EQ(remove(ask, cluster_.member(third).id()), "etcdserver: unhealthy cluster");
  cluster_.start(down);
  settle();
  ASSERT_TRUE(add(ask, fourth));
  // One that never started: the next would make a majority that is not there.
  const std::size_t fifth = cluster_.add_board();
  EXPECT_FALSE(add(ask, fifth));
  EXPECT_EQ(add(ask, 0).error().message, "etcdserver: unhealthy cluster");
  EXPECT_EQ(
      cluster_.wait(cluster_.member(ask).member_add({.peer_urls = {"nonsense"}})).error().message,
      "etcdserver: given member URLs are invalid");
  auto update = cluster_.wait(cluster_.member(ask).member_update(
      {.id = cluster_.member(third).id(), .peer_urls = {cluster_.peer_url(down)}}));
  EXPECT_EQ(update.error().message, "etcdserver: Peer URLs already exists");
}

TEST_F(MembershipTest, a_board_with_the_wrong_list_is_told_what_differs) {
  settle();
  const std::size_t fourth = cluster_.add_board();
  // Nobody has added it: it is not in the list, and so names itself in vain.
  auto refused = cluster_.try_start(fourth, [&](Options& options) {
    options.initial_cluster += std::format(",node{}={}", fourth, cluster_.peer_url(fourth));
    options.initial_cluster_state = "existing";
  });
  ASSERT_FALSE(refused);
  ASSERT_TRUE(add(0, fourth));
  auto joined = cluster_.join(fourth, 0);
  ASSERT_TRUE(joined) << joined.error().to_string();
  ASSERT_EQ(put(fourth, "a", "1"), "");
  // The disk goes, and the board comes back under the old name without having been added anew.
  ASSERT_TRUE(introduced(0, cluster_.member(fourth).id()));
  cluster_.crash(fourth);
  cluster_.replace_disk(fourth);
  auto again = cluster_.join(fourth, 0);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("its data are gone"), std::string::npos)
      << again.error().message;
}

TEST_F(MembershipTest, leadership_moves_to_whom_it_is_told) {
  const std::size_t old = cluster_.leader();
  const std::size_t next = (old + 2) % 3;
  auto refused =
      cluster_.wait(cluster_.member(next).move_leader({.target_id = cluster_.member(old).id()}));
  EXPECT_EQ(refused.error().message, "etcdserver: not leader");
  EXPECT_EQ(cluster_.wait(cluster_.member(old).move_leader({.target_id = 5})).error().message,
            "etcdserver: bad leader transferee");
  ASSERT_TRUE(
      cluster_.wait(cluster_.member(old).move_leader({.target_id = cluster_.member(next).id()})));
  EXPECT_EQ(cluster_.leader(), next);
}

/// Writes through `node` until the log has left `behind` behind, which is down.
class LaggardTest : public MembershipTest {
 protected:
  static constexpr std::size_t writes = 160;

  static void keep_little(Options& options) {
    options.log_entries_kept = 20;
    options.state_commit_bytes = 4 * 1024;
    options.wal_bytes_max = 32 * 1024;
  }
  LaggardTest() {
    cluster_.change_options(keep_little);
    for (std::size_t node = 0; node < 3; ++node) {
      cluster_.stop(node);
      cluster_.start(node);
    }
    cluster_.leader();
  }
  void write_much(std::size_t node) {
    for (std::size_t i = 0; i < writes; ++i) {
      ASSERT_EQ(put(node, std::format("k{}", i % 40), Bytes(1000, 'v') + std::to_string(i)), "");
    }
  }
};

TEST_F(LaggardTest, a_laggard_is_sent_a_snapshot_while_writes_go_on) {
  const std::size_t behind = (cluster_.leader() + 1) % 3;
  const std::size_t writer = (behind + 1) % 3;
  ASSERT_EQ(put(writer, "early", "1"), "");
  cluster_.crash(behind);
  cluster_.run_for(seconds(10));  // a shorter silence is slowness
  write_much(writer);
  cluster_.start(behind);
  ASSERT_EQ(put(writer, "late", "2"), "");
  EXPECT_EQ(get(behind, "late"), "2");
  EXPECT_TRUE(cluster_.member(behind).installed_snapshots() > 0);
  EXPECT_TRUE(equal({0, 1, 2}));
  // It is one of them again, over a crash, too.
  cluster_.crash(behind);
  cluster_.start(behind);
  ASSERT_EQ(put(behind, "again", "3"), "");
  EXPECT_TRUE(equal({0, 1, 2}));
}

TEST_F(LaggardTest, a_follower_that_is_only_slow_is_sent_entries) {
  const std::size_t leader = cluster_.leader();
  const std::size_t slow = (leader + 1) % 3;
  cluster_.board(slow).set_disk_latency(Milliseconds(400), Milliseconds(600));
  std::size_t furthest = 0;
  for (std::size_t i = 0; i < writes; ++i) {
    ASSERT_EQ(put(leader, std::format("k{}", i % 40), Bytes(1000, 'v') + std::to_string(i)), "");
    furthest = std::max<std::size_t>(furthest,
                                     static_cast<std::size_t>(cluster_.member(leader).revision() -
                                                              cluster_.member(slow).revision()));
  }
  EXPECT_GT(furthest, 30U) << "more than the log keeps for those who are away";
  ASSERT_EQ(cluster_.leader(), leader);
  EXPECT_TRUE(equal({0, 1, 2}));
  EXPECT_EQ(cluster_.member(slow).installed_snapshots(), 0U);
}

TEST_F(LaggardTest, a_new_member_begins_with_a_snapshot) {
  const std::size_t leader = cluster_.leader();
  settle();  // until all answer, the log is kept for them
  write_much(leader);
  settle();
  const std::size_t fourth = cluster_.add_board();
  ASSERT_TRUE(
      cluster_.run_until([&] { return add(leader, fourth, true).has_value(); }, seconds(15)));
  ASSERT_TRUE(cluster_.join(fourth, leader));
  ASSERT_TRUE(equal({0, 1, 2, fourth}));
  EXPECT_TRUE(cluster_.member(fourth).installed_snapshots() > 0);
  // The leader hears of it a little later.
  const MemberId id = cluster_.member(fourth).id();
  ASSERT_TRUE(cluster_.run_until([&] { return promote(leader, id).empty(); }, seconds(10)));
  EXPECT_EQ(list(fourth).size(), 4U);
}

class Seen final : public WatchObserver {
 public:
  void on_events(Revision, const std::vector<Event>& events) override {
    for (const Event& event : events) revisions.push_back(event.kv.mod_revision);
  }
  void on_cancelled(Revision compacted, grpc::Status) override { cancelled = compacted; }
  std::vector<Revision> revisions;
  Revision cancelled = 0;
};

TEST_F(LaggardTest, watches_go_on_over_a_snapshot_without_a_gap_or_end_when_it_was_compacted) {
  const std::size_t behind = (cluster_.leader() + 1) % 3;
  const std::size_t writer = (behind + 1) % 3;
  LocalClient client(cluster_.member(behind));
  for (const bool compacted : {false, true}) {
    settle();  // the leader keeps its log until it has heard that a snapshot arrived
    Seen seen;
    auto watch = client.watch({.key = "k", .range_end = "l"}, seen);
    const Revision from = cluster_.member(behind).revision();
    const std::uint64_t before = cluster_.member(behind).installed_snapshots();
    cluster_.isolate(behind);
    cluster_.run_for(seconds(6));  // the leader takes it for lost
    write_much(writer);
    const Revision last = cluster_.member(writer).revision();
    if (compacted) {
      ASSERT_TRUE(
          cluster_.wait(cluster_.member(writer).compact({.revision = last - 5, .physical = true})));
      write_much(writer);
    }
    cluster_.heal();
    ASSERT_TRUE(cluster_.run_until(
        [&] { return cluster_.member(behind).installed_snapshots() > before; }, seconds(30)));
    ASSERT_TRUE(cluster_.run_until(
        [&] { return compacted ? seen.cancelled > 0 : seen.revisions.size() == writes; },
        seconds(30)));
    if (compacted) {
      EXPECT_EQ(seen.cancelled, last - 5);
    } else {
      for (std::size_t i = 0; i < seen.revisions.size(); ++i) {
        ASSERT_EQ(seen.revisions[i], from + 1 + static_cast<Revision>(i));
      }
    }
  }
}

/// Cuts the power of a board before the n-th write or sync that its lanes make from now on.
class PowerCut {
 public:
  PowerCut(SimCluster& cluster, std::size_t node, std::uint64_t point)
      : cluster_(cluster), node_(node), left_(point) {
    sim::Disk& disk = cluster.board(node).disk();
    cluster.board(node).set_disk_hooks(
        [this, &disk] {
          before_ = disk.operations();
          disk.trip_after(left_);
        },
        [this, &disk] {
          if (!disk.tripped()) {
            left_ -= disk.operations() - before_;
            disk.trip_never();
            return true;
          }
          happened_ = true;
          cluster_.crash(node_);
          return false;
        });
  }
  ~PowerCut() { cluster_.board(node_).set_disk_hooks({}, {}); }
  PowerCut(const PowerCut&) = delete;
  PowerCut& operator=(const PowerCut&) = delete;
  bool happened() const { return happened_; }

 private:
  SimCluster& cluster_;
  std::size_t node_;
  std::uint64_t left_;
  std::uint64_t before_ = 0;
  bool happened_ = false;
};

TEST_F(LaggardTest, the_power_may_go_at_any_point_of_taking_a_snapshot_in) {
  const std::size_t behind = (cluster_.leader() + 1) % 3;
  const std::size_t writer = (behind + 1) % 3;
  std::size_t cuts = 0;
  for (std::uint64_t point = 0; point < 80; point += 1 + point / 6) {
    cluster_.crash(behind);
    write_much(writer);
    if (HasFatalFailure()) return;
    cluster_.start(behind);
    {
      PowerCut cut(cluster_, behind, point);
      cluster_.run_until([&] { return cut.happened(); }, seconds(2));
      cuts += cut.happened() ? 1 : 0;
      if (!cut.happened()) continue;
    }
    auto started = cluster_.try_start(behind, [](Options&) {});
    ASSERT_TRUE(started) << point << ": " << started.error().to_string();
    ASSERT_TRUE(equal({0, 1, 2})) << point;
  }
  EXPECT_GT(cuts, 8U);
}

TEST_F(MembershipTest, force_new_cluster_goes_on_alone_with_everything_that_was_acknowledged) {
  for (int i = 0; i < 20; ++i) ASSERT_EQ(put(0, "k", std::to_string(i)), "");
  ASSERT_TRUE(equal({0, 1, 2}));
  const MemberId other = cluster_.member(1).id();
  for (std::size_t node = 0; node < 3; ++node) cluster_.crash(node);
  ASSERT_TRUE(cluster_.try_start(0, [](Options& options) { options.force_new_cluster = true; }));
  EXPECT_EQ(get(0, "k"), "19");
  ASSERT_EQ(list(0).size(), 1U);
  ASSERT_EQ(put(0, "k", "alone"), "");
  // Without the flag it stays so, and the others are turned away for ever.
  cluster_.crash(0);
  cluster_.start(0);
  EXPECT_EQ(get(0, "k"), "alone");
  EXPECT_EQ(list(0).size(), 1U);
  cluster_.start(1);
  ASSERT_TRUE(cluster_.run_until([&] { return cluster_.member(1).removed(); }, seconds(10)));
  EXPECT_EQ(cluster_.member(1).id(), other);
  cluster_.stop(1);
  cluster_.replace_disk(1);
  ASSERT_TRUE(add(0, 1));
  ASSERT_TRUE(cluster_.join(1, 0));
  EXPECT_EQ(get(1, "k"), "alone");
}

}  // namespace
}  // namespace tripod::etcd
