#include "platform/sqlite/scratch_wal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <format>

#include "platform/sim/disk.h"
#include "platform/sim/random.h"
#include "platform/sqlite/database.h"

namespace tripod::sqlite {
namespace {

Options options_of(const std::shared_ptr<ScratchWal>& scratch) {
  return {.scratch = scratch,
          .synchronous = Synchronous::normal,
          .page_size_bytes = 1024,
          .cache_kib = 64,
          .checkpoint_wal_pages = 0,
          .exclusive = false,
          .incremental_vacuum = true};
}

std::string content(Database& database) {
  std::string all;
  auto rows = database.prepare("SELECT id, value FROM t ORDER BY id");
  CHECK(rows.has_value());
  while (*rows->step()) all += std::format("{}={} ", rows->column_int64(0), rows->column_text(1));
  return all;
}

/// A writer that commits, a checkpointer beside it, now and then a reader that stands in the way.
class Workload {
 public:
  Workload(sim::Disk& disk, std::uint64_t seed) : vfs_(disk.vfs_name()), random_(seed) {
    // A lane's checkpoint does not stop the writer.
    disk.set_observer([this] {
      if (!checkpointing_ || std::exchange(writing_, true)) return;
      if (random_.below(6) == 0) (void)commit();
      writing_ = false;
    });
  }

  /// False once the disk refuses.
  bool open() {
    auto scratch = ScratchWal::open("t.db", vfs_);
    if (!scratch) return false;
    scratch_ = *scratch;
    auto writer = Database::open("t.db", options_of(scratch_));
    if (!writer) return false;
    writer_ = std::make_unique<Database>(std::move(*writer));
    if (!writer_->execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, value)")) {
      return false;
    }
    auto checkpointer = Database::open("t.db", options_of(scratch_));
    if (!checkpointer) return false;
    checkpointer_ = std::make_unique<Database>(std::move(*checkpointer));
    return true;
  }

  bool step() {
    const std::uint64_t what = random_.below(20);
    if (what < 12) return commit();
    if (what < 16) return checkpoint();
    if (what < 18) return begin_reading();
    if (what < 19) {
      reader_.reset();
      return true;
    }
    return writer_->vacuum_some(5).has_value();
  }

  void close() {
    reader_.reset();
    checkpointer_.reset();
    writer_.reset();
    scratch_.reset();
  }

  /// What may be found after a crash: every commit from the last whole checkpoint on.
  std::vector<std::string> acceptable{""};
  std::size_t whole = 0, partial = 0;
  std::string failure;

 private:
  bool commit() {
    auto transaction = Transaction::begin(*writer_);
    if (!transaction) return false;
    for (std::uint64_t i = random_.below(12); i > 0; --i) {
      const std::uint64_t old = random_.below(next_ + 1);
      const std::string sql =
          random_.below(3) != 0 ? std::format("INSERT INTO t VALUES({}, hex(zeroblob({})))",
                                              ++next_, random_.below(200))
          : random_.below(2) != 0
              ? std::format("DELETE FROM t WHERE id <= {}", next_ > 40 ? next_ - 40 : 0)
              : std::format("UPDATE t SET value = 'u{}' WHERE id = {}", random_.below(1000), old);
      if (!writer_->execute(sql)) return false;
    }
    // As of the commit, whether it arrives or not.
    const std::string now = content(*writer_);
    if (!transaction->commit()) return false;
    acceptable.push_back(now);
    return true;
  }

  bool checkpoint() {
    const std::size_t commits = acceptable.size();
    checkpointing_ = true;
    auto counts = checkpointer_->checkpoint(Checkpoint::passive);
    checkpointing_ = false;
    if (!counts) {
      failure = counts.error().to_string();
      return false;
    }
    if (counts->checkpointed_pages < counts->wal_pages) {
      ++partial;
      return true;
    }
    ++whole;
    acceptable.erase(acceptable.begin(),
                     acceptable.begin() + static_cast<std::ptrdiff_t>(commits) - 1);
    return true;
  }

  bool begin_reading() {
    reader_.reset();
    auto reader = Database::open("t.db", options_of(scratch_));
    if (!reader) {
      failure = reader.error().to_string();
      return false;
    }
    reader_ = std::make_unique<Database>(std::move(*reader));
    return reader_->execute("BEGIN; SELECT count(*) FROM t").has_value();
  }

  std::string vfs_;
  sim::Random random_;
  std::uint64_t next_ = 0;
  bool checkpointing_ = false;
  bool writing_ = false;
  std::shared_ptr<ScratchWal> scratch_;
  std::unique_ptr<Database> writer_, checkpointer_, reader_;
};

/// What is found after the power went; nullopt before the table was durable.
std::optional<std::string> found_after_crash(const std::string& vfs) {
  auto scratch = ScratchWal::open("t.db", vfs);
  CHECK(scratch.has_value(), scratch ? "" : scratch.error().to_string());
  auto database = Database::open("t.db", options_of(*scratch));
  CHECK(database.has_value(), database ? "" : database.error().to_string());
  auto good = database->integrity_check();
  EXPECT_TRUE(good) << good.error().to_string();
  if (*database->query_int64("SELECT count(*) FROM sqlite_schema") == 0) return std::nullopt;
  return content(*database);
}

TEST(ScratchWalTest, a_crash_at_any_operation_leaves_a_commit_since_the_last_whole_checkpoint) {
  constexpr int steps = 40;
  std::size_t crashes = 0, whole = 0, partial = 0, restored = 0;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    for (std::uint64_t point = 0;; ++point) {
      sim::Random random(seed * 100'000 + point);
      sim::Disk disk(std::format("scratch-{}-{}", seed, point), random);
      Workload workload(disk, seed);
      disk.trip_after(point);
      bool going = workload.open();
      for (int i = 0; going && i < steps; ++i) going = workload.step();
      const bool tripped = disk.tripped();
      EXPECT_TRUE(going || tripped) << seed << " " << point << ": " << workload.failure;
      disk.cut_power();
      workload.close();
      disk.trip_never();
      disk.crash();
      const auto found = found_after_crash(disk.vfs_name());
      whole += workload.whole;
      partial += workload.partial;
      if (!found) {
        EXPECT_EQ(workload.whole, 0U) << seed << " " << point;
      } else {
        ++restored;
        const auto& good = workload.acceptable;
        EXPECT_TRUE(std::ranges::find(good, *found) != good.end())
            << seed << " " << point << ": " << *found;
      }
      ++crashes;
      if (!tripped) break;
    }
  }
  EXPECT_GT(crashes, 500U);
  EXPECT_GT(restored, crashes / 2);
  EXPECT_GT(whole, crashes);
  EXPECT_GT(partial, crashes / 4);
}

TEST(ScratchWalTest, an_orderly_end_leaves_one_file) {
  sim::Random random(1);
  sim::Disk disk("scratch-end", random);
  Workload workload(disk, 3);
  ASSERT_TRUE(workload.open());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(workload.step());
  workload.close();
  EXPECT_EQ(disk.paths(), std::vector<std::string>{"t.db"});
  EXPECT_EQ(found_after_crash(disk.vfs_name()), workload.acceptable.back());
}

TEST(ScratchWalTest, takes_over_a_wal_of_sqlites_own) {
  sim::Random random(1);
  sim::Disk disk("scratch-old", random);
  auto old = Database::open("t.db", {.vfs = disk.vfs_name(), .checkpoint_wal_pages = 0});
  ASSERT_TRUE(old);
  ASSERT_TRUE(
      old->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, value);"
                   "INSERT INTO t VALUES(1, 'one')"));
  disk.crash();  // the WAL of a synced commit is there
  ASSERT_TRUE(disk.find("t.db-wal"));
  EXPECT_EQ(found_after_crash(disk.vfs_name()), "1=one ");
  EXPECT_FALSE(disk.find("t.db-wal"));
}

TEST(ScratchWalTest, rows_at_the_end_are_written_once) {
  sim::Random random(1);
  sim::Disk disk("scratch-bytes", random);
  auto scratch = ScratchWal::open("t.db", disk.vfs_name());
  ASSERT_TRUE(scratch);
  auto database = Database::open("t.db", options_of(*scratch));
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, value)"));
  ASSERT_TRUE(database->checkpoint(Checkpoint::passive));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(database->execute("INSERT INTO t(value) VALUES(zeroblob(50000))"));
  }
  ASSERT_TRUE(database->checkpoint(Checkpoint::passive));
  EXPECT_GT(disk.find("t.db")->content().size(), 1'000'000U);
  EXPECT_LT(disk.find("t.db-undo")->content().size(), 20'000U);
}

// Over the real file system: SQLite's VFS has a bound on the size of a request there.
TEST(ScratchWalTest, a_checkpoint_of_very_many_pages_is_made_and_undone) {
  std::string folder = "/tmp/tripod_scratch_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/t.db";
  {
    auto scratch = ScratchWal::open(path, "");
    ASSERT_TRUE(scratch);
    Options options = options_of(*scratch);
    options.page_size_bytes = 512;
    options.incremental_vacuum = false;
    auto writer = Database::open(path, options);
    auto checkpointer = Database::open(path, options);
    ASSERT_TRUE(writer && checkpointer);
    ASSERT_TRUE(writer->execute(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, value);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
        " INSERT INTO t SELECT i, zeroblob(400) FROM n"));
    auto counts = checkpointer->checkpoint(Checkpoint::passive);
    ASSERT_TRUE(counts) << counts.error().to_string();
    ASSERT_GT(counts->wal_pages, 40'000);
    ASSERT_TRUE(writer->execute("UPDATE t SET value = randomblob(400)"));
    auto reader = Database::open(path, options);
    ASSERT_TRUE(reader && reader->execute("BEGIN; SELECT count(*) FROM t"));
    ASSERT_TRUE(writer->execute("UPDATE t SET value = randomblob(400) WHERE id = 1"));
    counts = checkpointer->checkpoint(Checkpoint::passive);
    ASSERT_TRUE(counts) << counts.error().to_string();
    ASSERT_LT(counts->checkpointed_pages, counts->wal_pages) << "the reader is in the way";
    ASSERT_GE(counts->checkpointed_pages, 40'000);
    // What a crash would leave now.
    std::filesystem::create_directory(folder + "/crashed");
    for (const char* name : {"/t.db", "/t.db-undo"}) {
      std::filesystem::copy_file(folder + name, folder + "/crashed" + name);
    }
    ASSERT_TRUE(reader->execute("COMMIT"));
    counts = checkpointer->checkpoint(Checkpoint::passive);
    ASSERT_TRUE(counts) << counts.error().to_string();
    EXPECT_EQ(counts->checkpointed_pages, counts->wal_pages);
  }
  {
    const std::string crashed = folder + "/crashed/t.db";
    auto scratch = ScratchWal::open(crashed, "");
    ASSERT_TRUE(scratch);
    Options options = options_of(*scratch);
    options.page_size_bytes = 512;
    auto database = Database::open(crashed, options);
    ASSERT_TRUE(database && database->integrity_check());
    EXPECT_EQ(database->query_int64("SELECT count(*) FROM t WHERE value = zeroblob(400)"), 40'000);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tripod::sqlite
