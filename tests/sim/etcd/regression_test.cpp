// The record of etcd's robustness tests (tests/robustness/README.md of etcd-io/etcd): each
// correctness bug found there as a story of its own, by the number of its issue.

#include <gtest/gtest.h>

#include <algorithm>
#include <format>

#include "platform/async/sync.h"
#include "tests/sim/etcd/cluster.h"

namespace tripod::etcd {
namespace {

using std::chrono::seconds;

constexpr std::string_view compacted_text =
    "etcdserver: mvcc: required revision has been compacted";

/// What one watch was told.
struct Told final : WatchObserver {
  void on_events(Revision revision, const std::vector<Event>& batch) override {
    if (batch.empty()) bookmarks.emplace_back(revision, events.size());
    events.insert(events.end(), batch.begin(), batch.end());
  }
  void on_cancelled(Revision revision, grpc::Status) override { cancelled_at = revision; }
  std::vector<Revision> revisions() const {
    std::vector<Revision> all;
    for (const Event& event : events) all.push_back(event.kv.mod_revision);
    return all;
  }
  std::vector<Event> events;
  std::vector<std::pair<Revision, std::size_t>> bookmarks;  // and how many events came before
  std::optional<Revision> cancelled_at;
};

class Regression : public testing::Test {
 protected:
  void begin(std::size_t members, SimCluster::Change change = {}) {
    cluster_ = std::make_unique<SimCluster>(
        std::uint64_t{members * 1000 + 7},
        SimCluster::Setup{.size = members, .change = std::move(change), .start = true});
    cluster_->leader();
  }
  Member& member(std::size_t node) { return cluster_->member(node); }
  /// The revision of the write.
  Revision put(std::size_t node, Bytes key, Bytes value = "v") {
    auto reply = cluster_->wait(member(node).put({.key = key, .value = value}));
    EXPECT_TRUE(reply) << (reply ? "" : reply.error().message);
    return reply ? reply->header.revision : 0;
  }
  Revision remove(std::size_t node, Bytes key, Bytes range_end = {}) {
    auto reply = cluster_->wait(member(node).delete_range({.key = key, .range_end = range_end}));
    EXPECT_TRUE(reply) << (reply ? "" : reply.error().message);
    return reply ? reply->header.revision : 0;
  }
  Bytes get(std::size_t node, Bytes key, bool serializable = false) {
    auto reply = cluster_->wait(member(node).range({.key = key, .serializable = serializable}));
    if (!reply) return reply.error().message;
    return reply->kvs.empty() ? "(none)" : reply->kvs[0].value;
  }
  void compact(std::size_t node, Revision revision, bool physical = false) {
    auto reply = cluster_->wait(member(node).compact({.revision = revision, .physical = physical}));
    ASSERT_TRUE(reply) << reply.error().message;
  }
  std::unique_ptr<Watch> watch(std::size_t node, Told& told, Revision start) {
    auto& door = doors_.emplace_back(std::make_unique<LocalClient>(member(node)));
    return door->watch({.key = Bytes(1, '\0'),
                        .range_end = Bytes(1, '\0'),
                        .start_revision = start,
                        .filters = {}},
                       told);
  }
  void expect_equal_members() {
    const auto settled = [this] {
      for (std::size_t node = 1; node < cluster_->boards(); ++node) {
        if (member(node).applied_index() != member(0).applied_index()) return false;
      }
      return true;
    };
    ASSERT_TRUE(cluster_->run_until(settled, seconds(30)));
    for (std::size_t node = 1; node < cluster_->boards(); ++node) {
      EXPECT_EQ(member(node).hash(0)->hash, member(0).hash(0)->hash) << "node " << node;
      EXPECT_EQ(member(node).revision(), member(0).revision()) << "node " << node;
    }
  }

  std::vector<std::unique_ptr<LocalClient>> doors_;
  std::unique_ptr<SimCluster> cluster_;
};

/// Writes until its member is gone.
Task<void> write_on(SimCluster* cluster, std::size_t node) {
  for (int i = 0; i < 80 && cluster->running(node); ++i) {
    auto reply = co_await async::with_timeout(
        cluster->clock(), seconds(3), [](Member* member, int number) -> Task<Result<>> {
          auto put = co_await member->put({.key = std::format("k{}", number % 9), .value = "v"});
          if (!put) co_return fail(ErrorCode::unavailable, put.error().message);
          co_return Result<>{};
        }(&cluster->member(node), i));
    if (!reply) co_return;
  }
}

TEST_F(Regression, issue_13766_a_crash_under_load_leaves_members_at_one_revision) {
  begin(3);
  for (std::size_t round = 0; round < 6; ++round) {
    for (std::size_t node = 0; node < 3; ++node) {
      cluster_->scope().spawn(write_on(cluster_.get(), node));
    }
    cluster_->run_for(Milliseconds(200 + 70 * static_cast<int>(round)));
    cluster_->crash(round % 3);
    ASSERT_TRUE(cluster_->run_until([&] { return cluster_->scope().idle(); }, seconds(60)));
    cluster_->start(round % 3);
    put(round % 3, "after");
    expect_equal_members();
  }
}

TEST_F(Regression, issue_14370_one_member_alone_never_loses_an_acknowledged_write) {
  begin(1);
  for (int round = 0; round < 25; ++round) {
    const Bytes value = std::to_string(round);
    const Revision revision = put(0, "key", value);
    cluster_->crash(0);
    cluster_->start(0);
    cluster_->leader();
    EXPECT_EQ(get(0, "key"), value);
    EXPECT_EQ(member(0).revision(), revision);
  }
}

TEST_F(Regression, issue_14571_a_member_that_missed_the_enabling_of_auth_agrees_after_its_crash) {
  begin(3);
  const std::size_t away = (cluster_->leader() + 1) % 3;
  const std::size_t here = (away + 1) % 3;
  cluster_->crash(away);
  const auto must = [&](auto task) { CHECK(cluster_->wait(std::move(task)).has_value()); };
  must(member(here).auth_user_add({.name = "root", .password = "root"}, Credentials::board()));
  must(member(here).auth_change({AuthUserGrantRoleRequest{"root", "root"}}, Credentials::board()));
  must(member(here).auth_change({AuthEnableRequest{}}, Credentials::board()));
  put(here, "a");
  cluster_->start(away);
  const auto denied = cluster_->wait(
      member(away).put({.key = "b", .value = "w"}, Credentials::client("", nullptr)));
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().message, "etcdserver: user name is empty");
  put(away, "c");
  expect_equal_members();
}

TEST_F(Regression, issue_14685_a_crash_while_defragmenting_leaves_the_revision) {
  begin(1);
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 120; ++i) put(0, std::format("k{}", i % 10), Bytes(2000, 'v'));
    const Revision newest = put(0, "last", std::to_string(round));
    compact(0, newest, true);
    const auto defragment = [](Member* member) -> Task<void> {
      (void)co_await member->defragment({});
    };
    cluster_->scope().spawn(defragment(&member(0)));
    cluster_->run_for(Milliseconds(1 + 7 * round));
    cluster_->crash(0);
    cluster_->start(0);
    cluster_->leader();
    EXPECT_EQ(get(0, "last"), std::to_string(round));
    EXPECT_EQ(member(0).revision(), newest);
  }
}

TEST_F(Regression, issue_15220_a_bookmark_never_overtakes_its_events) {
  begin(3);
  Told told;
  auto watching = watch((cluster_->leader() + 1) % 3, told, 2);
  std::vector<Revision> written;
  for (std::size_t i = 0; i < 60; ++i) {
    watching->request_progress();
    written.push_back(put(i % 3, std::format("k{}", i % 5)));
    watching->request_progress();
  }
  const auto all_told = [&] {
    return !told.bookmarks.empty() && told.bookmarks.back().first >= written.back();
  };
  for (int i = 0; i < 200 && !all_told(); ++i) {
    watching->request_progress();
    cluster_->run_for(Milliseconds(100));
  }
  ASSERT_TRUE(all_told());
  EXPECT_EQ(told.revisions(), written);
  for (const auto& [revision, before] : told.bookmarks) {
    const auto due = std::ranges::count_if(written, [&](Revision r) { return r <= revision; });
    EXPECT_GE(before, static_cast<std::size_t>(due)) << "bookmark " << revision;
  }
}

TEST_F(Regression, issue_15271_a_watch_does_not_travel_back_after_a_partition) {
  begin(3);
  const std::size_t alone = (cluster_->leader() + 1) % 3;
  const std::size_t other = (alone + 1) % 3;
  Revision seen = 0;
  for (int i = 0; i < 10; ++i) seen = put(other, "k", std::to_string(i));
  cluster_->run_for(seconds(1));
  cluster_->isolate(alone);
  for (int i = 0; i < 10; ++i) seen = put(other, "k", std::to_string(i));
  // A client that saw all of that at another member goes on at the one left behind.
  Told told;
  auto watching = watch(alone, told, seen + 1);
  watching->request_progress();
  cluster_->run_for(seconds(2));
  cluster_->heal();
  const Revision next = put(other, "k", "next");
  ASSERT_TRUE(cluster_->run_until([&] { return !told.events.empty(); }, seconds(20)));
  EXPECT_EQ(told.revisions(), std::vector<Revision>{next});
  for (const auto& bookmark : told.bookmarks) EXPECT_GE(bookmark.first, seen);
}

TEST_F(Regression, issue_17247_a_transaction_is_told_of_once) {
  begin(3);
  Told told;
  auto watching = watch(0, told, 2);
  std::vector<Revision> expected;
  for (std::size_t i = 0; i < 20; ++i) {
    TxnRequest txn;
    txn.compare.push_back({.result = CompareResult::equal,
                           .target = CompareTarget::version,
                           .key = "a",
                           .number = static_cast<std::int64_t>(i % 2 == 0 ? i / 2 : 999),
                           .value = {},
                           .range_end = {}});
    txn.success.push_back({RangeRequest{.key = "a", .range_end = {}}});
    txn.success.push_back({PutRequest{.key = "a", .value = "1"}});
    txn.success.push_back({RangeRequest{.key = "a", .range_end = {}}});
    txn.failure.push_back({RangeRequest{.key = "b", .range_end = {}}});
    txn.failure.push_back({PutRequest{.key = "b", .value = "2"}});
    auto reply = cluster_->wait(member(i % 3).txn(txn));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->succeeded, i % 2 == 0) << i;
    expected.push_back(reply->header.revision);
  }
  ASSERT_TRUE(cluster_->run_until([&] { return told.events.size() >= 20; }, seconds(10)));
  cluster_->run_for(seconds(1));
  EXPECT_EQ(told.revisions(), expected);
}

TEST_F(Regression, issue_17529_a_watch_that_starts_far_behind_misses_nothing) {
  begin(3);
  // More than the hub keeps in memory, so that the rows are read while new events come.
  std::vector<Revision> written;
  for (std::size_t i = 0; i < 30; ++i) {
    TxnRequest txn;
    for (std::size_t k = 0; k < 100; ++k) {
      txn.success.push_back({PutRequest{.key = std::format("k{}", k), .value = Bytes(300, 'v')}});
    }
    auto reply = cluster_->wait(member(i % 3).txn(std::move(txn)));
    ASSERT_TRUE(reply);
    written.insert(written.end(), 100, reply->header.revision);
  }
  std::vector<Told> told(10);
  std::vector<std::unique_ptr<Watch>> watching;
  for (Told& each : told) watching.push_back(watch(0, each, 2));
  for (std::size_t i = 0; i < 30; ++i) written.push_back(put(i % 3, "late"));
  ASSERT_TRUE(cluster_->run_until(
      [&] {
        return std::ranges::all_of(
            told, [&](const Told& each) { return each.events.size() >= written.size(); });
      },
      seconds(30)));
  for (const Told& each : told) EXPECT_EQ(each.revisions(), written);
}

TEST_F(Regression, issue_17780_the_revision_does_not_fall_by_a_crash_during_compaction) {
  begin(1);
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 300; ++i) put(0, std::format("k{}", i % 40));
    // The newest revisions are tombstones: compaction takes their rows.
    remove(0, "k", "l");
    const Revision newest = member(0).revision();
    compact(0, newest);
    cluster_->run_for(Milliseconds(3 + 20 * round));  // some slices of it
    cluster_->crash(0);
    cluster_->start(0);
    cluster_->leader();
    EXPECT_EQ(get(0, "k1"), "(none)");
    EXPECT_EQ(member(0).revision(), newest);
    EXPECT_EQ(put(0, "next"), newest + 1);
  }
}

TEST_F(Regression, issue_18089_19179_a_watch_from_the_compacted_revision_sees_its_delete) {
  begin(3);
  put(0, "a");
  put(0, "b");
  const Revision deleted = remove(0, "a");
  compact(1, deleted, true);
  cluster_->run_for(seconds(1));
  const Revision later = put(2, "b");
  for (std::size_t node = 0; node < 3; ++node) {
    Told told;
    auto watching = watch(node, told, deleted);
    ASSERT_TRUE(cluster_->run_until([&] { return told.events.size() >= 2; }, seconds(10)))
        << "node " << node;
    EXPECT_EQ(told.events[0].type, EventType::remove);
    EXPECT_EQ(told.events[0].kv.key, "a");
    EXPECT_EQ(told.revisions(), (std::vector<Revision>{deleted, later}));
    Told too_early;
    auto refused = watch(node, too_early, deleted - 1);
    ASSERT_TRUE(
        cluster_->run_until([&] { return too_early.cancelled_at.has_value(); }, seconds(10)));
    EXPECT_EQ(*too_early.cancelled_at, deleted);
  }
}

TEST_F(Regression, issue_18667_a_txn_that_reads_a_compacted_revision_is_the_same_everywhere) {
  begin(3);
  Revision last = 0;
  for (int i = 0; i < 50; ++i) last = put(0, "k", std::to_string(i));
  const std::size_t away = (cluster_->leader() + 1) % 3;
  const std::size_t here = (away + 1) % 3;
  cluster_->crash(away);
  compact(here, last - 5);
  TxnRequest txn;
  txn.success.push_back({PutRequest{.key = "from-txn", .value = "v"}});
  txn.success.push_back({RangeRequest{.key = "k", .range_end = {}, .revision = last - 10}});
  auto reply = cluster_->wait(member(here).txn(txn));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().message, compacted_text);
  EXPECT_EQ(get(here, "from-txn"), "(none)");
  cluster_->start(away);
  EXPECT_EQ(get(away, "from-txn"), "(none)");
  EXPECT_EQ(put(away, "k"), last + 1);
  expect_equal_members();
}

TEST_F(Regression, issue_20221_a_watch_on_a_future_revision_is_not_told_of_the_past) {
  begin(3);
  Revision now = put(0, "a");
  const Revision start = now + 10;
  std::vector<Told> told(3);
  std::vector<std::unique_ptr<Watch>> watching;
  for (std::size_t node = 0; node < 3; ++node) watching.push_back(watch(node, told[node], start));
  while (now < start + 5) {
    now = put(static_cast<std::size_t>(now) % 3, "a");
    for (const auto& each : watching) each->request_progress();
  }
  cluster_->run_for(seconds(2));
  for (const Told& each : told) {
    ASSERT_EQ(each.events.size(), 6U);
    EXPECT_EQ(each.revisions().front(), start);
    EXPECT_TRUE(std::ranges::is_sorted(each.revisions()));
  }
}

TEST_F(Regression, issue_20418_a_leader_that_was_paused_does_not_answer_with_the_past) {
  begin(3);
  for (int round = 0; round < 5; ++round) {
    const std::size_t old = cluster_->leader();
    const std::size_t other = (old + 1) % 3;
    put(old, "k", "old");
    cluster_->board(old).queue().set_paused(true);
    const auto elected = [&] {
      return member(other).is_leader() || member((other + 1) % 3).is_leader();
    };
    ASSERT_TRUE(cluster_->run_until(elected, seconds(20)));
    put(other, "k", "new");
    // Asked for before it wakes up, and answered, if at all, after.
    std::optional<Bytes> answer;
    const auto ask = [](Member* member, std::optional<Bytes>* out) -> Task<void> {
      auto reply = co_await member->range({.key = "k"});
      out->emplace(!reply               ? reply.error().message
                   : reply->kvs.empty() ? "(none)"
                                        : reply->kvs[0].value);
    };
    cluster_->scope().spawn(ask(&member(old), &answer));
    cluster_->board(old).queue().set_paused(false);
    ASSERT_TRUE(cluster_->run_until([&] { return answer.has_value(); }, seconds(20)));
    EXPECT_NE(*answer, "old");
    EXPECT_EQ(get(old, "k"), "new");
  }
}

}  // namespace
}  // namespace tripod::etcd
