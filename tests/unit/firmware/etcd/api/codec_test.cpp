#include "firmware/etcd/api/codec.h"

#include <gtest/gtest.h>

#include "firmware/etcd/api/wire.h"

namespace tripod::etcd {
namespace {

// etcdctl's own bytes for `put name john` with lease 10.
TEST(Codec, put_request_has_the_bytes_of_protobuf) {
  const PutRequest request{.key = "name", .value = "john", .lease = 10, .prev_kv = true};
  EXPECT_EQ(encode(request), BytesView("\x0a\x04name\x12\x04john\x18\x0a\x20\x01"));
}

TEST(Codec, negative_numbers_take_ten_bytes) {
  const WatchCancelRequest request{.watch_id = -1};
  const Bytes bytes = encode(request);
  EXPECT_EQ(bytes.size(), 11U);
  EXPECT_EQ(decode<WatchCancelRequest>(bytes)->watch_id, -1);
}

TEST(Codec, zero_scalars_are_left_out_and_messages_are_not) {
  EXPECT_EQ(encode(RangeRequest{}), "");
  EXPECT_EQ(encode(PutResponse{}), BytesView("\x0a\x00", 2));
}

RangeResponse sample_range_response() {
  RangeResponse response;
  response.header = {
      .cluster_id = 0xcdf818194e3a8c32ULL, .member_id = 7, .revision = 12, .raft_term = 3};
  response.kvs.push_back({.key = "a",
                          .create_revision = 2,
                          .mod_revision = 5,
                          .version = 3,
                          .value = Bytes(300, 'x'),
                          .lease = 9});
  response.kvs.push_back({.key = Bytes("\0\xff", 2), .create_revision = 1});
  response.more = true;
  response.count = 1000;
  return response;
}

TEST(Codec, range_response_round_trips) {
  const RangeResponse response = sample_range_response();
  auto back = decode<RangeResponse>(encode(response));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->header.cluster_id, response.header.cluster_id);
  EXPECT_EQ(back->header.raft_term, 3U);
  ASSERT_EQ(back->kvs.size(), 2U);
  EXPECT_EQ(back->kvs[0].value, Bytes(300, 'x'));
  EXPECT_EQ(back->kvs[0].lease, 9);
  EXPECT_EQ(back->kvs[1].key, Bytes("\0\xff", 2));
  EXPECT_TRUE(back->more);
  EXPECT_EQ(back->count, 1000);
}

TxnRequest nested(int depth) {
  TxnRequest txn;
  if (depth == 0) {
    txn.success.push_back({PutRequest{.key = "leaf", .value = "v"}});
  } else {
    txn.success.push_back({nested(depth - 1)});
  }
  return txn;
}

TEST(Codec, txn_round_trips_with_every_operation) {
  TxnRequest txn;
  txn.compare.push_back({CompareResult::greater, CompareTarget::mod, "k", 7, "", "l"});
  txn.compare.push_back({CompareResult::equal, CompareTarget::value, "v", 0, "text", ""});
  txn.compare.push_back({CompareResult::not_equal, CompareTarget::lease, "e", 12, "", ""});
  txn.success.push_back({PutRequest{.key = "p"}});
  txn.success.push_back({DeleteRangeRequest{.key = "d", .range_end = "e"}});
  txn.failure.push_back({RangeRequest{.key = "r", .limit = 2}});
  txn.failure.push_back({nested(2)});
  auto back = decode<TxnRequest>(encode(txn));
  ASSERT_TRUE(back);
  ASSERT_EQ(back->compare.size(), 3U);
  EXPECT_EQ(back->compare[0].number, 7);
  EXPECT_EQ(back->compare[0].range_end, "l");
  EXPECT_EQ(back->compare[1].value, "text");
  EXPECT_EQ(back->compare[2].target, CompareTarget::lease);
  EXPECT_EQ(back->compare[2].number, 12);
  EXPECT_EQ(std::get<PutRequest>(back->success[0].request).key, "p");
  EXPECT_EQ(std::get<DeleteRangeRequest>(back->success[1].request).range_end, "e");
  EXPECT_EQ(std::get<RangeRequest>(back->failure[0].request).limit, 2);
  const auto& inner = std::get<TxnRequest>(back->failure[1].request);
  EXPECT_TRUE(std::holds_alternative<TxnRequest>(inner.success[0].request));
}

TEST(Codec, compare_with_a_member_of_another_target_counts_as_zero) {
  // target MOD (2) but the union carries version (4) = 9.
  auto compare = decode<Compare>(BytesView("\x10\x02\x1a\x01k\x20\x09"));
  ASSERT_TRUE(compare);
  EXPECT_EQ(compare->target, CompareTarget::mod);
  EXPECT_EQ(compare->number, 0);
}

TEST(Codec, nesting_is_bounded) {
  EXPECT_TRUE(decode<TxnRequest>(encode(nested(50))));
  EXPECT_FALSE(decode<TxnRequest>(encode(nested(100))));
}

TEST(Codec, repeated_elements_are_bounded) {
  Bytes bytes;
  for (int i = 0; i < 100; ++i) bytes.append("\x0a\x00", 2);  // TxnRequest.compare, empty
  EXPECT_TRUE(decode<TxnRequest>(bytes, {.depth_max = 10, .elements_max = 100}));
  EXPECT_FALSE(decode<TxnRequest>(bytes, {.depth_max = 10, .elements_max = 99}));
}

TEST(Codec, every_truncation_is_an_error_or_a_shorter_message) {
  const Bytes whole = encode(sample_range_response());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    auto part = decode<RangeResponse>(BytesView(whole).substr(0, length));
    if (part) EXPECT_LE(part->kvs.size(), 2U);
    if (part) EXPECT_EQ(part->count, 0);
  }
}

TEST(Codec, malformed_bytes_are_errors) {
  EXPECT_FALSE(decode<PutRequest>(BytesView("\x0a\x05name")));  // length past the end
  EXPECT_FALSE(decode<PutRequest>(BytesView("\x08\x01")));      // a number where bytes belong
  EXPECT_FALSE(decode<PutRequest>(BytesView("\x0b")));          // a group
  EXPECT_FALSE(decode<PutRequest>(BytesView("\x00\x01", 2)));   // field number 0
  EXPECT_FALSE(decode<PutRequest>(Bytes(11, '\xff')));          // endless varint
  EXPECT_FALSE(decode<PutRequest>(BytesView("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
}

TEST(Codec, unknown_fields_are_skipped) {
  // field 100 varint, field 101 bytes, field 102 fixed64, field 103 fixed32, then key.
  const Bytes bytes(
      "\xa0\x06\x07\xaa\x06\x01z\xb1\x06"
      "12345678"
      "\xbd\x06"
      "1234"
      "\x0a\x01k");
  auto request = decode<PutRequest>(bytes);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->key, "k");
}

TEST(Codec, an_empty_oneof_is_an_error) {
  EXPECT_FALSE(decode<WatchRequest>(""));
  EXPECT_FALSE(decode<ResponseOp>(""));
  EXPECT_TRUE(decode<RequestOp>("")->missing);  // etcd has a word of its own for it
  EXPECT_FALSE(decode<RequestOp>(BytesView("\x0a\x00", 2))->missing);
}

TEST(Codec, filters_are_read_packed_and_unpacked) {
  auto packed = decode<WatchCreateRequest>(BytesView("\x2a\x02\x00\x01", 4));
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->filters, (std::vector{WatchFilter::no_put, WatchFilter::no_delete}));
  auto single = decode<WatchCreateRequest>(BytesView("\x28\x01\x28\x00", 4));
  ASSERT_TRUE(single);
  EXPECT_EQ(single->filters, (std::vector{WatchFilter::no_delete, WatchFilter::no_put}));
}

TEST(Codec, watch_response_from_encoded_events_equals_the_whole) {
  WatchResponse response;
  response.header.revision = 9;
  response.watch_id = 4;
  response.fragment = true;
  for (int i = 0; i < 3; ++i) {
    Event event;
    event.type = i == 1 ? EventType::remove : EventType::put;
    event.kv.key = std::format("key{}", i);
    event.kv.mod_revision = i + 1;
    if (i == 2) event.prev_kv = KeyValue{.key = "key2", .value = "old"};
    response.events.push_back(event);
  }
  std::vector<SharedBytes> events;
  for (const Event& event : response.events) events.push_back(share(encode(event)));
  EXPECT_EQ(encode_with_events(response, events), encode(response));
}

TEST(Codec, status_and_members_round_trip) {
  StatusResponse status;
  status.version = "3.6.5";
  status.leader = ~0ULL;
  status.errors = {"one", "two"};
  status.downgrade_info = {.enabled = true, .target_version = "3.5.0"};
  auto back = decode<StatusResponse>(encode(status));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->leader, ~0ULL);
  EXPECT_EQ(back->errors, status.errors);
  EXPECT_EQ(back->downgrade_info.target_version, "3.5.0");

  MemberListResponse list;
  list.members.push_back({.id = 5, .name = "a", .peer_urls = {"p1", "p2"}, .client_urls = {"c"}});
  auto members = decode<MemberListResponse>(encode(list));
  ASSERT_TRUE(members);
  EXPECT_EQ(members->members[0].peer_urls, list.members[0].peer_urls);
}

}  // namespace
}  // namespace tripod::etcd
