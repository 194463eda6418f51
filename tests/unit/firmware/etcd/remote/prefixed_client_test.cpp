// The same store under another prefix.

#include "firmware/etcd/remote/prefixed_client.h"

#include <gtest/gtest.h>

#include "tests/unit/firmware/apiserver/memory_etcd.h"
#include "tests/unit/firmware/support/virtual_loop.h"

namespace tripod::etcd {
namespace {

struct Keys final : WatchObserver {
  void on_events(Revision, const std::vector<Event>& events) override {
    for (const Event& event : events) keys.push_back(event.kv.key);
  }
  void on_cancelled(Revision, grpc::Status) override {}
  std::vector<Bytes> keys;
};

Task<void> story(test::MemoryEtcd* store, PrefixedClient* client, bool* done) {
  co_await client->put({.key = "/registry/a", .value = "1"});
  co_await client->put({.key = "compact_rev_key", .value = "2"});
  EXPECT_EQ(store->value_of("/kubernetes.io/a"), "1");
  EXPECT_EQ(store->value_of("compact_rev_key"), "2");
  EXPECT_FALSE(store->value_of("/registry/a").has_value());

  auto listed = co_await client->range({.key = "/registry/", .range_end = "/registry0"});
  EXPECT_EQ(listed->kvs.size(), 1U);
  EXPECT_EQ(listed->kvs.front().key, "/registry/a");

  TxnRequest txn;
  Compare compare;
  compare.target = CompareTarget::version;
  compare.key = "/registry/a";
  compare.number = 1;
  txn.compare.push_back(std::move(compare));
  txn.success.push_back({PutRequest{.key = "/registry/b", .value = "3"}});
  txn.success.push_back({RangeRequest{.key = "/registry/a", .range_end = {}}});
  auto changed = co_await client->txn(std::move(txn));
  EXPECT_TRUE(changed->succeeded);
  EXPECT_EQ(std::get<RangeResponse>(changed->responses[1].response).kvs.front().key, "/registry/a");
  EXPECT_EQ(store->value_of("/kubernetes.io/b"), "3");
  *done = true;
}

TEST(PrefixedClient, renames_keys_both_ways) {
  test::VirtualLoop loop;
  test::MemoryEtcd store(loop);
  PrefixedClient client(store, "/registry/", "/kubernetes.io/");
  Keys seen;
  auto watch = client.watch({.key = "/registry/", .range_end = "/registry0"}, seen);
  bool done = false;
  Scope scope(loop);
  scope.spawn(story(&store, &client, &done));
  ASSERT_TRUE(loop.run_until([&] { return done; }, std::chrono::seconds(5)));
  loop.run_for(std::chrono::seconds(1));
  EXPECT_EQ(seen.keys, (std::vector<Bytes>{"/registry/a", "/registry/b"}));
}

}  // namespace
}  // namespace tripod::etcd
