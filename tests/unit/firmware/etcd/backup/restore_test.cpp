#include "firmware/etcd/backup/restore.h"

#include <filesystem>
#include <fstream>

#include "firmware/etcd/backup/snapshot_file.h"
#include "firmware/etcd/mvcc/state_db/state_snapshot.h"
#include "firmware/etcd/raft/log_store/log_store.h"
#include "firmware/etcd/server/membership/bootstrap.h"
#include "platform/linux/file_reader.h"
#include "platform/linux/file_storage.h"
#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd::backup {
namespace {

class RestoreTest : public StoreTest {
 protected:
  RestoreTest() {
    options_.snapshot = directory_ / "snap.db";
    options_.data_dir = directory_ / "restored";
    options_.name = "b";
    options_.initial_cluster = "a=http://10.0.0.1:2380,b=http://10.0.0.2:2380";
  }
  /// What `snapshot save` would write.
  void save() {
    store_->commit();
    auto reader = SnapshotReader::open(directory_ / "state.db", store_->db().scratch());
    ASSERT_TRUE(reader);
    std::ofstream file(options_.snapshot, std::ios::binary);
    for (;;) {
      auto piece = reader->read(5000);
      ASSERT_TRUE(piece);
      if (piece->empty()) break;
      file << *piece;
    }
  }
  /// Opens what was restored in place of the store.
  void open_restored() {
    auto store = Store::open(options_.data_dir + "/state.db", "", 2, [] {});
    ASSERT_TRUE(store) << store.error().to_string();
    store_ = std::move(*store);
    index_ = store_->applied_index();
  }
  std::string refusal() {
    auto report = restore_snapshot(files_, options_);
    return report ? "" : report.error().message;
  }

  linux_os::FileStorage storage_;
  Files files_{storage_, linux_os::open_file};
  RestoreOptions options_;
};

TEST_F(RestoreTest, keeps_the_data_and_forgets_the_cluster) {
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 100, .id = 7});
  put("a", "1");
  put("b", "2", 7);
  apply(AuthCommand{.request = AuthRoleAddRequest{.name = "reader"}});
  must<AlarmResponse>(
      AlarmRequest{.action = AlarmAction::activate, .member_id = 5, .alarm = AlarmType::no_space});
  save();
  auto report = restore_snapshot(files_, options_);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->revision, space().revision());
  EXPECT_EQ(report->members, 2U);
  open_restored();
  EXPECT_EQ(list("a", "z"), "a=1 b=2 #2");
  EXPECT_EQ(store_->applied_index(), 0U);
  EXPECT_TRUE(store_->alarms().list().empty());
  EXPECT_TRUE(store_->db().blob("auth/role/reader"));
  EXPECT_TRUE(store_->db().blob(std::format("member/{:016x}", report->member)));
  ASSERT_NE(store_->leases().find(7), nullptr);
  EXPECT_TRUE(store_->leases().find(7)->keys.contains("b"));
  EXPECT_EQ(static_cast<MemberId>(*store_->db().number("member_id")), report->member);
  EXPECT_EQ(static_cast<ClusterId>(*store_->db().number("cluster_id")), report->cluster);
  EXPECT_EQ(put("c", "3"), report->revision + 1);
  auto log = raft::LogStore::open(options_.data_dir + "/raft.db", "",
                                  {.cluster = report->cluster, .member = {report->member}}, {});
  ASSERT_TRUE(log) << log.error().to_string();
  EXPECT_TRUE(log->recovered().founded);
  EXPECT_EQ(log->recovered().conf_state.voters.size(), 2U);
}

TEST_F(RestoreTest, members_of_the_new_cluster_get_the_same_state) {
  put("a", "1");
  save();
  auto second = restore_snapshot(files_, options_);
  options_.name = "a";
  options_.data_dir = directory_ / "other";
  auto first = restore_snapshot(files_, options_);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->cluster, second->cluster);
  EXPECT_NE(first->member, second->member);
}

TEST_F(RestoreTest, the_revision_can_be_moved_ahead) {
  for (int i = 0; i < 5; ++i) put("a", std::to_string(i));
  put("b", "1");
  save();
  const Revision before = space().revision();
  options_.bump_revision = 1'000'000;
  EXPECT_NE(refusal().find("--mark-compacted"), std::string::npos);
  options_.mark_compacted = true;
  auto report = restore_snapshot(files_, options_);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->revision, before + 1'000'000);
  open_restored();
  EXPECT_EQ(space().revision(), before + 1'000'000);
  EXPECT_EQ(space().compact_revision(), before + 1'000'000);
  EXPECT_EQ(list("a", "z"), "a=4 b=1 #2");
  EXPECT_EQ(list("a", "z", before), outcome::compacted.text);
  while (!space().compact_some(10)) continue;
  EXPECT_EQ(list("a", "z"), "a=4 b=1 #2");
  EXPECT_EQ(put("a", "5"), before + 1'000'001);
}

TEST_F(RestoreTest, what_is_not_whole_is_refused) {
  put("a", Bytes(20'000, 'x'));
  save();
  {
    std::fstream file(options_.snapshot, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(9000);
    file << "changed";
  }
  EXPECT_NE(refusal().find("expected sha256"), std::string::npos);
  EXPECT_FALSE(storage_.exists(options_.data_dir + "/state.db"));
  EXPECT_FALSE(snapshot_status(files_, options_.snapshot));
  std::filesystem::resize_file(options_.snapshot,
                               std::filesystem::file_size(options_.snapshot) - 32);
  EXPECT_NE(refusal().find("snapshot missing hash"), std::string::npos);
  {
    std::ofstream file(options_.snapshot, std::ios::binary);
    file << Bytes(4096 + 32, 'b');
  }
  EXPECT_NE(refusal().find("not begin as a SQLite database"), std::string::npos);
}

TEST_F(RestoreTest, a_directory_in_use_is_refused) {
  put("a", "1");
  save();
  std::filesystem::create_directories(options_.data_dir);
  ASSERT_TRUE(restore_snapshot(files_, options_)) << "an empty one is fine";
  EXPECT_NE(refusal().find("not empty or could not be read"), std::string::npos);
}

TEST_F(RestoreTest, a_cluster_without_this_member_is_refused) {
  put("a", "1");
  save();
  options_.name = "c";
  EXPECT_NE(refusal().find("does not name this member"), std::string::npos);
  options_.name = "b";
  options_.initial_advertise_peer_urls = {"http://10.0.0.9:2380"};
  EXPECT_NE(refusal().find("initial-advertise-peer-urls"), std::string::npos);
}

TEST_F(RestoreTest, the_status_tells_what_is_in_the_file) {
  put("a", "1");
  put("a", "2");
  put("b", "1");
  save();
  auto status = snapshot_status(files_, options_.snapshot);
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_EQ(status->revision, 4);
  EXPECT_EQ(status->total_keys, 3);
  EXPECT_EQ(status->total_size,
            static_cast<std::int64_t>(std::filesystem::file_size(options_.snapshot)));
  const std::uint32_t before = status->hash;
  EXPECT_EQ(storage_.list(directory_)->size(), 4U) << "reading leaves nothing beside the file";
  apply(AlarmRequest{.action = AlarmAction::get});
  save();
  EXPECT_EQ(snapshot_status(files_, options_.snapshot)->hash, before);
  put("b", "2");
  save();
  EXPECT_NE(snapshot_status(files_, options_.snapshot)->hash, before);
}

}  // namespace
}  // namespace tripod::etcd::backup
