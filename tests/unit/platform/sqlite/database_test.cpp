#include "platform/sqlite/database.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <format>
#include <fstream>

namespace tripod::sqlite {
namespace {

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/tripod_sqlite_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/test.db"; }

  std::string folder_;
};

TEST_F(DatabaseTest, values_survive_reopening) {
  Bytes blob("\0\xff\0x", 4);
  {
    auto database = Database::open(path(), {});
    ASSERT_TRUE(database) << database.error().to_string();
    ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB, s TEXT)"));
    auto insert = database->prepare("INSERT INTO t VALUES(?, ?, ?)");
    ASSERT_TRUE(insert);
    insert->bind(1, std::int64_t{7});
    insert->bind_blob(2, blob);
    insert->bind_text(3, "grüezi");
    ASSERT_TRUE(insert->run());
    insert->bind(1, INT64_MIN);
    insert->bind_blob(2, {});
    insert->bind_null(3);
    ASSERT_TRUE(insert->run());
    EXPECT_EQ(database->changes(), 1);
  }
  auto database = Database::open(path(), {.create = false});
  ASSERT_TRUE(database);
  auto select = database->prepare("SELECT id, b, s FROM t ORDER BY id DESC");
  ASSERT_TRUE(select);
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->column_int64(0), 7);
  EXPECT_EQ(select->column_blob(1), blob);
  EXPECT_EQ(select->column_text(2), "grüezi");
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->column_int64(0), INT64_MIN);
  EXPECT_FALSE(select->column_is_null(1));
  EXPECT_TRUE(select->column_blob(1).empty());
  EXPECT_TRUE(select->column_is_null(2));
  EXPECT_FALSE(*select->step());
}

TEST_F(DatabaseTest, a_large_transaction_writes_each_page_once_where_it_may_hold_them) {
  for (const int transaction_kib : {0, 2048}) {
    const std::string file = std::format("{}/{}.db", folder_, transaction_kib);
    auto database = Database::open(
        file, {.page_size_bytes = 1024, .cache_kib = 64, .transaction_kib = transaction_kib});
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)"));
    const auto before = std::filesystem::file_size(file + "-wal");
    auto transaction = Transaction::begin(*database);
    ASSERT_TRUE(transaction);
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(database->execute("INSERT INTO t(b) VALUES(zeroblob(1000))"));
    }
    const bool early = std::filesystem::file_size(file + "-wal") > before;
    EXPECT_EQ(early, transaction_kib == 0);
    ASSERT_TRUE(transaction->commit());
    EXPECT_EQ(*database->query_int64("SELECT count(*) FROM t"), 1000);
  }
}

TEST_F(DatabaseTest, a_transaction_that_is_not_committed_leaves_nothing) {
  auto database = Database::open(path(), {});
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY)"));
  {
    auto transaction = Transaction::begin(*database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database->execute("INSERT INTO t VALUES(1)"));
    EXPECT_TRUE(database->in_transaction());
  }
  EXPECT_FALSE(database->in_transaction());
  EXPECT_EQ(database->query_int64("SELECT count(*) FROM t").value(), 0);
  {
    auto transaction = Transaction::begin(*database);
    ASSERT_TRUE(database->execute("INSERT INTO t VALUES(1)"));
    ASSERT_TRUE(transaction->commit());
  }
  EXPECT_EQ(database->query_int64("SELECT count(*) FROM t").value(), 1);
}

TEST_F(DatabaseTest, a_file_that_is_no_database_is_corrupt_and_named) {
  std::ofstream(path()) << std::string(8192, 'x');
  auto database = Database::open(path(), {});
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, ErrorCode::corrupt);
  EXPECT_NE(database.error().message.find(path()), std::string::npos);
}

TEST_F(DatabaseTest, a_damaged_page_is_found) {
  {
    auto database = Database::open(path(), {.page_size_bytes = 1024});
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)"));
    ASSERT_TRUE(database->execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200)"
        "INSERT INTO t SELECT i, randomblob(100) FROM n"));
    ASSERT_TRUE(database->integrity_check());
    ASSERT_TRUE(database->checkpoint(Checkpoint::truncate));
  }
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1024);
    file << std::string(1024, '\x5a');
  }
  auto database = Database::open(path(), {});
  Result<> found;
  if (!database) {
    found = std::unexpected(database.error());
  } else {
    found = database->integrity_check();
  }
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::corrupt);
}

TEST_F(DatabaseTest, an_exclusive_database_refuses_a_second_connection) {
  auto first = Database::open(path(), {});
  ASSERT_TRUE(first);
  auto second = Database::open(path(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
}

TEST_F(DatabaseTest, a_missing_file_is_not_found_unless_created) {
  auto database = Database::open(path(), {.create = false});
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, ErrorCode::not_found);
}

TEST_F(DatabaseTest, a_duplicate_key_is_a_conflict_and_a_bad_statement_invalid) {
  auto database = Database::open(path(), {});
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY)"));
  ASSERT_TRUE(database->execute("INSERT INTO t VALUES(1)"));
  EXPECT_EQ(database->execute("INSERT INTO t VALUES(1)").error().code, ErrorCode::conflict);
  EXPECT_EQ(database->prepare("SELECT nonsense FROM t").error().code, ErrorCode::invalid);
}

TEST_F(DatabaseTest, a_value_above_the_limit_is_too_large) {
  auto database = Database::open(path(), {});
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("CREATE TABLE t(b BLOB)"));
  auto too_large = database->execute(
      std::format("INSERT INTO t VALUES(zeroblob({}))", Database::limits.value_bytes_max + 1));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, ErrorCode::too_large);
}

TEST_F(DatabaseTest, a_checkpoint_empties_the_wal_and_vacuum_gives_pages_back) {
  auto database = Database::open(path(), {.incremental_vacuum = true});
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("CREATE TABLE t(b BLOB)"));
  ASSERT_TRUE(database->execute("INSERT INTO t VALUES(zeroblob(400000))"));
  auto full_bytes = database->size_bytes();
  ASSERT_TRUE(full_bytes);
  ASSERT_TRUE(database->execute("DELETE FROM t"));
  EXPECT_GT(database->free_bytes().value(), 300000);
  ASSERT_TRUE(database->vacuum_some(1000));
  EXPECT_LT(database->size_bytes().value(), *full_bytes - 300000);
  auto counts = database->checkpoint(Checkpoint::truncate);
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->wal_pages, counts->checkpointed_pages);
  EXPECT_EQ(std::filesystem::file_size(path() + "-wal"), 0U);
}

}  // namespace
}  // namespace tripod::sqlite
