#include <gtest/gtest.h>

#include "platform/boards/net/mdns/mdns_message.h"

namespace tripod::boards {
namespace {

/// A query for the addresses of board-1.local, and of the same name by a pointer.
Bytes query() {
  Bytes out("\x12\x34\0\0\0\x02\0\0\0\0\0\0", 12);
  out += std::string(
      "\x07"
      "Board-1\x05"
      "local\0\0\x01\x80\x01",
      19);
  out += std::string("\xc0\x0c\0\x1c\0\x01", 6);
  return out;
}

TEST(Mdns, reads_questions_in_any_case_and_by_pointer) {
  auto read = decode_mdns(query());
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->response);
  EXPECT_EQ(read->id, 0x1234);
  ASSERT_EQ(read->questions.size(), 2U);
  EXPECT_EQ(read->questions[0].name, "board-1.local");
  EXPECT_EQ(read->questions[0].type, DnsType::a);
  EXPECT_EQ(read->questions[1].name, "board-1.local");
  EXPECT_EQ(read->questions[1].type, DnsType::aaaa);
}

TEST(Mdns, reads_its_own_answers) {
  const std::vector<Ip> addresses = {*parse_ip("192.168.1.11"), *parse_ip("fd00::11")};
  auto read = decode_mdns(encode_mdns(
      {.name = "board-1.local", .addresses = addresses, .legacy_id = {}, .legacy_type = {}}));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->response);
  ASSERT_EQ(read->records.size(), 2U);
  EXPECT_EQ(read->records[0].name, "board-1.local");
  EXPECT_EQ(read->records[0].ip, addresses[0]);
  EXPECT_EQ(read->records[1].ip, addresses[1]);
  EXPECT_TRUE(read->questions.empty());
}

TEST(Mdns, a_plain_resolver_gets_its_question_back) {
  Bytes answer = encode_mdns({.name = "b.local",
                              .addresses = {*parse_ip("10.0.0.1")},
                              .legacy_id = 0x77,
                              .legacy_type = DnsType::a});
  auto read = decode_mdns(answer);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, 0x77);
  ASSERT_EQ(read->questions.size(), 1U);
  EXPECT_EQ(read->questions[0].name, "b.local");
  EXPECT_EQ(answer.substr(answer.size() - 12, 2), std::string("\0\x01", 2))
      << "no cache is told to forget";
}

TEST(Mdns, refuses_what_is_malformed) {
  for (std::size_t size = 0; size < query().size(); ++size)
    EXPECT_FALSE(decode_mdns(query().substr(0, size))) << size;
  Bytes loop("\0\0\0\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01", 18);  // a name that points to itself
  EXPECT_FALSE(decode_mdns(loop));
  Bytes many = query();
  many[4] = '\x7f';
  EXPECT_FALSE(decode_mdns(many));
}

}  // namespace
}  // namespace tripod::boards
