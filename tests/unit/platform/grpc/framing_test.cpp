#include "platform/grpc/framing.h"

#include <gtest/gtest.h>

namespace tripod::grpc {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST(Framing, messages_survive_any_cut) {
  const Bytes stream = framed("one") + framed("") + framed(Bytes(300, 'x'));
  for (std::size_t cut = 1; cut < stream.size(); ++cut) {
    MessageReader reader(1000);
    std::vector<Bytes> messages;
    for (std::size_t at = 0; at < stream.size(); at += cut) {
      reader.feed(stream.substr(at, cut));
      while (true) {
        auto message = reader.next();
        ASSERT_TRUE(message.has_value());
        if (!*message) break;
        messages.push_back(std::move(**message));
      }
    }
    EXPECT_EQ(messages, (std::vector<Bytes>{"one", "", Bytes(300, 'x')})) << cut;
    EXPECT_FALSE(reader.inside_message());
  }
}

TEST(Framing, a_message_above_the_limit_is_refused_by_its_prefix) {
  MessageReader reader(10);
  reader.feed(prefix_of(10));
  EXPECT_TRUE(reader.next().has_value());
  MessageReader refused(10);
  refused.feed(prefix_of(11));
  EXPECT_EQ(refused.next().error(), (Status{StatusCode::resource_exhausted,
                                            "grpc: received message larger than max (11 vs. 10)"}));
}

TEST(Framing, compressed_messages_are_refused) {
  MessageReader reader(10);
  reader.feed("\x01\0\0\0\0"s);
  EXPECT_EQ(reader.next().error().code, StatusCode::internal);
}

TEST(Framing, status_messages_round_trip) {
  EXPECT_EQ(encode_status_message("100% \xc3\xa9\n"), "100%25 %C3%A9%0A");
  EXPECT_EQ(decode_status_message("100%25 %c3%A9%0A"), "100% \xc3\xa9\n");
  EXPECT_EQ(decode_status_message("50% %4 %"), "50% %4 %");
}

TEST(Framing, timeouts_have_a_unit_and_at_most_eight_digits) {
  EXPECT_EQ(parse_timeout("1H"), Duration(1h));
  EXPECT_EQ(parse_timeout("2M"), Duration(2min));
  EXPECT_EQ(parse_timeout("99999999S"), Duration(99999999s));
  EXPECT_EQ(parse_timeout("5m"), Duration(5ms));
  EXPECT_EQ(parse_timeout("5u"), Duration(5us));
  EXPECT_EQ(parse_timeout("5n"), Duration(5ns));
  for (const char* bad : {"", "5", "m", "123456789S", "-5S", "5x", "5 S", "+5S"}) {
    EXPECT_FALSE(parse_timeout(bad).has_value()) << bad;
  }
  for (const Duration timeout : {Duration(1ns), Duration(5ms), Duration(7s), Duration(100h)}) {
    EXPECT_EQ(parse_timeout(format_timeout(timeout)), timeout);
  }
}

}  // namespace
}  // namespace tripod::grpc
