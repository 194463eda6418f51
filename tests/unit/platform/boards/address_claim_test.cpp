#include "platform/boards/net/address/address_claim.h"

#include <gtest/gtest.h>

namespace tripod::boards {
namespace {

using State = AddressClaim::State;

constexpr HardwareAddress own_hardware{2, 0, 0, 0, 0, 1};
constexpr HardwareAddress other_hardware{2, 0, 0, 0, 0, 2};

TEST(ArpMessage, says_what_rfc_826_says) {
  const Ip own = *parse_ip("192.168.1.11");
  const Bytes packet =
      encode_arp({.reply = false, .sender = own_hardware, .sender_ip = own, .target_ip = own});
  EXPECT_EQ(to_hex(packet),
            "0001080006040001"
            "020000000001c0a8010b"
            "000000000000c0a8010b");
  auto read = decode_arp(packet);
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->reply);
  EXPECT_EQ(to_string(read->sender), "02:00:00:00:00:01");
  EXPECT_EQ(read->sender_ip, own);
  EXPECT_EQ(read->target_ip, own);
  EXPECT_FALSE(decode_arp(packet.substr(0, 27)));
  Bytes other = packet;
  other[7] = 3;  // neither a question nor an answer
  EXPECT_FALSE(decode_arp(other));
}

class Claim : public ::testing::Test {
 protected:
  ArpMessage from(const HardwareAddress& sender, bool uses, bool reply = false) const {
    return {.reply = reply,
            .sender = sender,
            .sender_ip = uses ? address_ : Ip{},
            .target_ip = address_};
  }

  /// What is sent until `claim_` waits for nothing, or for `limit`.
  std::vector<ArpMessage> pass(Duration limit) {
    std::vector<ArpMessage> sent;
    const MonotonicTime until = now_ + limit;
    while (claim_.wake() && *claim_.wake() <= until) {
      now_ = *claim_.wake();
      auto actions = claim_.on_time(now_);
      if (actions.send) sent.push_back(*decode_arp(*actions.send));
    }
    now_ = until;
    return sent;
  }

  Ip address_ = *parse_ip("192.168.1.11");
  MonotonicTime now_{};
  AddressClaim claim_{address_, own_hardware};
};

TEST_F(Claim, takes_what_nobody_answers_to_and_tells_everyone) {
  claim_.begin(now_);
  auto first = claim_.cable_in(now_);
  ASSERT_TRUE(first.send);
  EXPECT_TRUE(decode_arp(*first.send)->sender_ip.is_zero()) << "a question spoils no neighbour";
  EXPECT_FALSE(claim_.on_message(from(own_hardware, false), now_).changed) << "our own question";
  auto sent = pass(std::chrono::seconds(2));
  EXPECT_EQ(claim_.state(), State::held);
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_TRUE(sent[1].sender_ip.is_zero());
  EXPECT_EQ(sent[2].sender_ip, address_);
  EXPECT_FALSE(claim_.wake());
}

TEST_F(Claim, leaves_what_another_has_until_it_is_gone) {
  claim_.begin(now_);
  claim_.cable_in(now_);
  EXPECT_TRUE(claim_.on_message(from(other_hardware, true, true), now_).changed);
  EXPECT_EQ(claim_.state(), State::taken);
  EXPECT_EQ(claim_.other(), other_hardware);
  pass(std::chrono::seconds(9));
  EXPECT_EQ(claim_.state(), State::taken);
  pass(std::chrono::seconds(3));
  EXPECT_EQ(claim_.state(), State::held);
  EXPECT_FALSE(claim_.other());
}

TEST_F(Claim, two_that_ask_at_once_both_stand_back) {
  claim_.begin(now_);
  claim_.cable_in(now_);
  claim_.on_message(from(other_hardware, false), now_);
  EXPECT_EQ(claim_.state(), State::taken);
}

TEST_F(Claim, keeps_what_it_holds_and_says_who_else_uses_it) {
  claim_.begin(now_);
  claim_.cable_in(now_);
  pass(std::chrono::seconds(2));
  EXPECT_FALSE(claim_.on_message(from(other_hardware, false), now_).changed) << "only asks";
  EXPECT_TRUE(claim_.on_message(from(other_hardware, true), now_).changed);
  EXPECT_FALSE(claim_.on_message(from(other_hardware, true), now_).changed) << "no news";
  EXPECT_EQ(claim_.state(), State::held);
  EXPECT_EQ(claim_.other(), other_hardware);
  auto again = claim_.cable_in(now_);
  EXPECT_EQ(claim_.state(), State::probing) << "the other one may be older there";
  EXPECT_TRUE(again.send);
}

TEST_F(Claim, needs_no_cable_for_ever) {
  claim_.begin(now_);
  EXPECT_FALSE(claim_.on_message(from(other_hardware, true), now_).changed);
  pass(std::chrono::seconds(4));
  EXPECT_EQ(claim_.state(), State::waiting);
  EXPECT_TRUE(pass(std::chrono::seconds(2)).empty());
  EXPECT_EQ(claim_.state(), State::held);
}

}  // namespace
}  // namespace tripod::boards
