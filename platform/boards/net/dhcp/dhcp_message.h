#pragma once
// DHCPv4 messages (RFC 2131, options of RFC 2132) and the IP and UDP headers around them, which a
// board without an address has to write itself. Pure: bytes in, facts out, and the other way round.

#include <optional>
#include <vector>

#include "platform/boards/net/ip.h"

namespace tripod::boards {

using HardwareAddress = std::array<std::uint8_t, 6>;

enum class DhcpType : std::uint8_t {
  discover = 1,
  offer = 2,
  request = 3,
  decline = 4,
  ack = 5,
  nak = 6,
  release = 7,
  inform = 8,
};

/// What a client says.
struct DhcpRequest {
  DhcpType type = DhcpType::discover;
  std::uint32_t transaction = 0;
  std::uint16_t seconds = 0;  // since it began to ask
  HardwareAddress hardware_address{};
  Ip client;                    // ciaddr: the address in use, while a lease is renewed
  std::optional<Ip> requested;  // option 50
  std::optional<Ip> server;     // option 54
  std::string hostname;         // option 12
};
Bytes encode_dhcp(const DhcpRequest& request);

/// What a server says.
struct DhcpReply {
  DhcpType type = DhcpType::offer;
  std::uint32_t transaction = 0;
  HardwareAddress hardware_address{};
  Ip address;           // yiaddr
  Ip server;            // option 54; zero when it is missing
  int prefix_bits = 0;  // 0: no mask given
  std::vector<Ip> routers;
  std::vector<Ip> nameservers;
  std::vector<Ip> ntp_servers;
  std::optional<std::uint32_t> lease_s;
  std::optional<std::uint32_t> renewal_s;    // T1
  std::optional<std::uint32_t> rebinding_s;  // T2
};
/// Nothing when it is not a server's message, or malformed.
std::optional<DhcpReply> decode_dhcp(BytesView message);

/// An IPv4 packet with a UDP datagram from port 68 to port 67.
Bytes wrap_dhcp(BytesView message, const Ip& source, const Ip& destination);
/// The message inside an IPv4 packet to port 68; nothing when it is another packet.
std::optional<BytesView> unwrap_dhcp(BytesView packet);

}  // namespace tripod::boards
