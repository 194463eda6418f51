#include "firmware/etcd/raft/codec.h"

#include <gtest/gtest.h>

namespace tripod::etcd::raft {
namespace {

Entry entry(std::uint64_t index, std::uint64_t term, std::string data,
            EntryType type = EntryType::normal) {
  return {{index}, {term}, type, data.empty() ? nullptr : share(std::move(data))};
}

std::vector<Message> one_of_each() {
  NodeId a{0xfedcba9876543210ULL};
  NodeId b{2};
  Term term{7};
  std::vector<MessageBody> bodies;
  bodies.emplace_back(PreVote{{{9}, {6}}});
  bodies.emplace_back(PreVoteResponse{true});
  bodies.emplace_back(Vote{{{9}, {6}}, true});
  bodies.emplace_back(VoteResponse{true});
  bodies.emplace_back(
      Append{{{8}, {6}}, {5}, {entry(9, 6, "x"), entry(10, 7, "", EntryType::conf_change)}});
  bodies.emplace_back(AppendResponse{true, {8}, {{5}, {3}}});
  bodies.emplace_back(Heartbeat{{5}, 77});
  bodies.emplace_back(HeartbeatResponse{77});
  bodies.emplace_back(TimeoutNow{});
  bodies.emplace_back(Forward{12, EntryType::conf_change, share("data")});
  bodies.emplace_back(ForwardRefused{12, Refused::not_a_member});
  bodies.emplace_back(ReadIndex{13});
  bodies.emplace_back(ReadIndexResponse{13, {5}});
  bodies.emplace_back(
      InstallSnapshot{{{{9}, {6}}, {{4}, {{1}, {2}}, {{3}}}}, 4096, share(Bytes("\0z", 2)), true});
  bodies.emplace_back(InstallSnapshotResponse{{9}, 8192, true});
  EXPECT_EQ(bodies.size(), std::variant_size_v<MessageBody>);
  std::vector<Message> messages;
  for (MessageBody& body : bodies) messages.push_back({a, b, term, std::move(body)});
  return messages;
}

TEST(Codec, every_message_survives_the_way) {
  for (const Message& message : one_of_each()) {
    Bytes bytes = encode(message);
    auto decoded = decode(bytes, {});
    ASSERT_TRUE(decoded) << name_of(message.body) << ": " << decoded.error().to_string();
    EXPECT_EQ(decoded->from, message.from);
    EXPECT_EQ(decoded->to, message.to);
    EXPECT_EQ(decoded->term, message.term);
    EXPECT_EQ(name_of(decoded->body), name_of(message.body));
    EXPECT_EQ(encode(*decoded), bytes) << name_of(message.body);
  }
}

TEST(Codec, fields_land_where_they_belong) {
  std::vector<Message> messages = one_of_each();
  auto append = std::get<Append>(decode(encode(messages[4]), {})->body);
  EXPECT_EQ(append.previous, (LogPosition{{8}, {6}}));
  EXPECT_EQ(append.commit, LogIndex{5});
  ASSERT_EQ(append.entries.size(), 2U);
  EXPECT_EQ(append.entries[0].view(), "x");
  EXPECT_EQ(append.entries[1].type, EntryType::conf_change);
  auto answer = std::get<AppendResponse>(decode(encode(messages[5]), {})->body);
  EXPECT_TRUE(answer.rejected);
  EXPECT_EQ(answer.hint, (LogPosition{{5}, {3}}));
  auto piece = std::get<InstallSnapshot>(decode(encode(messages[13]), {})->body);
  EXPECT_EQ(piece.meta.conf_state, (ConfState{{4}, {{1}, {2}}, {{3}}}));
  EXPECT_EQ(*piece.data, Bytes("\0z", 2));
}

TEST(Codec, cut_off_and_flipped_bytes_are_errors_or_other_messages_but_never_crash) {
  std::uint64_t random = 1;
  std::size_t refused = 0;
  for (const Message& message : one_of_each()) {
    Bytes bytes = encode(message);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      refused += !decode(BytesView(bytes).substr(0, length), {}).has_value();
    }
    for (int round = 0; round < 2000; ++round) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      Bytes flipped = bytes;
      flipped[(random >> 33U) % flipped.size()] ^= static_cast<char>(1U << ((random >> 20U) % 8));
      refused += !decode(flipped, {}).has_value();
    }
  }
  EXPECT_GT(refused, 1000U);
}

TEST(Codec, limits_hold) {
  Limits limits;
  limits.entry_bytes_max = 100;
  limits.append_entries_max = 2;
  limits.snapshot_chunk_bytes_max = 100;
  Message large{{1}, {2}, {1}, Append{{}, {}, {entry(1, 1, std::string(101, 'x'))}}};
  EXPECT_EQ(decode(encode(large), limits).error().code, ErrorCode::too_large);
  Message many{
      {1}, {2}, {1}, Append{{}, {}, {entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 1, "c")}}};
  EXPECT_EQ(decode(encode(many), limits).error().code, ErrorCode::too_large);
  Message forward{{1}, {2}, {1}, Forward{1, EntryType::normal, share(std::string(101, 'x'))}};
  EXPECT_EQ(decode(encode(forward), limits).error().code, ErrorCode::too_large);
}

TEST(Codec, what_a_later_release_adds_is_skipped) {
  Bytes bytes = encode(Message{{1}, {2}, {3}, Heartbeat{{4}, 5}});
  bytes += Bytes("\xa2\x06\x03new", 6);  // field 100, bytes
  auto decoded = decode(bytes, {});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<Heartbeat>(decoded->body).commit, LogIndex{4});
}

TEST(Codec, configuration_changes_survive_the_way) {
  ConfChange change{ConfChangeType::add_learner, {9}, "name=c"};
  auto decoded = decode_conf_change(encode(change));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->type, change.type);
  EXPECT_EQ(decoded->node, change.node);
  EXPECT_EQ(decoded->context, change.context);
  EXPECT_FALSE(decode_conf_change(""));
  EXPECT_FALSE(decode_conf_change(encode(ConfChange{ConfChangeType::remove, nobody, {}})));
}

}  // namespace
}  // namespace tripod::etcd::raft
