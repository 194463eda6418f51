#include <gtest/gtest.h>

#include "platform/boards/net/dhcp/dhcp_client.h"

namespace tripod::boards {
namespace {

using namespace std::chrono_literals;
using State = DhcpClient::State;

constexpr HardwareAddress own = {2, 0, 0, 0, 0, 11};
constexpr std::uint32_t random = 0x12345678;

MonotonicTime at(Duration time) {
  return MonotonicTime(time);
}

/// What a server would answer to a request of `transaction`.
Bytes reply(DhcpType type, std::uint32_t transaction, std::uint32_t lease_s = 3600,
            std::string_view address = "192.168.1.50") {
  Bytes out(240, '\0');
  out[0] = 2;
  out[1] = 1;
  out[2] = 6;
  for (std::size_t i = 0; i < 4; ++i)
    out[4 + i] = static_cast<char>(static_cast<std::uint8_t>(transaction >> (24 - 8 * i)));
  out.replace(16, 4, parse_ip(address)->bytes());
  for (std::size_t i = 0; i < own.size(); ++i) out[28 + i] = static_cast<char>(own[i]);
  out.replace(236, 4, "\x63\x82\x53\x63");
  auto option = [&](int code, BytesView value) {
    out += static_cast<char>(code);
    out += static_cast<char>(value.size());
    out += value;
  };
  option(53, Bytes(1, static_cast<char>(type)));
  option(54, parse_ip("192.168.1.1")->bytes());
  option(1, parse_ip("255.255.255.0")->bytes());
  option(3, parse_ip("192.168.1.1")->bytes());
  option(6, parse_ip("192.168.1.1")->bytes() + parse_ip("9.9.9.9")->bytes());
  option(42, parse_ip("192.168.1.1")->bytes());
  Bytes lease;
  for (int shift : {24, 16, 8, 0})
    lease += static_cast<char>(static_cast<std::uint8_t>(lease_s >> shift));
  option(51, lease);
  out += '\xff';
  return out;
}

/// The option's value in a client's message; empty when it is not there.
Bytes option_of(BytesView message, int wanted) {
  BytesView rest = message.substr(240);
  while (rest.size() >= 2 && rest[0] != '\xff') {
    auto size = static_cast<std::uint8_t>(rest[1]);
    if (static_cast<std::uint8_t>(rest[0]) == wanted) return Bytes(rest.substr(2, size));
    rest.remove_prefix(2U + size);
  }
  return {};
}

DhcpType type_of(const DhcpActions& actions) {
  return static_cast<DhcpType>(option_of(actions.send->message, 53).at(0));
}

/// A client that holds a lease of an hour since time 0.
DhcpClient bound_client() {
  DhcpClient client(own, "board-1");
  std::ignore = client.start(at(0s), random);
  std::ignore = client.on_message(reply(DhcpType::offer, random), at(0s), random);
  std::ignore = client.on_message(reply(DhcpType::ack, random), at(0s), random);
  return client;
}

TEST(DhcpMessage, wraps_and_unwraps) {
  Bytes packet = wrap_dhcp("payload!", {}, *parse_ip("255.255.255.255"));
  EXPECT_FALSE(unwrap_dhcp(packet)) << "it goes to a server, not to a client";
  packet[20] = 0;  // from 67 to 68
  packet[21] = 67;
  packet[22] = 0;
  packet[23] = 68;
  EXPECT_EQ(unwrap_dhcp(packet), "payload!");
  EXPECT_EQ(unwrap_dhcp(packet + "padding of the wire"), "payload!");
  for (std::size_t size = 0; size < packet.size(); ++size) {
    EXPECT_FALSE(unwrap_dhcp(BytesView(packet).substr(0, size))) << size;
  }
}

TEST(DhcpMessage, header_checksum_is_right) {
  Bytes packet = wrap_dhcp("x", *parse_ip("10.0.0.1"), *parse_ip("10.0.0.2"));
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) {
    sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(packet[i]) << 8 |
                                      static_cast<std::uint8_t>(packet[i + 1]));
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  EXPECT_EQ(sum, 0xffffU);
}

TEST(DhcpMessage, reads_what_a_server_says) {
  auto read = decode_dhcp(reply(DhcpType::ack, random, 600));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->type, DhcpType::ack);
  EXPECT_EQ(read->address.to_string(), "192.168.1.50");
  EXPECT_EQ(read->prefix_bits, 24);
  EXPECT_EQ(read->nameservers.size(), 2U);
  EXPECT_EQ(read->lease_s, 600U);
}

TEST(DhcpMessage, refuses_every_cut_within_an_option) {
  Bytes whole = reply(DhcpType::ack, random);
  EXPECT_FALSE(decode_dhcp(BytesView(whole).substr(0, 239)));
  EXPECT_FALSE(decode_dhcp(BytesView(whole).substr(0, 242))) << "within the type";
  EXPECT_FALSE(decode_dhcp(BytesView(whole).substr(0, 246))) << "within the server";
  Bytes request = encode_dhcp({.hardware_address = own});
  EXPECT_FALSE(decode_dhcp(request)) << "a client's message";
}

TEST(DhcpClient, discovers_requests_and_holds) {
  DhcpClient client(own, "board-1");
  DhcpActions first = client.start(at(0s), random);
  ASSERT_TRUE(first.send);
  EXPECT_EQ(type_of(first), DhcpType::discover);
  EXPECT_EQ(option_of(first.send->message, 12), "board-1");
  EXPECT_FALSE(first.send->to);
  DhcpActions second = client.on_message(reply(DhcpType::offer, random), at(1s), random);
  ASSERT_TRUE(second.send);
  EXPECT_EQ(type_of(second), DhcpType::request);
  EXPECT_EQ(option_of(second.send->message, 50), parse_ip("192.168.1.50")->bytes());
  EXPECT_EQ(option_of(second.send->message, 54), parse_ip("192.168.1.1")->bytes());
  DhcpActions third = client.on_message(reply(DhcpType::ack, random), at(1s), random);
  EXPECT_FALSE(third.send);
  EXPECT_TRUE(third.changed);
  ASSERT_TRUE(client.lease());
  EXPECT_EQ(client.lease()->address.to_string(), "192.168.1.50/24");
  EXPECT_EQ(client.lease()->gateway->to_string(), "192.168.1.1");
  EXPECT_EQ(client.wake(), at(1s + 30min));
}

TEST(DhcpClient, asks_again_with_growing_pauses) {
  DhcpClient client(own, "board-1");
  std::ignore = client.start(at(0s), 1000);  // a draw in the middle: no jitter
  std::vector<Duration> pauses;
  MonotonicTime now = at(0s);
  for (int i = 0; i < 8; ++i) {
    pauses.push_back(*client.wake() - now);
    now = *client.wake();
    DhcpActions again = client.on_time(now, 1000);
    ASSERT_TRUE(again.send);
    EXPECT_EQ(type_of(again), DhcpType::discover);
  }
  EXPECT_EQ(pauses, (std::vector<Duration>{2s, 4s, 8s, 16s, 32s, 64s, 64s, 64s}));
}

TEST(DhcpClient, hears_only_what_is_meant_for_it) {
  DhcpClient client(own, "board-1");
  std::ignore = client.start(at(0s), random);
  EXPECT_FALSE(client.on_message(reply(DhcpType::offer, random + 1), at(1s), random).send);
  Bytes other = reply(DhcpType::offer, random);
  other[33] = 12;
  EXPECT_FALSE(client.on_message(other, at(1s), random).send);
  EXPECT_FALSE(client.on_message(reply(DhcpType::ack, random), at(1s), random).changed)
      << "nothing was requested";
  EXPECT_FALSE(
      client.on_message(reply(DhcpType::offer, random, 60, "0.0.0.0"), at(1s), random).send);
}

TEST(DhcpClient, renews_with_its_server_then_with_any_then_lets_go) {
  DhcpClient client = bound_client();
  DhcpActions renew = client.on_time(at(30min), 7);
  ASSERT_TRUE(renew.send);
  EXPECT_EQ(client.state(), State::renewing);
  EXPECT_EQ(renew.send->to, parse_ip("192.168.1.1"));
  EXPECT_EQ(renew.send->message.substr(12, 4), parse_ip("192.168.1.50")->bytes()) << "ciaddr";
  EXPECT_EQ(option_of(renew.send->message, 50), "") << "RFC 2131 4.3.6";
  int asked = 0;
  while (client.state() == State::renewing) {
    ASSERT_LT(++asked, 50);
    std::ignore = client.on_time(*client.wake(), 7);
  }
  EXPECT_EQ(client.state(), State::rebinding);
  EXPECT_TRUE(client.lease());
  DhcpActions last;
  while (client.lease()) {
    ASSERT_LT(++asked, 100);
    MonotonicTime now = *client.wake();
    last = client.on_time(now, 7);
    if (client.lease()) {
      EXPECT_FALSE(last.send->to);
      EXPECT_LT(now, at(1h));
    }
  }
  EXPECT_TRUE(last.changed);
  EXPECT_EQ(type_of(client.on_time(*client.wake(), 7)), DhcpType::discover);
}

TEST(DhcpClient, a_renewed_lease_is_the_same_one) {
  DhcpClient client = bound_client();
  std::ignore = client.on_time(at(30min), 7);
  DhcpActions renewed = client.on_message(reply(DhcpType::ack, 7), at(30min), 7);
  EXPECT_FALSE(renewed.changed);
  EXPECT_EQ(client.state(), State::bound);
  EXPECT_EQ(client.wake(), at(60min));
}

TEST(DhcpClient, a_refusal_takes_the_address) {
  DhcpClient client = bound_client();
  std::ignore = client.on_time(at(30min), 7);
  DhcpActions refused = client.on_message(reply(DhcpType::nak, 7), at(30min), 7);
  EXPECT_TRUE(refused.changed);
  EXPECT_FALSE(client.lease());
  EXPECT_EQ(type_of(client.on_time(*client.wake(), 7)), DhcpType::discover);
}

TEST(DhcpClient, a_cable_that_comes_back_asks_for_the_same_address) {
  DhcpClient client = bound_client();
  client.stop();
  EXPECT_TRUE(client.lease());
  EXPECT_EQ(client.wake(), at(1h)) << "it lets go in time";
  DhcpActions again = client.start(at(10min), 9);
  EXPECT_EQ(type_of(again), DhcpType::request);
  EXPECT_EQ(option_of(again.send->message, 50), parse_ip("192.168.1.50")->bytes());
  EXPECT_EQ(option_of(again.send->message, 54), "") << "INIT-REBOOT names no server";
  EXPECT_FALSE(client.on_message(reply(DhcpType::ack, 9), at(10min), 9).changed);
  client.stop();
  DhcpActions expired = client.on_time(*client.wake(), 9);
  EXPECT_TRUE(expired.changed);
  EXPECT_FALSE(client.lease());
  EXPECT_FALSE(client.wake());
}

TEST(DhcpClient, odd_times_of_a_server_are_put_right) {
  DhcpClient client(own, "");
  std::ignore = client.start(at(0s), random);
  std::ignore = client.on_message(reply(DhcpType::offer, random, 0), at(0s), random);
  std::ignore = client.on_message(reply(DhcpType::ack, random, 0), at(0s), random);
  EXPECT_EQ(client.wake(), at(5s)) << "a lease of nothing is one of ten seconds";
}

}  // namespace
}  // namespace tripod::boards
