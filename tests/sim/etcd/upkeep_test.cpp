// Whole members that keep house: hashes, defragmentation, bounded files, corruption, auto
// compaction, scheduled snapshots.
#include <gtest/gtest.h>

#include <format>
#include <limits>

#include "firmware/etcd/mvcc/state_db/state_db.h"
#include "platform/async/sync.h"
#include "tests/sim/etcd/cluster.h"

namespace tripod::etcd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class UpkeepTest : public testing::Test {
 protected:
  void put(Bytes key, Bytes value) {
    auto reply =
        cluster_.wait(cluster_.member(0).put({.key = std::move(key), .value = std::move(value)}));
    ASSERT_TRUE(reply) << reply.error().message;
  }
  /// Ten keys anew.
  static TxnRequest ten_puts(std::size_t bytes) {
    TxnRequest txn;
    for (int i = 0; i < 10; ++i) {
      txn.success.push_back({PutRequest{.key = std::format("k{}", i), .value = Bytes(bytes, 'v')}});
    }
    return txn;
  }
  void put_many(int count, std::size_t bytes) {
    for (int i = 0; i < count; i += 10) {
      auto reply = cluster_.wait(cluster_.member(0).txn(ten_puts(bytes)));
      ASSERT_TRUE(reply) << reply.error().message;
    }
  }
  void compact_all() {
    auto done = cluster_.wait(
        cluster_.member(0).compact({.revision = cluster_.member(0).revision(), .physical = true}));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::size_t file_bytes(std::size_t node, const std::string& name) {
    auto file = cluster_.board(node).disk().find("/data/" + name);
    return file ? file->content().size() : 0;
  }
  void settle() {
    ASSERT_TRUE(cluster_.run_until(
        [&] {
          return cluster_.member(0).applied_index() == cluster_.member(1).applied_index() &&
                 cluster_.member(1).applied_index() == cluster_.member(2).applied_index();
        },
        seconds(30)));
  }
  /// Every member anew, with other options.
  void restart_all(const std::function<void(Options&)>& change) {
    for (std::size_t node = 0; node < 3; ++node) cluster_.stop(node);
    for (std::size_t node = 0; node < 3; ++node) {
      auto started = cluster_.try_start(node, change);
      ASSERT_TRUE(started) << started.error().to_string();
    }
    cluster_.leader();
  }
  /// Changes a value behind the back of a member that is not running.
  void corrupt(std::size_t node) {
    auto state = StateDb::open("/data/state.db", cluster_.board(node).disk().vfs_name());
    ASSERT_TRUE(state) << state.error().to_string();
    RowId last = 0;
    state->scan_heads(0, std::numeric_limits<RowId>::max(), [&](RowId id, const Row&) {
      last = id;
      return true;
    });
    Row row = state->read(last);
    const Bytes key(row.key);
    state->erase(last);
    state->insert(last, {key, row.created, row.version, row.lease, "not what was written"});
    state->commit();
  }

  SimCluster cluster_{11};
};

TEST_F(UpkeepTest, members_agree_on_the_hash_of_the_whole_state) {
  put_many(50, 100);
  auto lease = cluster_.wait(cluster_.member(1).lease_grant({.ttl = 100, .id = 5}));
  ASSERT_TRUE(lease);
  settle();
  auto first = cluster_.wait(cluster_.member(0).hash_state({}));
  ASSERT_TRUE(first);
  for (std::size_t node : {1U, 2U}) {
    EXPECT_EQ(cluster_.wait(cluster_.member(node).hash_state({}))->hash, first->hash);
  }
  ASSERT_TRUE(cluster_.wait(cluster_.member(1).lease_revoke({.id = 5})));
  settle();
  EXPECT_NE(cluster_.wait(cluster_.member(0).hash_state({}))->hash, first->hash);
}

TEST_F(UpkeepTest, defragmenting_makes_the_file_smaller_while_writes_go_on) {
  put_many(300, 2000);
  compact_all();
  ASSERT_TRUE(
      cluster_.wait(cluster_.member(0).defragment({})));  // what the WAL still held is in the file
  put_many(300, 2000);
  compact_all();
  const auto before = cluster_.member(0).status();
  ASSERT_GT(before->db_size, before->db_size_in_use);
  cluster_.scope().spawn([](SimCluster* cluster) -> Task<void> {
    for (int i = 0; i < 20; ++i) co_await cluster->member(0).put({.key = "x", .value = "y"});
  }(&cluster_));
  ASSERT_TRUE(cluster_.wait(cluster_.member(0).defragment({})));
  const auto after = cluster_.member(0).status();
  EXPECT_LT(after->db_size, before->db_size / 2);
  EXPECT_EQ(file_bytes(0, "state.db"), static_cast<std::size_t>(after->db_size));
  ASSERT_TRUE(cluster_.run_until([&] { return cluster_.scope().idle(); }, minutes(1)));
  settle();
  EXPECT_EQ(cluster_.member(0).hash(0)->hash, cluster_.member(1).hash(0)->hash);
}

TEST_F(UpkeepTest, files_stay_bounded_under_steady_writes) {
  restart_all([](Options& options) {
    options.wal_bytes_max = 1024 * 1024;
    options.log_bytes_kept = 3 * 1024 * 1024;
    options.log_store = {.segment_bytes = 128 * std::size_t{1024}, .wal_pages = 2000};
    options.state_commit_bytes = 64 * 1024;
  });
  cluster_.run_for(seconds(10));  // all connected: a snapshot on its way would hold the WAL
  // A writer that never rests: its next write is under way whenever a checkpoint ends.
  bool ended = false;
  cluster_.scope().spawn([](SimCluster* cluster, bool* done) -> Task<void> {
    Member& member = cluster->member(0);
    for (int i = 0; i < 120; ++i) {
      co_await member.txn(ten_puts(8000));
      // With more to do than the disk can, checkpoints wait in its queue: another matter.
      co_await async::sleep_for(cluster->clock(), Milliseconds(50));
      if (i % 20 == 19) co_await member.compact({.revision = member.revision()});
    }
    *done = true;
  }(&cluster_, &ended));
  std::size_t wal = 0;
  std::size_t state = 0;
  std::size_t log = 0;
  std::size_t log_wal = 0;
  ASSERT_TRUE(cluster_.run_until(
      [&] {
        wal = std::max(wal, file_bytes(1, "state.db-scratch"));
        state = std::max(state, file_bytes(1, "state.db"));
        log = std::max(log, file_bytes(1, "raft.db"));
        log_wal = std::max(log_wal, file_bytes(1, "raft.db-wal"));
        return ended;
      },
      minutes(20)));
  constexpr std::size_t mib = 1024 * 1024;
  EXPECT_LT(wal, 3 * mib) << "10 MB were written";
  EXPECT_LT(state, 6 * mib);
  EXPECT_LT(log, 6 * mib);
  EXPECT_GT(log, 2 * mib) << "checkpoints went by";
  EXPECT_LT(log_wal, 3 * mib);
}

TEST_F(UpkeepTest, a_member_with_other_data_raises_the_alarm) {
  put_many(20, 10);
  settle();
  cluster_.stop(2);
  corrupt(2);
  cluster_.start(2);
  restart_all([](Options& options) { options.corrupt_check_time = minutes(1); });
  const MemberId wrong = cluster_.member(2).id();
  const bool leads = cluster_.member(2).is_leader();
  ASSERT_TRUE(cluster_.run_until(
      [&] { return !cluster_.member(0).alarms(AlarmType::corrupt).empty(); }, minutes(3)));
  const auto alarms = cluster_.member(0).alarms(AlarmType::corrupt);
  if (!leads) {
    ASSERT_EQ(alarms.size(), 1U);
    EXPECT_EQ(alarms[0].member_id, wrong);
  }
  auto refused = cluster_.wait(cluster_.member(0).put({.key = "a", .value = "b"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "etcdserver: corrupt cluster");
}

TEST_F(UpkeepTest, healthy_members_raise_none) {
  restart_all([](Options& options) { options.corrupt_check_time = seconds(2); });
  for (int round = 0; round < 10; ++round) {
    put_many(20, 10);
    compact_all();
    cluster_.run_for(seconds(1));
  }
  EXPECT_TRUE(cluster_.member(0).alarms().empty());
}

TEST_F(UpkeepTest, a_member_with_other_data_does_not_begin_to_serve) {
  put_many(20, 10);
  settle();
  cluster_.stop(1);
  corrupt(1);
  cluster_.start(1);
  auto checked = cluster_.wait(cluster_.member(1).check_against_others());
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error(), ErrorCode::corrupt);
  EXPECT_NE(checked.error().message.find("node0"), std::string::npos) << checked.error().message;
  cluster_.stop(2);
  cluster_.start(2);
  EXPECT_FALSE(cluster_.wait(cluster_.member(2).check_against_others()))
      << "a healthy one cannot know that it is not itself";
}

TEST_F(UpkeepTest, equal_members_begin_to_serve) {
  put_many(20, 10);
  settle();
  cluster_.stop(1);
  cluster_.start(1);
  auto checked = cluster_.wait(cluster_.member(1).check_against_others());
  EXPECT_TRUE(checked) << checked.error().to_string();
}

TEST_F(UpkeepTest, the_leader_compacts_by_itself) {
  restart_all([](Options& options) {
    options.auto_compaction = {.mode = AutoCompactionSetting::Mode::revision, .revisions = 10};
  });
  for (int i = 0; i < 30; ++i) put(std::format("k{}", i % 5), "v");
  const Revision newest = cluster_.member(0).revision();
  cluster_.run_for(minutes(6));
  for (std::size_t node = 0; node < 3; ++node) {
    auto old = cluster_.wait(cluster_.member(node).range({.key = "k1", .revision = newest - 11}));
    ASSERT_FALSE(old);
    EXPECT_EQ(old.error().message, "etcdserver: mvcc: required revision has been compacted");
    EXPECT_TRUE(cluster_.wait(cluster_.member(node).range({.key = "k1", .revision = newest - 10})));
  }
}

TEST_F(UpkeepTest, scheduled_snapshots_come_and_go) {
  restart_all([](Options& options) {
    options.snapshot_interval = minutes(10);
    options.snapshot_retention = 3;
    options.snapshot_dir = "/backup";
  });
  for (int round = 0; round < 5; ++round) {
    put("round", std::to_string(round));
    cluster_.run_for(minutes(10));
  }
  auto files = cluster_.board(1).world().storage.list("/backup");
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 3U) << files->at(0);
  EXPECT_TRUE(files->at(2).starts_with("etcd-snapshot-node1-")) << files->at(2);
  EXPECT_TRUE(files->at(2).ends_with(".db")) << files->at(2);
}

TEST_F(UpkeepTest, downgrade_answers_as_etcd_does) {
  const auto ask = [this](DowngradeAction action, std::string version = "") {
    auto reply = cluster_.wait(
        cluster_.member(0).downgrade({.action = action, .version = std::move(version)}));
    return reply ? reply->version : reply.error().message;
  };
  using enum DowngradeAction;
  EXPECT_EQ(ask(validate, "3.5"), "3.6");
  EXPECT_EQ(ask(validate, "3.5.9"), "3.6");
  EXPECT_EQ(ask(validate, "3.4.0"), "etcdserver: invalid downgrade target version");
  EXPECT_EQ(ask(validate, "3.6.0"), "etcdserver: invalid downgrade target version");
  EXPECT_EQ(ask(validate, "three"), "etcdserver: wrong downgrade target version format");
  EXPECT_EQ(ask(cancel), "etcdserver: no inflight downgrade job");
  EXPECT_EQ(ask(enable, "3.5.0"), "3.6");
  settle();
  EXPECT_TRUE(cluster_.member(2).status()->downgrade_info.enabled);
  EXPECT_EQ(cluster_.member(2).status()->downgrade_info.target_version, "3.5.0");
  EXPECT_EQ(ask(enable, "3.5.0"), "etcdserver: cluster has a downgrade job in progress");
  EXPECT_EQ(ask(cancel), "3.6");
  settle();
  EXPECT_FALSE(cluster_.member(2).status()->downgrade_info.enabled);
}

}  // namespace
}  // namespace tripod::etcd
