#include "firmware/etcd/mvcc/state_snapshot.h"

#include "platform/sim/board.h"
#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

class StateSnapshotTest : public StoreTest {
 protected:
  /// Streams the state as it was committed last into a file on a simulated disk, in small pieces.
  Bytes stream(SnapshotReader& reader) {
    Bytes whole;
    for (;;) {
      auto piece = reader.read(10'000);
      CHECK(piece.has_value());
      if (piece->empty()) break;
      EXPECT_LE(piece->size(), 10'000U);
      whole += *piece;
    }
    return whole;
  }
  SnapshotReader reader() {
    auto reader = SnapshotReader::open(directory_ / "state.db", "");
    CHECK(reader.has_value(), reader ? "" : reader.error().to_string());
    return std::move(*reader);
  }

  sim::Random random_{1};
  sim::Disk disk_{"snapshot-test", random_};
  sim::SimStorage storage_{disk_};
};

TEST_F(StateSnapshotTest, shows_one_commit_while_writers_go_on) {
  for (int i = 0; i < 100; ++i) put(std::format("k{:02}", i), Bytes(500, 'v'));
  store_->commit();
  SnapshotReader source = reader();
  const std::string before = list("k", "l");
  for (int i = 0; i < 100; ++i) put(std::format("k{:02}", i), "changed");
  erase("k50");
  store_->commit();
  const Bytes whole = stream(source);
  EXPECT_EQ(whole.size(), source.size_bytes());
  EXPECT_EQ(whole.size() % 512, 32U) << "what etcdctl takes for a snapshot with a digest";

  auto writer = SnapshotWriter::create(storage_, "copy.db");
  ASSERT_TRUE(writer);
  const BytesView pages = BytesView(whole).substr(0, whole.size() - Sha256::digest_bytes);
  ASSERT_TRUE(writer->append(pages.substr(0, 5000)));
  ASSERT_TRUE(writer->append(pages.substr(5000)));
  ASSERT_TRUE(writer->finish(BytesView(whole).substr(pages.size())));
  disk_.crash();
  auto copy = Store::open("copy.db", disk_.vfs_name(), 2, [] {});
  ASSERT_TRUE(copy) << copy.error().to_string();
  store_.swap(*copy);
  EXPECT_EQ(list("k", "l"), before);
  EXPECT_EQ(store_->applied_index(), 100U);
  store_.swap(*copy);
}

TEST_F(StateSnapshotTest, what_was_changed_on_the_way_is_refused) {
  put("a", "1");
  store_->commit();
  SnapshotReader source = reader();
  Bytes whole = stream(source);
  whole[100] = static_cast<char>(whole[100] ^ 1);
  auto writer = SnapshotWriter::create(storage_, "copy.db");
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->append(BytesView(whole).substr(0, whole.size() - 32)));
  auto finished = writer->finish(BytesView(whole).substr(whole.size() - 32));
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error(), ErrorCode::corrupt);
}

}  // namespace
}  // namespace tripod::etcd
