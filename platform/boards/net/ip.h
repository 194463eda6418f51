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
  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

/// Fails on a length that the family does not have, and on no length.
std::optional<IpPrefix> parse_prefix(std::string_view text);
/// 255.255.255.0 is 24; nothing for a mask with holes.
std::optional<int> bits_of_mask(const Ip& mask);

}  // namespace tripod::boards
