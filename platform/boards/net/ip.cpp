#include "platform/boards/net/ip.h"

#include <arpa/inet.h>

#include <bit>
#include <cstring>

#include "platform/base/check.h"

namespace tripod::boards {

std::string Ip::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  CHECK(inet_ntop(v6 ? AF_INET6 : AF_INET, octets.data(), text.data(), text.size()) != nullptr);
  return text.data();
}

Bytes Ip::bytes() const {
  Bytes out(v6 ? 16 : 4, '\0');
  std::memcpy(out.data(), octets.data(), out.size());
  return out;
}

bool Ip::is_loopback() const {
  if (!v6) return octets[0] == 127;
  return *this == Ip{true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
}

std::optional<Ip> parse_ip(std::string_view text) {
  Ip ip{.v6 = text.contains(':'), .octets = {}};
  std::string terminated(text);
  if (inet_pton(ip.v6 ? AF_INET6 : AF_INET, terminated.c_str(), ip.octets.data()) != 1) {
    return std::nullopt;
  }
  return ip;
}

Ip ipv4_of(BytesView octets) {
  CHECK(octets.size() == 4);
  Ip ip;
  std::memcpy(ip.octets.data(), octets.data(), octets.size());
  return ip;
}

std::string IpPrefix::to_string() const {
  return std::format("{}/{}", ip.to_string(), bits);
}

bool IpPrefix::host_bits_are(int octet) const {
  const int all = ip.v6 ? 128 : 32;
  if (all - bits < 2) return false;
  for (int bit = bits; bit < all; ++bit) {
    const int mask = 0x80 >> (bit % 8);
    if ((ip.octets[static_cast<std::size_t>(bit / 8)] & mask) != (octet & mask)) return false;
  }
  return true;
}

std::optional<IpPrefix> parse_prefix(std::string_view text) {
  std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto ip = parse_ip(text.substr(0, slash));
  std::string_view length = text.substr(slash + 1);
  int bits = 0;
  auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
  if (!ip || error != std::errc() || end != length.data() + length.size() || bits < 1 ||
      bits > (ip->v6 ? 128 : 32)) {
    return std::nullopt;
  }
  return IpPrefix{*ip, bits};
}

std::optional<int> bits_of_mask(const Ip& mask) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | mask.octets[i];
  int bits = std::countl_one(value);
  if (bits < 32 && value << bits != 0) return std::nullopt;
  return bits;
}

}  // namespace tripod::boards
