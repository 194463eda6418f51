#include "firmware/etcd/mvcc/state_db/state_db.h"

#include <fstream>

#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

class StateDbTest : public StoreTest {
 protected:
  std::int64_t file_bytes() {
    auto other = sqlite::Database::open(
        directory_ / "state.db",
        {.scratch = store_->db().scratch(), .exclusive = false, .create = false});
    CHECK(other.has_value());
    CHECK(other->checkpoint(sqlite::Checkpoint::truncate).has_value());
    return static_cast<std::int64_t>(std::filesystem::file_size(directory_ / "state.db"));
  }
  /// Writes a lot under few keys, and compacts all but the last of it.
  void write_and_compact(int count) {
    for (int i = 0; i < count; ++i) put(std::format("k{}", i % 10), Bytes(1000, 'v'));
    compact(space().revision());
    store_->commit();
  }
};

TEST_F(StateDbTest, cycles_of_writes_and_compactions_do_not_grow_the_file) {
  write_and_compact(300);
  const std::int64_t once = file_bytes();
  for (int cycle = 0; cycle < 6; ++cycle) write_and_compact(300);
  EXPECT_LT(file_bytes(), once + once / 4);
}

TEST_F(StateDbTest, a_format_of_a_later_release_is_refused_and_stays_as_it_is) {
  put("k", "v");
  store_->commit();
  store_.reset();
  const std::string path = directory_ / "state.db";
  {
    auto other = sqlite::Database::open(path, {.create = false});
    ASSERT_TRUE(other);
    EXPECT_EQ(*other->query_int64("PRAGMA user_version"), 1);
    ASSERT_TRUE(other->execute("PRAGMA user_version = 2"));
    ASSERT_TRUE(other->checkpoint(sqlite::Checkpoint::truncate));
  }
  auto refused = Store::open(path, "", 2, [] {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), ErrorCode::invalid);
  EXPECT_EQ(refused.error().message, path + ": format 2 is unknown, this release writes format 1");
  {
    auto other = sqlite::Database::open(path, {.create = false});
    EXPECT_EQ(*other->query_int64("PRAGMA user_version"), 2);
    EXPECT_EQ(*other->query_int64("SELECT count(*) FROM kv"), 1);
    ASSERT_TRUE(other->execute("PRAGMA user_version = 0"));  // before formats were counted
  }
  open();
  EXPECT_EQ(list("k"), "k=v #1");
}

TEST_F(StateDbTest, vacuum_gives_free_pages_back) {
  write_and_compact(500);
  const std::int64_t before = file_bytes();
  ASSERT_GT(store_->db().free_bytes(), before / 2);
  store_->db().vacuum(16);
  EXPECT_EQ(store_->db().size_bytes(), before - 16 * store_->db().page_bytes());
  while (store_->db().free_bytes() > 0) store_->db().vacuum(100);
  store_->commit();
  EXPECT_LT(file_bytes(), before / 10);
  const std::string all = list("k", "l");
  reopen();
  EXPECT_EQ(list("k", "l"), all);
}

TEST_F(StateDbTest, a_damaged_file_is_refused_with_the_way_out) {
  for (int i = 0; i < 500; ++i) put(std::format("k{}", i), Bytes(500, 'v'));
  store_->commit();
  file_bytes();
  store_.reset();
  {
    std::fstream file(directory_ / "state.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20 * 4096);
    file << std::string(4096, '\x5A');
  }
  auto damaged = Store::open(directory_ / "state.db", "", 2, [] {});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error(), ErrorCode::corrupt);
  EXPECT_NE(damaged.error().message.find("is damaged"), std::string::npos)
      << damaged.error().message;
  std::filesystem::remove_all(directory_);
  std::filesystem::create_directories(directory_);
  open();
}

TEST_F(StateDbTest, the_check_is_bounded) {
  for (int i = 0; i < 2000; ++i) put(std::format("k{}", i), "v");
  store_->commit();
  auto partly = store_->db().check(1);
  ASSERT_TRUE(partly) << partly.error().to_string();
  EXPECT_FALSE(*partly);
  EXPECT_TRUE(*store_->db().check(10'000'000));
}

TEST_F(StateDbTest, a_downgrade_is_remembered_until_it_is_taken_back) {
  must<DowngradeResponse>(DowngradeRequest{.action = DowngradeAction::enable, .version = "3.5.0"});
  reopen();
  EXPECT_TRUE(store_->downgrade().enabled);
  EXPECT_EQ(store_->downgrade().target_version, "3.5.0");
  must<DowngradeResponse>(DowngradeRequest{.action = DowngradeAction::cancel});
  EXPECT_FALSE(store_->downgrade().enabled);
  reopen();
  EXPECT_FALSE(store_->downgrade().enabled);
}

}  // namespace
}  // namespace tripod::etcd
