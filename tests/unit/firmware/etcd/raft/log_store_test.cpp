#include "firmware/etcd/raft/log_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "platform/sqlite/database.h"

namespace tripod::etcd::raft {
namespace {

class LogStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/tripod_raft_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/raft.db"; }
  Result<LogStore> open() { return LogStore::open(path(), "", {0xc1, {0xa1}}); }

  static Entry entry(std::uint64_t index, std::uint64_t term, std::string data) {
    return {{index}, {term}, EntryType::normal, share(std::move(data))};
  }

  std::string folder_;
};

TEST_F(LogStoreTest, a_new_file_is_founded_once_and_remembers) {
  {
    auto store = open();
    ASSERT_TRUE(store) << store.error().to_string();
    EXPECT_FALSE(store->recovered().founded);
    ASSERT_TRUE(store->found({{}, {{0xa1}, {0xa2}}, {}}));
  }
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_TRUE(store->recovered().founded);
  EXPECT_EQ(store->recovered().conf_state.voters, (std::vector<NodeId>{{0xa1}, {0xa2}}));
  EXPECT_EQ(store->recovered().last, LogIndex{0});
}

TEST_F(LogStoreTest, batches_survive_reopening_and_conflicts_are_cut_off) {
  {
    auto store = open();
    ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
    PersistBatch first;
    first.hard_state = HardState{{3}, {0xa1}, {2}};
    first.entries = {entry(1, 1, "a"), entry(2, 2, "b"), entry(3, 2, "c"), entry(4, 2, "d")};
    ASSERT_TRUE(store->append(first));
    PersistBatch second;
    second.entries = {entry(3, 3, "C")};
    second.entries[0].type = EntryType::conf_change;
    ASSERT_TRUE(store->append(second));
  }
  auto store = open();
  ASSERT_TRUE(store);
  const Recovered& found = store->recovered();
  EXPECT_EQ(found.hard_state, (HardState{{3}, {0xa1}, {2}}));
  EXPECT_EQ(found.last, LogIndex{3});
  EXPECT_EQ(found.term_runs, (std::vector<TermRun>{{{1}, {1}}, {{2}, {2}}, {{3}, {3}}}));
  EXPECT_EQ(found.conf_changes, (std::vector<LogIndex>{{3}}));
  auto entries = store->read({1}, {9}, 1 << 20);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 3U);
  EXPECT_EQ((*entries)[2].view(), "C");
  EXPECT_EQ(store->read({1}, {9}, 1)->size(), 1U);
}

TEST_F(LogStoreTest, compaction_and_reset_move_the_base) {
  {
    auto store = open();
    ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
    PersistBatch batch;
    batch.hard_state = HardState{{2}, {0xa1}, {4}};
    for (std::uint64_t i = 1; i <= 5; ++i) batch.entries.push_back(entry(i, i <= 2 ? 1 : 2, "x"));
    batch.compact = LogIndex{3};
    ASSERT_TRUE(store->append(batch));
  }
  {
    auto store = open();
    ASSERT_TRUE(store);
    EXPECT_EQ(store->recovered().base, (LogPosition{{3}, {2}}));
    EXPECT_EQ(store->recovered().last, LogIndex{5});
    EXPECT_EQ(store->recovered().term_runs, (std::vector<TermRun>{{{4}, {2}}}));
    PersistBatch batch;
    batch.reset = LogPosition{{10}, {2}};
    batch.conf_state = ConfState{{9}, {{0xa1}, {0xa3}}, {{0xa4}}};
    batch.entries = {entry(11, 2, "after")};
    ASSERT_TRUE(store->append(batch));
  }
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_EQ(store->recovered().base, (LogPosition{{10}, {2}}));
  EXPECT_EQ(store->recovered().last, LogIndex{11});
  EXPECT_EQ(store->recovered().conf_state, (ConfState{{9}, {{0xa1}, {0xa3}}, {{0xa4}}}));
}

TEST_F(LogStoreTest, the_data_of_another_member_or_cluster_are_refused) {
  {
    ASSERT_TRUE(open()->found({{}, {{0xa1}}, {}}));
  }
  auto other_member = LogStore::open(path(), "", {0xc1, {0xa2}});
  ASSERT_FALSE(other_member);
  EXPECT_EQ(other_member.error().code, ErrorCode::invalid);
  EXPECT_NE(other_member.error().message.find(path()), std::string::npos);
  EXPECT_NE(other_member.error().message.find("belong to member a1, this is member a2"),
            std::string::npos);
  auto name = [](NodeId id) { return id.value == 0xa1 ? "one" : ""; };
  auto named = LogStore::open(path(), "", {0xc1, {0xa2}, name});
  ASSERT_FALSE(named);
  EXPECT_NE(named.error().message.find("belong to member a1 (one), this is member a2"),
            std::string::npos);
  auto other_cluster = LogStore::open(path(), "", {0xc2, {0xa1}});
  ASSERT_FALSE(other_cluster);
  EXPECT_EQ(other_cluster.error().code, ErrorCode::invalid);
}

TEST_F(LogStoreTest, a_format_of_a_later_release_is_refused_and_stays_as_it_is) {
  {
    ASSERT_TRUE(open()->found({{}, {{0xa1}}, {}}));
  }
  auto content = [&] {
    std::ifstream in(path(), std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), {});
  };
  {
    auto database = sqlite::Database::open(path(), {});
    ASSERT_TRUE(database->execute("UPDATE meta SET value = 2 WHERE name = 'format'"));
    ASSERT_TRUE(database->checkpoint(sqlite::Checkpoint::truncate));
  }
  const std::string before = content();
  auto refused = open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid);
  EXPECT_EQ(refused.error().message,
            path() + ": format 2 is unknown, this release writes format 1");
  EXPECT_EQ(content(), before);
}

TEST_F(LogStoreTest, a_second_opener_is_refused) {
  auto first = open();
  ASSERT_TRUE(first);
  auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
}

TEST_F(LogStoreTest, a_flipped_bit_in_an_entry_is_corrupt) {
  {
    auto store = open();
    ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
    PersistBatch batch;
    batch.hard_state = HardState{{1}, {0xa1}, {}};
    batch.entries = {entry(1, 1, "find me if you can")};
    ASSERT_TRUE(store->append(batch));
  }
  std::ifstream in(path(), std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(in)), {});
  std::size_t place = content.find("find me");
  ASSERT_NE(place, std::string::npos);
  content[place] = 'F';
  std::ofstream(path(), std::ios::binary | std::ios::trunc) << content;
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::corrupt);
  EXPECT_NE(store.error().message.find(path()), std::string::npos);
}

TEST_F(LogStoreTest, a_gap_and_foreign_tables_are_refused) {
  {
    auto store = open();
    ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
    PersistBatch batch;
    batch.hard_state = HardState{{1}, {0xa1}, {}};
    batch.entries = {entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 1, "c")};
    ASSERT_TRUE(store->append(batch));
  }
  {
    auto database = sqlite::Database::open(path(), {});
    ASSERT_TRUE(database->execute("DELETE FROM entries WHERE idx = 2"));
  }
  EXPECT_EQ(open().error().code, ErrorCode::corrupt);
  {
    auto database = sqlite::Database::open(path(), {});
    ASSERT_TRUE(database->execute("DROP TABLE meta"));
  }
  EXPECT_EQ(open().error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace tripod::etcd::raft
