#include "platform/sim/disk.h"

#include <gtest/gtest.h>

#include "platform/sqlite/database.h"

namespace tripod::sim {
namespace {

sqlite::Options on(const Disk& disk) {
  return {.vfs = disk.vfs_name(), .page_size_bytes = 1024};
}

std::int64_t rows(sqlite::Database& database) {
  return database.query_int64("SELECT count(*) FROM t").value_or(-1);
}

TEST(Disk, keeps_what_was_synced_and_loses_some_of_the_rest) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    Disk disk("disk", random);
    auto file = disk.create("f");
    file->write(0, "synced");
    file->sync();
    file->write(6, " and not");
    disk.crash();
    Bytes left(disk.find("f")->content());
    EXPECT_TRUE(left.starts_with("synced"));
    lost += left == "synced";
  }
  EXPECT_GT(lost, 5);
  EXPECT_LT(lost, 50);
}

TEST(Disk, every_commit_that_returned_survives_a_crash_at_any_operation) {
  // The power goes at each operation in turn; what SQLite said is committed must be there, and
  // nothing broken.
  for (std::uint64_t operation = 0; operation < 140; ++operation) {
    Random random(operation);
    Disk disk("disk", random);
    std::int64_t committed = 0;
    {
      auto database = sqlite::Database::open("db", on(disk));
      ASSERT_TRUE(database) << database.error().to_string();
      ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)"));
      disk.trip_after(operation);
      for (int i = 0; i < 20; ++i) {
        if (!database->execute("INSERT INTO t VALUES(NULL, randomblob(700))")) break;
        ++committed;
        if (i == 10 && !database->checkpoint(sqlite::Checkpoint::truncate)) break;
      }
      disk.cut_power();
    }
    disk.crash();
    auto database = sqlite::Database::open("db", on(disk));
    ASSERT_TRUE(database) << database.error().to_string();
    ASSERT_TRUE(database->integrity_check()) << "operation " << operation;
    std::int64_t found = rows(*database);
    EXPECT_GE(found, committed) << "operation " << operation;
    EXPECT_LE(found, committed + 1);
  }
}

TEST(Disk, without_sync_a_crash_loses_commits) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    Disk disk("disk", random);
    {
      sqlite::Options options = on(disk);
      options.synchronous = sqlite::Synchronous::normal;
      auto database = sqlite::Database::open("db", options);
      ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY)"));
      ASSERT_TRUE(database->checkpoint(sqlite::Checkpoint::truncate));
      for (int i = 0; i < 10; ++i) ASSERT_TRUE(database->execute("INSERT INTO t VALUES(NULL)"));
      disk.cut_power();
    }
    disk.crash();
    auto database = sqlite::Database::open("db", on(disk));
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->integrity_check());
    lost += rows(*database) < 10;
  }
  EXPECT_GT(lost, 5);
}

TEST(Disk, a_full_disk_and_a_failed_operation_are_reported) {
  Random random(1);
  Disk disk("disk", random);
  auto database = sqlite::Database::open("db", on(disk));
  ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)"));
  disk.set_capacity(disk.used_bytes() + 1000);
  auto full = database->execute("INSERT INTO t VALUES(NULL, randomblob(5000))");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::no_space);
  disk.set_capacity(UINT64_MAX);
  ASSERT_TRUE(database->execute("INSERT INTO t VALUES(NULL, randomblob(5000))"));
  disk.fail_after(0, DiskError::io);
  auto failed = database->execute("INSERT INTO t VALUES(NULL, randomblob(5000))");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::io);
  EXPECT_EQ(rows(*database), 1);
}

TEST(Disk, two_connections_share_a_database) {
  Random random(1);
  Disk disk("disk", random);
  sqlite::Options options = on(disk);
  options.exclusive = false;
  auto writer = sqlite::Database::open("db", options);
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->execute("CREATE TABLE t(id INTEGER PRIMARY KEY)"));
  auto reader = sqlite::Database::open("db", options);
  ASSERT_TRUE(reader) << reader.error().to_string();
  ASSERT_TRUE(reader->execute("BEGIN"));
  EXPECT_EQ(rows(*reader), 0);
  ASSERT_TRUE(writer->execute("INSERT INTO t VALUES(1)"));
  EXPECT_EQ(rows(*reader), 0) << "a snapshot";
  ASSERT_TRUE(reader->execute("COMMIT"));
  EXPECT_EQ(rows(*reader), 1);
  auto third = sqlite::Database::open("db", on(disk));
  EXPECT_FALSE(third) << "exclusive";
}

}  // namespace
}  // namespace tripod::sim
