#pragma once
// IP addresses and networks as values, for what the kernel and DHCP speak in bytes.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/bytes.h"

namespace tripod::boards {

struct Ip {
  bool v6 = false;
  std::array<std::uint8_t, 16> octets{};  // of which IPv4 uses four

  std::string to_string() const;
  /// In network order: 4 or 16.
  Bytes bytes() const;
  bool is_zero() const { return *this == Ip{v6, {}}; }
  bool is_loopback() const;
  /// Of many, or of nobody yet: multicast, IPv4's class E and broadcast.
  bool is_multicast() const { return v6 ? octets[0] == 0xff : octets[0] >= 224; }
  /// fe80::/10: good on one link only, as routers announce themselves. IPv6.
  bool is_link_local() const { return v6 && octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80; }
  friend auto operator<=>(const Ip&, const Ip&) = default;
};

std::optional<Ip> parse_ip(std::string_view text);
/// Four octets in network order.
Ip ipv4_of(BytesView octets);

/// An address with the length of its network: "192.168.1.11/24".
struct IpPrefix {
  Ip ip;
  int bits = 0;

  std::string to_string() const;
  /// Whether `bits` leave a number that is no host's: the network itself (all zeros; with IPv6 the
  /// routers' anycast address, RFC 4291 2.6.1), or IPv4's broadcast (all ones). Networks of one or
  /// two addresses have none (RFC 3021, RFC 6164).
  bool is_network() const { return host_bits_are(0x00); }
  bool is_broadcast() const { return !ip.v6 && host_bits_are(0xff); }
  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;

 private:
  /// Whether every bit behind the network's is as in `octet`, all zeros or all ones.
  bool host_bits_are(int octet) const;
};

/// Fails on a length that the family does not have, and on no length.
std::optional<IpPrefix> parse_prefix(std::string_view text);
/// 255.255.255.0 is 24; nothing for a mask with holes.
std::optional<int> bits_of_mask(const Ip& mask);

}  // namespace tripod::boards
