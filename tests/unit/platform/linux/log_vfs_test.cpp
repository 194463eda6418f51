#include "platform/linux/log_vfs.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "platform/linux/sector_file.h"
#include "platform/sqlite/database.h"

namespace tripod::linux_os {
namespace {

constexpr std::uint64_t reserved = 128 * 1024;

class LogVfsTest : public testing::Test {
 protected:
  void SetUp() override {
    // Not under /tmp, which may be a file system in memory, without sectors.
    std::string name = std::filesystem::current_path() / "log_vfs_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }

  /// Null where this file system has no direct I/O.
  std::unique_ptr<SectorFile> open() {
    auto file = SectorFile::open(path("log"), reserved);
    return file ? std::move(*file) : nullptr;
  }
  Bytes content_of(const std::string& file) const {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string folder_;
};

Bytes random_bytes(std::mt19937& random, std::size_t size) {
  Bytes bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

Bytes read_of(SectorFile& file, std::uint64_t offset, std::size_t size) {
  Bytes out(size, '\0');
  auto there = file.read(offset, out);
  EXPECT_TRUE(there);
  out.resize(there.value_or(0));
  return out;
}

TEST_F(LogVfsTest, records_of_any_size_are_there_after_each_sync) {
  auto file = open();
  if (!file) GTEST_SKIP() << "no direct I/O here";
  std::mt19937 random(7);
  for (int round = 0; round < 3; ++round) {
    Bytes model;
    while (model.size() < 150'000) {
      const bool large = random() % 20 == 0;
      const Bytes record = random_bytes(random, 1 + random() % (large ? 150'000 : 3000));
      ASSERT_TRUE(file->write(model.size(), record));
      model += record;
      if (random() % 4 ==
          0) {  // as SQLite does when it mends checksums: behind the last sync or not
        const std::size_t at = random() % model.size();
        const Bytes patch = random_bytes(random, std::min<std::size_t>(24, model.size() - at));
        ASSERT_TRUE(file->write(at, patch));
        model.replace(at, patch.size(), patch);
      }
      if (random() % 3 == 0) {
        const std::size_t at = random() % model.size();
        const std::size_t size = std::min<std::size_t>(random() % 5000, model.size() - at);
        ASSERT_EQ(read_of(*file, at, size), model.substr(at, size));
      }
      if (random() % 2 == 0) continue;
      ASSERT_TRUE(file->sync());
      ASSERT_EQ(content_of(path("log")).substr(0, model.size()), model);
    }
    if (round == 1) file = open();  // another life goes on where the last one was
    if (round == 1) {
      const Bytes record = random_bytes(random, 1000);
      ASSERT_TRUE(file->write(model.size(), record));
      ASSERT_TRUE(file->sync());
      ASSERT_EQ(content_of(path("log")).substr(0, model.size() + 1000), model + record);
    }
  }
}

TEST_F(LogVfsTest, an_emptied_file_keeps_its_blocks_and_has_no_head) {
  auto file = open();
  if (!file) GTEST_SKIP() << "no direct I/O here";
  EXPECT_EQ(*file->size(), reserved);
  ASSERT_TRUE(file->write(0, Bytes(3 * reserved, 'x')));
  ASSERT_TRUE(file->sync());
  EXPECT_EQ(*file->size(), 3 * reserved);
  ASSERT_TRUE(file->truncate(reserved));
  ASSERT_TRUE(file->sync());
  EXPECT_EQ(*file->size(), reserved);
  ASSERT_TRUE(file->truncate(0));
  ASSERT_TRUE(file->sync());
  EXPECT_EQ(std::filesystem::file_size(path("log")), reserved);
  EXPECT_EQ(content_of(path("log")).substr(0, 32), Bytes(32, '\0'));
}

TEST_F(LogVfsTest, what_grew_beyond_the_reserved_blocks_is_cut_to_them) {
  auto file = open();
  if (!file) GTEST_SKIP() << "no direct I/O here";
  const Bytes content(reserved + 5000, 'x');
  ASSERT_TRUE(file->write(0, content));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(file->truncate(reserved / 2 + 100));
  ASSERT_TRUE(file->sync());
  EXPECT_EQ(*file->size(), reserved);
  EXPECT_EQ(content_of(path("log")).substr(0, reserved / 2), content.substr(0, reserved / 2));
}

TEST_F(LogVfsTest, a_file_with_fewer_blocks_gets_the_rest_and_keeps_its_content) {
  const Bytes content(5000, 'x');
  std::ofstream(path("log"), std::ios::binary) << content;
  auto file = open();
  if (!file) GTEST_SKIP() << "no direct I/O here";
  EXPECT_EQ(std::filesystem::file_size(path("log")), reserved);
  const Bytes there = content_of(path("log"));
  EXPECT_EQ(there.substr(0, content.size()), content);
  EXPECT_EQ(there.substr(content.size()), Bytes(reserved - content.size(), '\0'));
}

TEST_F(LogVfsTest, a_lone_record_costs_its_sectors_not_a_page) {
  auto file = open();
  if (!file || file->sector_bytes() > 512) GTEST_SKIP() << "no small sectors here";
  auto written = [] {
    std::ifstream io("/proc/self/io");
    for (std::string name; io >> name;) {
      std::uint64_t value = 0;
      io >> value;
      if (name == "write_bytes:") return value;
    }
    return std::uint64_t{0};
  };
  const std::uint64_t before = written();
  for (std::uint64_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(file->write(i * 1048, Bytes(1048, 'x')));
    ASSERT_TRUE(file->sync());
  }
  const std::uint64_t each = (written() - before) / 40;
  EXPECT_GE(each, 1048);
  EXPECT_LE(each, 1048 + 2 * 512);
}

TEST_F(LogVfsTest, every_commit_is_seen_by_who_opens_a_copy_of_the_files) {
  const LogVfs vfs;
  auto database = sqlite::Database::open(
      path("a.db"), {.page_size_bytes = 1024, .checkpoint_wal_pages = 40, .log = true});
  ASSERT_TRUE(database) << database.error().to_string();
  ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)"));
  for (int i = 1; i <= 130; ++i) {
    ASSERT_TRUE(database->execute(
        std::format("INSERT INTO t VALUES({}, randomblob({}))", i, i % 30 == 0 ? 90'000 : 300)));
    if (i % 7 == 0) {
      ASSERT_TRUE(database->execute(std::format("DELETE FROM t WHERE id <= {}", i - 20)));
    }
    if (i % 13 != 0) continue;
    // What a process that was killed leaves, read by SQLite's own VFS.
    for (std::string_view end : {"", "-wal"}) {
      std::filesystem::copy_file(path("a.db") + std::string(end), path("b.db") + std::string(end),
                                 std::filesystem::copy_options::overwrite_existing);
    }
    auto copy = sqlite::Database::open(path("b.db"), {.create = false});
    ASSERT_TRUE(copy);
    EXPECT_EQ(*copy->query_int64("SELECT max(id) FROM t"), i);
    EXPECT_TRUE(copy->integrity_check());
  }
}

TEST_F(LogVfsTest, a_closed_log_is_empty_and_keeps_its_blocks) {
  const LogVfs vfs;
  const sqlite::Options options{.log = true};
  for (int life = 1; life <= 3; ++life) {
    auto database = sqlite::Database::open(path("a.db"), options);
    ASSERT_TRUE(database) << database.error().to_string();
    ASSERT_TRUE(database->execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY)"));
    ASSERT_TRUE(database->execute("INSERT INTO t DEFAULT VALUES"));
    EXPECT_EQ(*database->query_int64("SELECT count(*) FROM t"), life);
  }
  if (!open()) GTEST_SKIP() << "no direct I/O here";
  EXPECT_EQ(std::filesystem::file_size(path("a.db-wal")), LogVfs::reserved_bytes);
  EXPECT_EQ(content_of(path("a.db-wal")).substr(0, 32), Bytes(32, '\0'));
}

}  // namespace
}  // namespace tripod::linux_os
