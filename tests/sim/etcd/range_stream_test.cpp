// KV.RangeStream of a whole member, through its client port: the pieces put together are what Range
// says.
#include <gtest/gtest.h>

#include <format>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/stream_messages.h"
#include "firmware/etcd/rpc/client_port.h"
#include "platform/grpc/channel.h"
#include "platform/http/in_process.h"
#include "tests/sim/etcd/cluster.h"

namespace tripod::etcd {
namespace {

class RangeStreamTest : public testing::Test {
 protected:
  RangeStreamTest() {
    cluster_.leader();
    for (int hundred = 0; hundred < 300; hundred += 100) {
      TxnRequest txn;
      for (int i = hundred; i < hundred + 100; ++i) {
        txn.success.push_back({PutRequest{.key = std::format("k{:03}", i),
                                          .value = Bytes(i % 50 == 0 ? 100'000 : 100, 'v')}});
      }
      auto reply = cluster_.wait(cluster_.member(0).txn(std::move(txn)));
      CHECK(reply.has_value(), reply ? "" : reply.error().message);
    }
    port_ = std::make_unique<rpc::ClientPort>(cluster_.member(0));
    transport_ = std::make_unique<http::InProcessTransport>(
        cluster_.scope().executor(), port_->handler(), "root", std::vector<std::string>{});
    channel_ = std::make_unique<grpc::Channel>(cluster_.clock(), *transport_);
  }
  ~RangeStreamTest() override { cluster_.wait(drain()); }

  Task<int> drain() {
    co_await transport_->drain();
    co_return 0;
  }
  Task<grpc::Reply<std::vector<RangeResponse>>> pieces(RangeRequest request) {
    auto call = co_await channel_->open("/etcdserverpb.KV/RangeStream");
    if (!call) co_return std::unexpected(call.error());
    if (auto sent = co_await (*call)->write(encode(request)); !sent) {
      co_return std::unexpected(sent.error());
    }
    (*call)->finish();
    std::vector<RangeResponse> all;
    for (;;) {
      auto message = co_await (*call)->read();
      if (!message) co_return std::unexpected(message.error());
      if (!*message) co_return all;
      auto piece = decode<RangeStreamResponse>(**message, response_limits);
      CHECK(piece.has_value());
      all.push_back(std::move(piece->range_response));
    }
  }
  /// As protobuf's merge does.
  static RangeResponse merge(std::vector<RangeResponse> pieces) {
    RangeResponse whole = std::move(pieces.back());
    std::vector<KeyValue> kvs;
    pieces.pop_back();
    for (RangeResponse& piece : pieces) {
      EXPECT_EQ(piece.count, 0);
      EXPECT_FALSE(piece.more);
      std::ranges::move(piece.kvs, std::back_inserter(kvs));
    }
    std::ranges::move(whole.kvs, std::back_inserter(kvs));
    whole.kvs = std::move(kvs);
    return whole;
  }
  void expect_equal(RangeRequest request, std::size_t pieces_min) {
    auto streamed = cluster_.wait(pieces(request));
    ASSERT_TRUE(streamed) << streamed.error().message;
    EXPECT_GE(streamed->size(), pieces_min);
    auto whole = cluster_.wait(cluster_.member(0).range(request));
    ASSERT_TRUE(whole);
    EXPECT_EQ(encode(merge(std::move(*streamed))), encode(*whole));
  }

  SimCluster cluster_{5};
  std::unique_ptr<rpc::ClientPort> port_;
  std::unique_ptr<http::InProcessTransport> transport_;
  std::unique_ptr<grpc::Channel> channel_;
};

TEST_F(RangeStreamTest, pieces_put_together_are_the_range) {
  const Bytes all(1, '\0');
  expect_equal({.key = all, .range_end = all}, 3);
  expect_equal({.key = all, .range_end = all, .limit = 120}, 2);
  expect_equal({.key = all, .range_end = all, .limit = 300}, 2);
  expect_equal({.key = all, .range_end = all, .keys_only = true}, 2);
  expect_equal({.key = all, .range_end = all, .count_only = true}, 1);
  expect_equal({.key = "k1", .range_end = "k2", .revision = 3}, 2);
  expect_equal({.key = "k007"}, 1);
  expect_equal({.key = "none"}, 1);
}

TEST_F(RangeStreamTest, what_is_not_offered_is_unimplemented) {
  const Bytes all(1, '\0');
  for (const RangeRequest& request :
       {RangeRequest{.key = all, .range_end = all, .sort_order = SortOrder::descend},
        RangeRequest{.key = all,
                     .range_end = all,
                     .sort_order = SortOrder::ascend,
                     .sort_target = SortTarget::mod},
        RangeRequest{.key = all, .range_end = all, .min_mod_revision = 2}}) {
    auto streamed = cluster_.wait(pieces(request));
    ASSERT_FALSE(streamed);
    EXPECT_EQ(streamed.error().code, grpc::StatusCode::unimplemented);
  }
}

TEST_F(RangeStreamTest, refusals_are_those_of_range) {
  auto future = cluster_.wait(pieces({.key = "a", .revision = 100'000}));
  ASSERT_FALSE(future);
  EXPECT_TRUE(outcome::future_revision.is(future.error()));
  auto empty = cluster_.wait(pieces({}));
  ASSERT_FALSE(empty);
  EXPECT_TRUE(outcome::empty_key.is(empty.error()));
}

}  // namespace
}  // namespace tripod::etcd
