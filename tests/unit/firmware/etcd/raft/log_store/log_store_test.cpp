#include "firmware/etcd/raft/log_store/log_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "platform/linux/log_vfs.h"
#include "platform/linux/sector_file.h"
#include "platform/sqlite/database.h"

namespace tripod::etcd::raft {
namespace {

class LogStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = new_folder("/tmp");
    ASSERT_FALSE(folder_.empty());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static std::string new_folder(const std::string& below) {
    std::string name = below + "/tripod_raft_XXXXXX";
    return mkdtemp(name.data()) != nullptr ? name : "";
  }
  std::string path() const { return folder_ + "/raft.db"; }
  Result<LogStore> open() { return LogStore::open(path(), "", {0xc1, {0xa1}}, small); }
  std::size_t wal_bytes() const { return std::filesystem::file_size(path() + "-wal"); }
  std::int64_t number_in_file(const char* sql) const {
    auto database = sqlite::Database::open(path(), {});
    return *database->query_int64(sql);
  }
  std::int64_t tables_of_entries() const {
    return number_in_file("SELECT count(*) FROM sqlite_schema WHERE name GLOB 'entries*'");
  }
  /// As the release before segments left it, with entries 1 to `last`.
  void make_file_of_format_1(std::uint64_t last) const {
    {
      auto store = LogStore::open(path(), "", {0xc1, {0xa1}}, {.segment_bytes = 64 * mib});
      ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
      ASSERT_TRUE(store->append(batch_of(1, last, 1)));
    }
    auto database = sqlite::Database::open(path(), {});
    ASSERT_TRUE(database->execute("UPDATE meta SET value = 1 WHERE name = 'format'"));
  }

  static Entry entry(std::uint64_t index, std::uint64_t term, std::string data) {
    return {{index}, {term}, EntryType::normal, share(std::move(data))};
  }

  /// Entries `first` to `last`, of data that says which it is.
  static PersistBatch batch_of(std::uint64_t first, std::uint64_t last, std::uint64_t term) {
    PersistBatch batch;
    batch.hard_state = HardState{{term}, {0xa1}, {}};
    for (std::uint64_t i = first; i <= last; ++i) {
      batch.entries.push_back(
          entry(i, term, std::format("{}:{}", term, i) + std::string(100, '.')));
    }
    return batch;
  }
  static void expect_log(LogStore& store, std::uint64_t first, std::uint64_t last) {
    auto entries = store.read({1}, {1'000'000}, 64 * mib);
    ASSERT_TRUE(entries) << entries.error().to_string();
    ASSERT_EQ(entries->size(), last + 1 - first);
    for (std::uint64_t i = 0; i < entries->size(); ++i) {
      const Entry& found = (*entries)[i];
      EXPECT_EQ(found.index, LogIndex{first + i});
      EXPECT_TRUE(found.view().starts_with(std::format("{}:{}.", found.term.value, first + i)));
    }
  }

  static constexpr std::size_t mib = std::size_t{1024} * 1024;
  static constexpr LogStoreOptions small{.segment_bytes = 4096, .wal_pages = 300};
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

TEST_F(LogStoreTest, segments_are_used_again_when_what_they_held_is_compacted) {
  constexpr std::uint64_t kept = 50;
  constexpr std::uint64_t written = 2000;
  {
    auto store = open();
    ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
    for (std::uint64_t i = 1; i <= written; i += 10) {
      PersistBatch batch = batch_of(i, i + 9, 1);
      if (i > kept) batch.compact = LogIndex{i - kept};
      ASSERT_TRUE(store->append(batch));
      expect_log(*store, i > kept ? i - kept + 1 : 1, i + 9);
    }
  }
  EXPECT_LT(tables_of_entries(), 6) << "about 27 entries fill one";
  auto store = open();
  ASSERT_TRUE(store) << store.error().to_string();
  EXPECT_EQ(store->recovered().last, LogIndex{written});
  expect_log(*store, written - 9 - kept + 1, written);
}

TEST_F(LogStoreTest, a_conflict_cuts_off_whole_segments_and_a_part_of_one) {
  {
    auto store = open();
    ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
    ASSERT_TRUE(store->append(batch_of(1, 300, 1)));
    ASSERT_TRUE(store->append(batch_of(101, 110, 2)));
    expect_log(*store, 1, 110);
    EXPECT_EQ(store->read({101}, {101}, 1)->at(0).term, Term{2});
    ASSERT_TRUE(store->append(batch_of(1, 90, 3)));
    ASSERT_TRUE(store->append(batch_of(91, 400, 3)));
  }
  auto store = open();
  ASSERT_TRUE(store) << store.error().to_string();
  EXPECT_EQ(store->recovered().term_runs, (std::vector<TermRun>{{{1}, {3}}}));
  expect_log(*store, 1, 400);
}

TEST_F(LogStoreTest, a_log_that_is_compacted_to_its_end_goes_on) {
  for (const std::uint64_t last : {std::uint64_t{3}, std::uint64_t{300}}) {
    SCOPED_TRACE(last);
    {
      auto store = open();
      if (!store->recovered().founded) ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
      PersistBatch batch = batch_of(store->recovered().last.value + 1, last, 1);
      batch.compact = LogIndex{last};
      ASSERT_TRUE(store->append(batch));
      EXPECT_TRUE(store->read({1}, {last}, mib)->empty());
    }
    auto store = open();
    ASSERT_TRUE(store) << store.error().to_string();
    EXPECT_EQ(store->recovered().base, (LogPosition{{last}, {1}}));
    EXPECT_EQ(store->recovered().last, LogIndex{last});
    EXPECT_TRUE(store->recovered().term_runs.empty());
    EXPECT_TRUE(store->read({1}, {last}, mib)->empty());
  }
  auto store = open();
  ASSERT_TRUE(store->append(batch_of(301, 310, 1)));
  expect_log(*store, 301, 310);
}

TEST_F(LogStoreTest, a_segment_is_given_back_without_writing_it) {
  constexpr std::size_t large = 512 * std::size_t{1024};
  auto store = LogStore::open(path(), "", {0xc1, {0xa1}}, {.segment_bytes = large});
  ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
  ASSERT_TRUE(store->append(batch_of(1, 4000, 1)));
  ASSERT_TRUE(store->append(batch_of(4001, 4010, 1)));
  const std::size_t before = wal_bytes();
  ASSERT_GT(before, large);
  PersistBatch batch;
  batch.compact = LogIndex{4005};
  ASSERT_TRUE(store->append(batch));
  EXPECT_GT(*store->free_bytes(), std::int64_t{large} * 3 / 4);
  EXPECT_LT(wal_bytes() - before, large / 20);
}

/// What the WAL grows to is what its VFS reserves, or each round would allocate blocks under sync.
TEST_F(LogStoreTest, with_its_usual_sizes_the_wal_stays_in_what_is_reserved_for_it) {
  // Not under /tmp, which may be a file system in memory, without sectors.
  std::filesystem::remove_all(std::exchange(folder_, new_folder(std::filesystem::current_path())));
  ASSERT_FALSE(folder_.empty());
  const bool room =
      std::filesystem::space(folder_).available > 5 * linux_os::LogVfs::reserved_bytes;
  if (!room || !linux_os::SectorFile::open(folder_ + "/probe", 0)) {
    GTEST_SKIP() << "little room, or no direct I/O here";
  }
  const std::string file = path();
  const linux_os::LogVfs vfs;
  auto store = LogStore::open(file, "", {0xc1, {0xa1}}, LogStoreOptions());
  ASSERT_TRUE(store) << store.error().to_string();
  ASSERT_EQ(std::filesystem::file_size(file + "-wal"), linux_os::LogVfs::reserved_bytes);
  ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
  std::uint64_t largest = 0;
  std::uint64_t written = 0;
  for (std::uint64_t index = 1; written < 3 * linux_os::LogVfs::reserved_bytes; index += 2) {
    PersistBatch batch;  // as much as a transaction holds
    for (std::uint64_t i = index; i < index + 2; ++i) {
      batch.entries.push_back(entry(i, 1, std::string(19 * mib / 10, 'e')));
      written += batch.entries.back().view().size();
    }
    if (index > 8) batch.compact = LogIndex{index - 8};
    ASSERT_TRUE(store->append(batch));
    largest = std::max(largest, std::filesystem::file_size(file + "-wal"));
  }
  EXPECT_EQ(largest, linux_os::LogVfs::reserved_bytes);
}

TEST_F(LogStoreTest, a_file_of_format_1_is_taken_over) {
  make_file_of_format_1(500);
  {
    auto store = open();
    ASSERT_TRUE(store) << store.error().to_string();
    EXPECT_EQ(store->format_found(), 1);
    EXPECT_EQ(store->format(), 2);
    expect_log(*store, 1, 500);
    ASSERT_TRUE(store->append(batch_of(501, 510, 1)));
    expect_log(*store, 1, 510);
  }
  EXPECT_EQ(tables_of_entries(), 2);
  EXPECT_EQ(number_in_file("SELECT value FROM meta WHERE name = 'format'"), 2);
}

TEST_F(LogStoreTest, a_new_file_is_of_format_1_where_the_release_before_may_have_to_read_it) {
  constexpr LogStoreOptions keeping{.segment_bytes = 4096, .wal_pages = 300, .keep_format = true};
  {
    auto store = LogStore::open(path(), "", {0xc1, {0xa1}}, keeping);
    ASSERT_TRUE(store) << store.error().to_string();
    ASSERT_TRUE(store->found({{}, {{0xa1}}, {}}));
    ASSERT_TRUE(store->append(batch_of(1, 200, 1)));
  }
  EXPECT_EQ(number_in_file("SELECT value FROM meta WHERE name = 'format'"), 1);
  EXPECT_EQ(tables_of_entries(), 1);
  auto store = open();
  ASSERT_TRUE(store) << store.error().to_string();
  EXPECT_EQ(store->format(), 2);
  expect_log(*store, 1, 200);
}

TEST_F(LogStoreTest, a_file_of_format_1_stays_one_while_it_may_have_to) {
  make_file_of_format_1(500);
  constexpr LogStoreOptions keeping{.segment_bytes = 4096, .wal_pages = 300, .keep_format = true};
  auto open_keeping = [&] { return LogStore::open(path(), "", {0xc1, {0xa1}}, keeping); };
  // What the release before demands: this number, one table, and in it exactly the entries behind
  // the base.
  auto expect_format_1 = [&](std::int64_t first, std::int64_t last) {
    EXPECT_EQ(number_in_file("SELECT value FROM meta WHERE name = 'format'"), 1);
    EXPECT_EQ(tables_of_entries(), 1);
    EXPECT_EQ(number_in_file("SELECT value FROM meta WHERE name = 'base_index'"), first - 1);
    EXPECT_EQ(number_in_file("SELECT coalesce(min(idx), 0) FROM entries"),
              last < first ? 0 : first);
    EXPECT_EQ(number_in_file("SELECT count(*) FROM entries"), last - first + 1);
  };
  {
    auto store = open_keeping();
    ASSERT_TRUE(store) << store.error().to_string();
    EXPECT_EQ(store->format(), 1);
    PersistBatch batch = batch_of(501, 600, 2);
    batch.compact = LogIndex{550};
    ASSERT_TRUE(store->append(batch));
    expect_log(*store, 551, 600);
    ASSERT_TRUE(store->append(batch_of(581, 590, 3))) << "a conflict";
    expect_log(*store, 551, 590);
  }
  expect_format_1(551, 590);
  {
    auto store = open_keeping();
    ASSERT_TRUE(store) << store.error().to_string();
    PersistBatch all;
    all.compact = LogIndex{590};
    ASSERT_TRUE(store->append(all));
    expect_log(*store, 591, 590);
    ASSERT_TRUE(store->append(batch_of(591, 600, 3)));
    PersistBatch reset = batch_of(701, 710, 3);
    reset.reset = LogPosition{{700}, {3}};
    ASSERT_TRUE(store->append(reset));
    expect_log(*store, 701, 710);
  }
  expect_format_1(701, 710);
  auto store = open();
  ASSERT_TRUE(store) << "kept";
  EXPECT_EQ(store->format(), 2);
  expect_log(*store, 701, 710);
}

TEST_F(LogStoreTest, the_data_of_another_member_or_cluster_are_refused) {
  {
    ASSERT_TRUE(open()->found({{}, {{0xa1}}, {}}));
  }
  auto other_member = LogStore::open(path(), "", {0xc1, {0xa2}}, small);
  ASSERT_FALSE(other_member);
  EXPECT_EQ(other_member.error().code, ErrorCode::invalid);
  EXPECT_NE(other_member.error().message.find(path()), std::string::npos);
  EXPECT_NE(other_member.error().message.find("belong to member a1, this is member a2"),
            std::string::npos);
  auto name = [](NodeId id) { return id.value == 0xa1 ? "one" : ""; };
  auto named = LogStore::open(path(), "", {0xc1, {0xa2}, name}, small);
  ASSERT_FALSE(named);
  EXPECT_NE(named.error().message.find("belong to member a1 (one), this is member a2"),
            std::string::npos);
  auto other_cluster = LogStore::open(path(), "", {0xc2, {0xa1}}, small);
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
    ASSERT_TRUE(database->execute("UPDATE meta SET value = 3 WHERE name = 'format'"));
    ASSERT_TRUE(database->checkpoint(sqlite::Checkpoint::truncate));
  }
  const std::string before = content();
  auto refused = open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid);
  EXPECT_EQ(refused.error().message,
            path() + ": format 3 is unknown, this release writes format 2");
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
