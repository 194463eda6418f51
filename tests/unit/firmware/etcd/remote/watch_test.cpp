// Watches on a remote cluster: one stream, no event lost, none told twice.

#include "tests/unit/firmware/etcd/remote/fake_etcd.h"

namespace tripod::etcd::test {
namespace {

using Revisions = std::vector<Revision>;

/// What one watch was told.
struct Told final : WatchObserver {
  void on_events(Revision revision, const std::vector<Event>& events) override {
    if (events.empty()) return progress.push_back(revision);
    for (const Event& event : events) revisions.push_back(event.kv.mod_revision);
    EXPECT_EQ(revision, events.back().kv.mod_revision);
  }
  void on_cancelled(Revision compact_revision, grpc::Status status) override {
    EXPECT_FALSE(cancelled.has_value());
    cancelled = compact_revision;
    why = std::move(status);
  }

  Revisions revisions;
  Revisions progress;
  std::optional<Revision> cancelled;
  grpc::Status why;
};

Event event_at(Revision revision) {
  return {.type = EventType::put, .kv = {.key = "k", .mod_revision = revision}, .prev_kv = {}};
}

WatchResponse events(std::int64_t id, Revisions revisions, bool fragment = false) {
  WatchResponse response{.watch_id = id};
  response.header.revision = 1000;  // the store is ahead of what this watch was told
  response.fragment = fragment;
  for (const Revision revision : revisions) response.events.push_back(event_at(revision));
  return response;
}

WatchResponse progress(Revision revision, std::int64_t id = -1) {
  WatchResponse response{.watch_id = id};
  response.header.revision = revision;
  return response;
}

class RemoteWatchTest : public RemoteTest {
 protected:
  std::unique_ptr<Watch> watch(Told& told, Revision start) {
    WatchCreateRequest request;
    request.key = "k";
    request.start_revision = start;
    auto made = client->watch(std::move(request), told);
    executor.run();
    return made;
  }
  void say(FakeEtcd& etcd, const WatchResponse& response) {
    etcd.stream().say(response);
    executor.run();
  }
};

TEST_F(RemoteWatchTest, watches_share_a_stream_that_requires_a_leader) {
  Told a;
  Told b;
  auto first = watch(a, 5);
  auto second = watch(b, 8);
  ASSERT_EQ(one.streams(), 1U);
  EXPECT_TRUE(one.stream().required_leader);
  const auto made = one.stream().creations();
  ASSERT_EQ(made.size(), 2U);
  EXPECT_TRUE(made[0].fragment);
  say(one, events(made[1].watch_id, {8, 9}));
  say(one, events(made[0].watch_id, {5}));
  EXPECT_EQ(a.revisions, Revisions{5});
  EXPECT_EQ(b.revisions, (Revisions{8, 9}));
}

TEST_F(RemoteWatchTest, a_lost_stream_resumes_after_the_last_event_told) {
  Told a;
  Told b;
  Told c;
  auto first = watch(a, 5);
  auto second = watch(b, 8);
  auto third = watch(c, 0);  // from now on
  const auto made = one.stream().creations();
  say(one, events(made[0].watch_id, {5, 6, 6}));
  say(one, progress(10, made[1].watch_id));
  one.stop();
  clock.advance(1s);
  ASSERT_EQ(two.streams(), 1U);
  const auto again = two.stream().creations();
  ASSERT_EQ(again.size(), 3U);
  EXPECT_EQ(again[0].start_revision, 7);
  EXPECT_EQ(again[1].start_revision, 11);
  EXPECT_EQ(again[2].start_revision, 11);       // the store was at 10 when it began
  say(two, events(again[0].watch_id, {6, 7}));  // a server that repeats itself
  EXPECT_EQ(a.revisions, (Revisions{5, 6, 6, 7}));
  EXPECT_FALSE(a.cancelled.has_value());
}

TEST_F(RemoteWatchTest, half_a_revision_is_not_told) {
  Told told;
  auto kept = watch(told, 5);
  const auto id = one.stream().creations().front().watch_id;
  say(one, events(id, {5, 6, 6}, true));
  EXPECT_EQ(told.revisions, Revisions{5});
  say(one, events(id, {6, 7}, true));
  EXPECT_EQ(told.revisions, (Revisions{5, 6, 6, 6}));
  one.stop();  // with half of 7
  clock.advance(1s);
  EXPECT_EQ(two.stream().creations().front().start_revision, 7);
  say(two, events(two.stream().creations().front().watch_id, {7, 7}));
  EXPECT_EQ(told.revisions, (Revisions{5, 6, 6, 6, 7, 7}));
}

TEST_F(RemoteWatchTest, compaction_ends_a_watch_and_says_so) {
  Told told;
  auto kept = watch(told, 5);
  WatchResponse response{.watch_id = one.stream().creations().front().watch_id, .canceled = true};
  response.compact_revision = 9;
  say(one, response);
  EXPECT_EQ(told.cancelled, 9);
  EXPECT_EQ(told.why, outcome::compacted.status());
  one.stop();
  clock.advance(1s);
  EXPECT_EQ(two.streams(), 0U);  // nobody wants one
}

TEST_F(RemoteWatchTest, a_refusal_reaches_the_watch_that_was_refused) {
  one.acknowledges = false;
  Told a;
  Told b;
  auto first = watch(a, 5);
  auto second = watch(b, 5);
  const auto made = one.stream().creations();
  say(one, {.watch_id = made[0].watch_id, .created = true});
  WatchResponse refusal{.watch_id = -1, .created = true, .canceled = true};
  refusal.cancel_reason = "etcdserver: permission denied";
  say(one, refusal);
  EXPECT_FALSE(a.cancelled.has_value());
  EXPECT_EQ(b.cancelled, 0);
  EXPECT_EQ(b.why.message, "etcdserver: permission denied");
}

TEST_F(RemoteWatchTest, progress_covers_the_watches_that_were_there_when_it_was_asked_for) {
  Told a;
  Told b;
  auto first = watch(a, 5);
  first->request_progress();
  executor.run();
  ASSERT_EQ(one.stream().count<WatchProgressRequest>(), 1U);
  auto second = watch(b, 5);  // behind: what it is to be told has not come
  say(one, progress(12));
  EXPECT_EQ(a.progress, Revisions{12});
  EXPECT_TRUE(b.progress.empty());
  second->request_progress();
  clock.advance(10ms);
  EXPECT_EQ(one.stream().count<WatchProgressRequest>(), 2U);
  say(one, progress(12));
  EXPECT_EQ(b.progress, Revisions{12});
}

TEST_F(RemoteWatchTest, a_watch_from_the_future_has_seen_everything_before) {
  Told a;
  Told b;
  auto first = watch(a, 5);
  first->request_progress();
  auto second = watch(b, 13);
  say(one, progress(12));
  EXPECT_EQ(b.progress, Revisions{12});
}

TEST_F(RemoteWatchTest, progress_is_asked_for_until_it_comes) {
  Told told;
  auto kept = watch(told, 5);
  kept->request_progress();
  kept->request_progress();
  executor.run();
  EXPECT_EQ(one.stream().count<WatchProgressRequest>(), 1U);
  clock.advance(250ms);
  EXPECT_EQ(one.stream().count<WatchProgressRequest>(), 3U);
  say(one, progress(12));
  clock.advance(1s);
  EXPECT_EQ(told.progress, Revisions{12});
  EXPECT_EQ(one.stream().count<WatchProgressRequest>(), 3U);
}

TEST_F(RemoteWatchTest, a_quiet_watch_learns_from_time_to_time_how_far_the_store_is) {
  Told told;
  auto kept = watch(told, 5);
  clock.advance(62s);
  EXPECT_GE(one.stream().count<WatchProgressRequest>(), 1U);
  say(one, progress(300));
  one.stop();
  clock.advance(1s);
  EXPECT_EQ(two.stream().creations().front().start_revision, 301);
}

TEST_F(RemoteWatchTest, a_destroyed_watch_is_cancelled_and_hears_no_more) {
  Told a;
  Told b;
  auto first = watch(a, 5);
  auto second = watch(b, 5);
  const auto id = one.stream().creations().front().watch_id;
  first.reset();
  say(one, events(id, {6}));
  EXPECT_TRUE(a.revisions.empty());
  EXPECT_EQ(one.stream().count<WatchCancelRequest>(), 1U);
}

TEST_F(RemoteWatchTest, a_hanging_endpoint_loses_its_watches_to_one_that_answers) {
  Told told;
  auto kept = watch(told, 5);
  say(one, events(one.stream().creations().front().watch_id, {5}));
  one.hangs = true;
  EXPECT_TRUE(finish(client->read_revision()).has_value());
  clock.advance(2s);
  ASSERT_EQ(two.streams(), 1U);
  EXPECT_EQ(two.stream().creations().front().start_revision, 6);
  EXPECT_FALSE(one.stream().open);
}

TEST_F(RemoteWatchTest, a_frozen_endpoint_loses_its_watches) {
  Told told;
  auto kept = watch(told, 5);
  one.freeze();
  EXPECT_TRUE(finish(client->read_revision()).has_value());
  clock.advance(3s);
  ASSERT_EQ(two.streams(), 1U);
  EXPECT_EQ(two.stream().creations().front().start_revision, 5);
}

TEST_F(RemoteWatchTest, a_watch_that_is_not_acknowledged_is_made_elsewhere) {
  one.acknowledges = false;
  Told told;
  auto kept = watch(told, 5);
  clock.advance(8s);
  ASSERT_EQ(two.streams(), 1U);
  EXPECT_EQ(two.stream().creations().front().start_revision, 5);
}

TEST_F(RemoteWatchTest, a_member_without_a_leader_is_left) {
  one.failure = outcome::no_leader.status();
  Told told;
  auto kept = watch(told, 5);
  clock.advance(1s);
  ASSERT_EQ(two.streams(), 1U);
  say(two, events(two.stream().creations().front().watch_id, {5}));
  EXPECT_EQ(told.revisions, Revisions{5});
}

}  // namespace
}  // namespace tripod::etcd::test
