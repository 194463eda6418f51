#include "firmware/etcd/mvcc/state_db/state_snapshot.h"

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
    auto reader = SnapshotReader::open(directory_ / "state.db", store_->db().scratch());
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

/// What is received, checked and put in the place of an older state, with the power going before
/// the n-th operation of the disk.
class AdoptionTest : public StateSnapshotTest {
 protected:
  static SnapshotFacts facts() {
    return {.cluster = 7, .index = 30, .term = 1, .members_index = 0, .voters = {}, .learners = {}};
  }

  /// The stream of a state of 30 entries.
  Bytes make_source() {
    store_->members().begin({{.id = 3, .name = "three", .peer_urls = {}, .client_urls = {}}}, {}, 0,
                            store_->db());
    store_->db().set_number("cluster_id", 7);
    store_->db().set_number("member_id", 1);
    for (int i = 0; i < 30; ++i) put("k", Bytes(3000, 'n') + std::to_string(i));
    store_->commit();
    SnapshotReader source = reader();
    EXPECT_EQ(source.facts().index, 30U);
    EXPECT_EQ(source.facts().voters, std::vector<MemberId>{3});
    return stream(source);
  }
  static void make_old(const std::string& vfs) {
    auto old = Store::open("state.db", vfs, 2, [] {});
    ASSERT_TRUE(old);
    (*old)->db().set_number("applied_index", 4);
    ASSERT_TRUE((*old)->db().make_durable());
  }
  static Result<> receive(sim::SimStorage& storage, const Bytes& whole,
                          const SnapshotFacts& wanted) {
    auto writer = SnapshotWriter::create(storage, "received.db");
    if (!writer) return std::unexpected(writer.error());
    const std::size_t size = whole.size() - Sha256::digest_bytes;
    if (auto done = writer->append(BytesView(whole).substr(0, size)); !done) return done;
    if (auto done = writer->finish(BytesView(whole).substr(size)); !done) return done;
    if (auto done = adopt_snapshot(storage, "received.db", wanted, 2); !done) return done;
    return put_in_place(storage, "received.db", "state.db");
  }
};

TEST_F(AdoptionTest, the_power_may_go_at_any_point) {
  const Bytes whole = make_source();
  std::size_t old_ones = 0;
  std::size_t new_ones = 0;
  for (std::uint64_t point = 0; new_ones == 0 || point < 5; ++point) {
    ASSERT_LT(point, 1000U);
    sim::Random random(point);
    sim::Disk disk(std::format("adoption-{}", point), random);
    sim::SimStorage storage(disk);
    make_old(disk.vfs_name());
    disk.trip_after(point);
    const bool done = receive(storage, whole, facts()).has_value();
    EXPECT_NE(done, disk.tripped());
    disk.trip_never();
    disk.crash();
    auto found = Store::open("state.db", disk.vfs_name(), 2, [] {});
    ASSERT_TRUE(found) << point << ": " << found.error().to_string();
    const auto installed = installed_snapshot((*found)->db());
    if (done || installed) {
      ++new_ones;
      ASSERT_TRUE(installed) << point;
      EXPECT_EQ(installed->index, 30U);
      EXPECT_EQ((*found)->applied_index(), 30U);
      EXPECT_EQ((*found)->db().number("member_id"), 2);
      EXPECT_EQ((*found)->space().revision(), 31);
    } else {
      ++old_ones;
      EXPECT_EQ((*found)->applied_index(), 4U) << point;
    }
  }
  EXPECT_GT(old_ones, 10U);
}

TEST_F(AdoptionTest, what_is_not_what_its_sender_said_is_refused) {
  const Bytes whole = make_source();
  for (int which = 0; which < 3; ++which) {
    SnapshotFacts wrong = facts();
    if (which == 0) wrong.cluster = 8;
    if (which == 1) wrong.index = 31;
    if (which == 2) wrong.term = 2;
    auto received = receive(storage_, whole, wrong);
    ASSERT_FALSE(received);
    EXPECT_EQ(received.error(), ErrorCode::corrupt);
  }
  EXPECT_FALSE(disk_.find("state.db"));
}

TEST_F(StateSnapshotTest, a_store_goes_on_with_another_file_and_its_watches_with_it) {
  class Sink final : public WatchSink {
   public:
    bool ready() const override { return true; }
    void on_events(Revision, const Events& events) override {
      for (const SharedEvent& event : events) revisions.push_back(event->revision());
    }
    void on_compacted(Revision revision) override { compacted = revision; }
    std::vector<Revision> revisions;
    Revision compacted = 0;
  };
  put("a", "1");
  Sink sink;
  auto watch = store_->watches().add({.key = "a", .range_end = "z"}, sink);
  put("b", "2");
  store_->watches().flush();
  must<LeaseGrantResponse>(LeaseGrantRequest{.ttl = 10, .id = 5});
  store_->commit();
  ASSERT_TRUE(store_->db().make_durable());
  // The other file is ahead: this state, and more.
  std::filesystem::copy_file(directory_ / "state.db", directory_ / "ahead.db");
  {
    auto ahead = Store::open(directory_ / "ahead.db", "", 2, [] {});
    ASSERT_TRUE(ahead);
    store_.swap(*ahead);
    for (const char* key : {"c", "d", "zz"}) put(key, "3");
    must<LeaseRevokeResponse>(LeaseRevokeRequest{.id = 5});
    store_->commit();
    ASSERT_TRUE(store_->db().make_durable());
    store_.swap(*ahead);
  }
  store_->close();
  ASSERT_TRUE(store_->reopen(directory_ / "ahead.db", ""));
  EXPECT_EQ(store_->leases().size(), 0U);
  EXPECT_EQ(store_->applied_index(), index_);
  while (std::exchange(work_wanted_, false)) store_->watches().work();
  EXPECT_EQ(sink.revisions, (std::vector<Revision>{3, 4, 5}));
  put("e", "4");
  store_->watches().flush();
  EXPECT_EQ(sink.revisions.back(), 7);
  watch.reset();
}

}  // namespace
}  // namespace tripod::etcd
