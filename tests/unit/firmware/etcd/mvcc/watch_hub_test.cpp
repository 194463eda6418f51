#include "firmware/etcd/mvcc/watch_hub.h"

#include "firmware/etcd/api/codec.h"
#include "tests/unit/firmware/etcd/mvcc/fixture.h"

namespace tripod::etcd {
namespace {

/// Writes down what it is told: "put a=1@2(0)".
class Recorder final : public WatchSink {
 public:
  bool ready() const override { return ready_; }
  void on_events(Revision revision, const Events& events) override {
    ++calls;
    if (events.empty()) seen += std::format("progress@{} ", revision);
    for (const SharedEvent& event : events) {
      seen +=
          event->type() == EventType::put
              ? std::format("{}={}@{}", event->key(), event->event().kv.value, event->revision())
              : std::format("-{}@{}", event->key(), event->revision());
      if (event->event().prev_kv) seen += std::format("({})", event->event().prev_kv->value);
      seen += ' ';
    }
  }
  void on_compacted(Revision compact_revision) override {
    seen += std::format("compacted@{} ", compact_revision);
  }
  std::string take() { return std::exchange(seen, {}); }

  bool ready_ = true;
  int calls = 0;
  std::string seen;
};

class WatchHubTest : public StoreTest {
 protected:
  std::unique_ptr<HubWatch> watch(Bytes key, Bytes end = {}, Revision start = 0) {
    return hub().add({.key = key, .range_end = end, .start_revision = start}, sink_);
  }
  WatchHub& hub() { return store_->watches(); }
  /// The end of a turn, and of the work it asked for.
  void settle() {
    hub().flush();
    while (std::exchange(work_wanted_, false)) hub().work();
  }

  Recorder sink_;
};

TEST_F(WatchHubTest, new_events_of_the_range_arrive_in_order) {
  put("a", "0");
  settle();
  auto all = watch("a", "c");
  put("a", "1");
  put("c", "x");
  erase("a");
  put("b", "2");
  settle();
  EXPECT_EQ(sink_.take(), "a=1@3 -a@5 b=2@6 ");
  EXPECT_EQ(sink_.calls, 1);
}

TEST_F(WatchHubTest, a_destroyed_watch_hears_nothing) {
  auto one = watch("a");
  one.reset();
  put("a", "1");
  settle();
  EXPECT_EQ(sink_.take(), "");
  EXPECT_EQ(hub().watch_count(), 0U);
}

TEST_F(WatchHubTest, filters_and_previous_values) {
  put("a", "1");
  settle();
  Recorder deletes;
  auto with_previous = hub().add({.key = "a", .prev_kv = true}, sink_);
  auto no_put = hub().add({.key = "a", .no_put = true}, deletes);
  put("a", "2");
  erase("a");
  put("a", "3");
  settle();
  EXPECT_EQ(sink_.take(), "a=2@3(1) -a@4(2) a=3@5 ");
  EXPECT_EQ(deletes.take(),
            "-a@4(2) ");  // the event is shared, and so is what one of them asked for
}

TEST_F(WatchHubTest, history_comes_first_then_what_is_new) {
  put("a", "1");
  put("b", "1");
  put("a", "2");
  settle();
  auto old = watch("a", "", 2);
  settle();
  put("a", "3");
  settle();
  EXPECT_EQ(sink_.take(), "a=1@2 a=2@4 a=3@5 ");
  EXPECT_TRUE(old->synced());
}

TEST_F(WatchHubTest, history_is_read_from_the_rows_after_a_restart) {
  for (int i = 0; i < 10; ++i) put("a", std::to_string(i));
  erase("a");
  settle();
  reopen();
  auto old = hub().add({.key = "a", .start_revision = 10, .prev_kv = true}, sink_);
  settle();
  EXPECT_EQ(sink_.take(), "a=8@10(7) a=9@11(8) -a@12(9) ");
}

TEST_F(WatchHubTest, a_start_in_the_future_waits_for_it) {
  auto later = watch("a", "", 4);
  put("a", "1");
  put("a", "2");
  settle();
  put("a", "3");
  settle();
  EXPECT_EQ(sink_.take(), "a=3@4 ");
}

TEST_F(WatchHubTest, a_sink_that_is_not_ready_loses_nothing) {
  auto slow = watch("a", "z");
  sink_.ready_ = false;
  for (int i = 0; i < 5; ++i) {
    put("k", std::to_string(i));
    settle();
  }
  EXPECT_EQ(sink_.take(), "");
  EXPECT_EQ(hub().behind_count(), 1U);
  sink_.ready_ = true;
  slow->wake();
  settle();
  EXPECT_EQ(sink_.take(), "k=0@2 k=1@3 k=2@4 k=3@5 k=4@6 ");
  put("k", "5");
  settle();
  EXPECT_EQ(sink_.take(), "k=5@7 ");
}

TEST_F(WatchHubTest, a_revision_is_never_split) {
  TxnRequest txn;
  for (int i = 0; i < 100; ++i)
    txn.success.push_back({PutRequest{.key = std::format("t{:03}", i)}});
  for (int i = 0; i < 60; ++i) must<TxnResponse>(txn);  // 6000 events, more than are kept in memory
  settle();
  class Whole final : public WatchSink {
   public:
    bool ready() const override { return true; }
    void on_events(Revision, const Events& events) override {
      ASSERT_FALSE(events.empty());
      EXPECT_GT(events.front()->revision(), last);
      EXPECT_EQ(events.size() % 100, 0U);
      last = events.back()->revision();
      total += events.size();
    }
    void on_compacted(Revision) override { FAIL(); }
    Revision last = 0;
    std::size_t total = 0;
  } whole;
  auto watch_all = hub().add({.key = "t", .range_end = "u", .start_revision = 2}, whole);
  settle();
  EXPECT_EQ(whole.total, 6000U);
}

TEST_F(WatchHubTest, a_compacted_start_ends_the_watch) {
  for (int i = 0; i < 5; ++i) put("a", std::to_string(i));
  settle();
  compact(4);
  auto old = watch("a", "", 3);
  settle();
  EXPECT_EQ(sink_.take(), "compacted@4 ");
  auto fine = watch("a", "", 4);
  settle();
  EXPECT_EQ(sink_.take(), "a=2@4 a=3@5 a=4@6 ");
}

TEST_F(WatchHubTest, a_delete_at_the_compact_revision_is_still_seen) {
  put("a", "1");
  erase("a");  // 3
  put("b", "1");
  settle();
  compact(3);
  reopen();
  auto from = hub().add({.key = "a", .start_revision = 3}, sink_);
  settle();
  EXPECT_EQ(sink_.take(), "-a@3 ");
}

TEST_F(WatchHubTest, progress_is_told_only_after_everything_before_it) {
  for (int i = 0; i < 3; ++i) put("a", std::to_string(i));
  settle();
  auto old = watch("a", "", 3);
  old->request_progress();
  old->request_progress();
  settle();
  EXPECT_EQ(sink_.take(), "a=1@3 a=2@4 progress@4 ");
  sink_.ready_ = false;
  put("b", "x");
  put("a", "3");
  old->request_progress();
  settle();
  EXPECT_EQ(sink_.take(), "");
  sink_.ready_ = true;
  old->wake();
  settle();
  EXPECT_EQ(sink_.take(), "a=3@6 progress@6 ");
}

TEST_F(WatchHubTest, a_watch_of_the_future_has_no_progress_until_it_starts) {
  put("a", "1");
  settle();
  auto later = watch("a", "", 5);
  later->request_progress();
  put("a", "2");
  put("a", "3");
  settle();
  EXPECT_EQ(sink_.take(), "progress@4 ");
  later->request_progress();
  put("a", "4");
  settle();
  EXPECT_EQ(sink_.take(), "a=4@5 progress@5 ");
}

TEST_F(WatchHubTest, progress_of_a_watch_of_the_future_waits) {
  auto later = watch("a", "", 5);
  later->request_progress();
  put("b", "1");
  settle();
  EXPECT_EQ(sink_.take(), "");
}

TEST_F(WatchHubTest, events_are_encoded_once_for_all) {
  put("a", "1");
  settle();
  class Keeper final : public WatchSink {
   public:
    bool ready() const override { return true; }
    void on_events(Revision, const Events& events) override { kept = events; }
    void on_compacted(Revision) override {}
    Events kept;
  } first, second;
  auto one = hub().add({.key = "a", .prev_kv = true}, first);
  auto two = hub().add({.key = "a", .range_end = "b", .prev_kv = true}, second);
  put("a", "2");
  settle();
  ASSERT_EQ(first.kept.size(), 1U);
  EXPECT_EQ(first.kept[0]->encoded(true), second.kept[0]->encoded(true));
  auto event = decode<Event>(*first.kept[0]->encoded(true));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->prev_kv->value, "1");
  EXPECT_FALSE(decode<Event>(*first.kept[0]->encoded(false))->prev_kv);
}

}  // namespace
}  // namespace tripod::etcd
