#include "firmware/etcd/api/json_codec.h"

#include <gtest/gtest.h>

namespace tripod::etcd {
namespace {

template <typename Message>
Result<Message> from_json(BytesView text) {
  auto wire = wire_of_json(text, shape_of<Message>());
  if (!wire) return std::unexpected(wire.error());
  return decode<Message>(*wire);
}
template <typename Message>
std::string to_json(const Message& message) {
  auto text = json_of_wire(encode(message), shape_of<Message>());
  return text ? *text : text.error().message;
}
template <typename Message>
std::string error_of(BytesView text) {
  auto wire = wire_of_json(text, shape_of<Message>());
  return wire ? "" : wire.error().message;
}

TEST(JsonCodec, both_kinds_of_names_numbers_and_enumerators_are_read) {
  const auto request = from_json<RangeRequest>(
      R"({"key":"Zm9v","rangeEnd":"Zm9w","limit":"5","revision":7,"sort_order":"DESCEND",
          "sortTarget":2,"keys_only":true,"unknown":[1],"max_mod_revision":null})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->key, "foo");
  EXPECT_EQ(request->range_end, "fop");
  EXPECT_EQ(request->limit, 5);
  EXPECT_EQ(request->revision, 7);
  EXPECT_EQ(request->sort_order, SortOrder::descend);
  EXPECT_EQ(request->sort_target, SortTarget::create);
  EXPECT_TRUE(request->keys_only);
}

TEST(JsonCodec, names_are_those_of_the_proto_files) {
  EXPECT_EQ(to_json(MemberInfo{.id = 1ULL << 63U,
                               .name = "a",
                               .peer_urls = {"http://x", "http://y"},
                               .is_learner = true}),
            R"({"ID":"9223372036854775808","name":"a","peerURLs":["http://x","http://y"],)"
            R"("isLearner":true})");
  EXPECT_EQ(to_json(LeaseGrantResponse{.id = -1, .ttl = 5}),
            R"({"header":{},"ID":"-1","TTL":"5"})");
  EXPECT_EQ(to_json(ResponseHeader{.member_id = 3, .raft_term = 2}),
            R"({"member_id":"3","raft_term":"2"})");
  EXPECT_EQ(to_json(AlarmRequest{
                .action = AlarmAction::activate, .member_id = 2, .alarm = AlarmType::no_space}),
            R"({"action":"ACTIVATE","memberID":"2","alarm":"NOSPACE"})");
  EXPECT_EQ(to_json(HashKVResponse{.hash = 7}), R"({"header":{},"hash":7})");
}

TEST(JsonCodec, a_transaction_nests) {
  const std::string text =
      R"({"compare":[{"result":"GREATER","target":"MOD","key":"aw==","mod_revision":"4"}],)"
      R"("success":[{"request_put":{"key":"aw==","value":"dg=="}},)"
      R"({"request_txn":{"failure":[{"request_delete_range":{"key":"aw=="}}]}}]})";
  const auto request = from_json<TxnRequest>(text);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->compare.at(0).number, 4);
  EXPECT_EQ(std::get<PutRequest>(request->success.at(0).request).value, "v");
  EXPECT_EQ(to_json(*request), text);
}

TEST(JsonCodec, an_event_is_written_as_etcd_writes_it) {
  WatchResponse response{.watch_id = 3};
  response.events.push_back({.type = EventType::remove, .kv = {.key = "\xff", .mod_revision = 9}});
  EXPECT_EQ(to_json(response), R"({"header":{},"watch_id":"3","events":[{"type":"DELETE",)"
                               R"("kv":{"key":"/w==","mod_revision":"9"}}]})");
}

TEST(JsonCodec, bytes_are_read_in_both_alphabets_padded_or_not) {
  for (const std::string_view text : {"+/8=", "-_8=", "+/8", "-_8"}) {
    const auto request = from_json<RangeRequest>(std::format(R"({{"key":"{}"}})", text));
    ASSERT_TRUE(request) << text;
    EXPECT_EQ(request->key, "\xfb\xff");
  }
}

TEST(JsonCodec, what_does_not_fit_is_refused) {
  EXPECT_EQ(error_of<RangeRequest>(R"({"key":"*"})"),
            R"(proto: invalid value for bytes field key: "*")");
  EXPECT_EQ(error_of<RangeRequest>(R"({"limit":"x"})"),
            R"(proto: invalid value for int64 field limit: "x")");
  EXPECT_EQ(error_of<RangeRequest>(R"({"limit":1.5})"),
            "proto: invalid value for int64 field limit: 1.5");
  EXPECT_EQ(error_of<RangeRequest>(R"({"serializable":1})"),
            "proto: invalid value for bool field serializable: 1");
  EXPECT_EQ(error_of<HashKVResponse>(R"({"hash":4294967296})"),
            "proto: invalid value for uint32 field hash: 4294967296");
  EXPECT_EQ(error_of<TxnRequest>(R"({"compare":{}})"),
            "proto: invalid value for message field compare: {}");
  EXPECT_EQ(error_of<RangeRequest>(R"({"keys_only":"true"})"),
            R"(proto: invalid value for bool field keysOnly: "true")");
  EXPECT_EQ(error_of<RangeRequest>("[1]"), "proto: syntax error: unexpected token [");
  EXPECT_EQ(error_of<RangeRequest>("null"), "proto: syntax error: unexpected token null");
  EXPECT_EQ(error_of<TxnRequest>(R"({"compare":[{"key":"","key":""}]})"),
            R"(proto: duplicate field "key")");
  EXPECT_EQ(error_of<RangeRequest>(R"({"range_end":"","rangeEnd":""})"),
            R"(proto: duplicate field "rangeEnd")");
  EXPECT_EQ(error_of<RequestOp>(R"({"request_put":{},"request_range":{}})"),
            R"(proto: error parsing "request_range", oneof is already set)");
  EXPECT_NE(error_of<RangeRequest>("{"), "");
}

TEST(JsonCodec, depth_and_elements_are_bounded) {
  std::string deep;
  std::string end;
  for (int i = 0; i < 80; ++i) {
    deep += R"({"success":[{"request_txn":)";
    end += "}]}";
  }
  EXPECT_EQ(error_of<TxnRequest>(deep + "{}" + end), "proto: exceeded max recursion depth");
  std::string many = R"({"filters":[0)";
  for (int i = 0; i < (1 << 16); ++i) many += ",0";
  EXPECT_EQ(error_of<WatchCreateRequest>(many + "]}"), "proto: too many elements");
}

TEST(JsonSplitter, values_come_out_whole_however_they_were_cut) {
  const std::string text = " {\"a\":\"}{\\\"\"} {\"b\":[{}]}\n{}";
  for (std::size_t cut = 1; cut <= text.size(); ++cut) {
    JsonSplitter splitter(100);
    std::vector<Bytes> values;
    for (std::size_t at = 0; at < text.size(); at += cut) {
      splitter.feed(BytesView(text).substr(at, cut));
      while (auto value = *splitter.next()) values.push_back(*value);
    }
    EXPECT_EQ(values, (std::vector<Bytes>{"{\"a\":\"}{\\\"\"}", "{\"b\":[{}]}", "{}"})) << cut;
    EXPECT_FALSE(splitter.inside_value());
  }
}

TEST(JsonSplitter, what_is_neither_object_nor_array_ends_with_the_text) {
  for (const std::string_view text : {"null", " \"x\"", "12"}) {
    JsonSplitter splitter(100);
    splitter.feed(text);
    EXPECT_EQ(*splitter.next(), std::nullopt);
    EXPECT_EQ(splitter.last(), text.substr(text.find_first_not_of(' ')));
    EXPECT_FALSE(splitter.inside_value());
  }
  for (const std::string_view text : {"", " ", "{", "[1", "\"x", "{\"a\":1"}) {
    JsonSplitter splitter(100);
    splitter.feed(text);
    EXPECT_EQ(*splitter.next(), std::nullopt);
    EXPECT_EQ(splitter.last(), std::nullopt) << text;
  }
}

TEST(JsonSplitter, a_value_is_bounded_before_it_ends) {
  JsonSplitter splitter(10);
  splitter.feed("{\"a\":\"bcdefghij");
  EXPECT_EQ(splitter.next().error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace tripod::etcd
