// Calls to a remote cluster: which endpoint, what is repeated, what goes up.

#include "tests/unit/firmware/etcd/remote/fake_etcd.h"

namespace tripod::etcd::test {
namespace {

using Calls = std::vector<std::string>;
using grpc::Status;
using grpc::StatusCode;

TEST_F(RemoteTest, one_endpoint_serves_every_call) {
  EXPECT_EQ(range()->header.revision, 10);
  EXPECT_EQ(put()->header.revision, 11);
  EXPECT_EQ(one.calls, (Calls{"KV/Range", "KV/Put"}));
  EXPECT_EQ(one.leaders_required, one.calls);
  EXPECT_TRUE(two.calls.empty());
}

TEST_F(RemoteTest, a_serializable_read_needs_no_leader) {
  RangeRequest request;
  request.key = "k";
  request.serializable = true;
  EXPECT_TRUE(finish(client->range(std::move(request))).has_value());
  EXPECT_TRUE(one.leaders_required.empty());
}

TEST_F(RemoteTest, read_revision_is_the_header_of_a_linearizable_count) {
  EXPECT_EQ(finish(client->read_revision()), 10);
  ASSERT_TRUE(one.last_range.has_value());
  EXPECT_EQ(one.last_range->key, "/registry");
  EXPECT_TRUE(one.last_range->count_only);
  EXPECT_FALSE(one.last_range->serializable);
}

TEST_F(RemoteTest, a_call_that_cannot_connect_goes_elsewhere) {
  one.stop();
  EXPECT_TRUE(put().has_value());
  EXPECT_TRUE(range().has_value());
  EXPECT_EQ(two.calls, (Calls{"KV/Put", "KV/Range"}));
}

TEST_F(RemoteTest, a_read_that_lost_its_connection_is_repeated) {
  one.hangs = true;
  std::optional<Reply<RangeResponse>> reply;
  Scope scope(executor);
  scope.spawn(http::test::keep(client->range({.key = "k", .range_end = {}}), &reply));
  executor.run();
  ASSERT_EQ(one.calls, Calls{"KV/Range"});
  one.stop();
  clock.advance(1s);
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->has_value());
  EXPECT_EQ(two.calls, Calls{"KV/Range"});
}

TEST_F(RemoteTest, a_write_that_may_have_happened_is_not_repeated) {
  one.hangs = true;
  std::optional<Reply<PutResponse>> reply;
  Scope scope(executor);
  scope.spawn(http::test::keep(client->put({.key = "k", .value = "v"}), &reply));
  executor.run();
  ASSERT_EQ(one.calls, Calls{"KV/Put"});
  one.stop();
  clock.advance(20s);
  ASSERT_TRUE(reply.has_value());
  ASSERT_FALSE(reply->has_value());
  EXPECT_EQ(reply->error().code, StatusCode::unavailable);
  EXPECT_TRUE(two.calls.empty());
  EXPECT_TRUE(put().has_value());  // the next one knows better
  EXPECT_EQ(two.calls, Calls{"KV/Put"});
}

TEST_F(RemoteTest, a_write_that_is_not_answered_in_time_is_not_repeated) {
  one.hangs = true;
  EXPECT_EQ(put().error().code, StatusCode::deadline_exceeded);
  EXPECT_TRUE(two.calls.empty());
}

TEST_F(RemoteTest, a_frozen_endpoint_loses_its_calls_soon) {
  EXPECT_TRUE(put().has_value());
  one.freeze();
  std::optional<Reply<PutResponse>> written;
  std::optional<Reply<RangeResponse>> read;
  Scope scope(executor);
  scope.spawn(http::test::keep(client->put({.key = "k", .value = "v"}), &written));
  scope.spawn(http::test::keep(client->range({.key = "k", .range_end = {}}), &read));
  clock.advance(3s);
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->error().code, StatusCode::unavailable);
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->has_value());
  EXPECT_EQ(two.calls, Calls{"KV/Range"});  // and not the write
}

TEST_F(RemoteTest, a_write_turned_away_without_a_leader_is_repeated) {
  one.failure = outcome::no_leader.status();
  EXPECT_TRUE(put().has_value());
  EXPECT_EQ(one.calls, Calls{"KV/Put"});
  EXPECT_EQ(two.calls, Calls{"KV/Put"});
}

TEST_F(RemoteTest, a_write_that_timed_out_in_etcd_is_not_repeated) {
  one.failure = outcome::timeout.status();
  EXPECT_EQ(put().error(), outcome::timeout.status());
  EXPECT_TRUE(two.calls.empty());
}

TEST_F(RemoteTest, an_endpoint_that_hangs_is_left_and_avoided) {
  one.hangs = true;
  const MonotonicTime begin = clock.now();
  EXPECT_TRUE(finish(client->read_revision()).has_value());
  EXPECT_LE(clock.now() - begin, 1500ms);
  EXPECT_TRUE(range().has_value());
  clock.advance(1min);
  EXPECT_TRUE(put().has_value());  // no way back while the second one serves
  EXPECT_EQ(one.calls, Calls{"KV/Range"});
  EXPECT_EQ(two.calls, (Calls{"KV/Range", "KV/Range", "KV/Put"}));
}

TEST_F(RemoteTest, an_endpoint_that_comes_back_serves_again) {
  one.stop();
  EXPECT_TRUE(put().has_value());
  one.start();
  two.stop();
  EXPECT_TRUE(put().has_value());
  EXPECT_EQ(one.calls, Calls{"KV/Put"});
}

TEST_F(RemoteTest, what_etcd_decides_goes_up_at_once) {
  one.failure = outcome::compacted.status();
  EXPECT_EQ(range().error(), outcome::compacted.status());
  one.failure = outcome::no_space.status();
  EXPECT_EQ(put().error(), outcome::no_space.status());
  EXPECT_TRUE(two.calls.empty());
}

TEST_F(RemoteTest, without_any_endpoint_a_call_ends_in_time) {
  one.stop();
  two.stop();
  const MonotonicTime begin = clock.now();
  EXPECT_EQ(put().error().code, StatusCode::unavailable);
  EXPECT_EQ(range().error().code, StatusCode::unavailable);
  EXPECT_LE(clock.now() - begin, 21s);
}

TEST_F(RemoteTest, an_election_is_waited_for) {
  one.failure = two.failure = outcome::no_leader.status();
  std::optional<Reply<PutResponse>> reply;
  Scope scope(executor);
  scope.spawn(http::test::keep(client->put({.key = "k", .value = "v"}), &reply));
  clock.advance(2s);
  EXPECT_FALSE(reply.has_value());
  one.failure = two.failure = std::nullopt;
  clock.advance(1s);
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->has_value());
}

TEST_F(RemoteTest, a_lease_is_renewed_on_a_stream) {
  EXPECT_EQ(finish(client->lease_keep_alive({.id = 7}))->ttl, 45);
  EXPECT_EQ(finish(client->lease_keep_alive({.id = 7}))->id, 7);
  one.stop();
  two.ttl = 0;
  EXPECT_EQ(finish(client->lease_keep_alive({.id = 7}))->ttl, 0);
  EXPECT_EQ(two.calls, Calls{"Lease/LeaseKeepAlive"});
}

}  // namespace
}  // namespace tripod::etcd::test
