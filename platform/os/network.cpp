#include "platform/os/network.h"

#include <algorithm>
#include <charconv>
#include <format>

namespace tripod::os {
namespace {

constexpr std::size_t ipv6_groups = 8;

/// Four numbers of at most 255, without leading zeros.
bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    const std::size_t end = part < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos || end == 0 || end > 3) return false;
    unsigned number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + end, number);
    if (error != std::errc{} || stop != text.data() + end || number > 255) return false;
    if (end > 1 && text.front() == '0') return false;
    text.remove_prefix(part < 3 ? end + 1 : end);
  }
  return text.empty();
}

/// The number of groups in "a:b:c", where an IPv4 address may be the last two; nullopt when it is
/// not such a text.
std::optional<std::size_t> count_groups(std::string_view text) {
  std::size_t groups = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.contains('.')) {
      return is_ipv4(group) ? std::optional(groups + 2) : std::nullopt;
    }
    if (group.empty() || group.size() > 4 ||
        group.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      return std::nullopt;
    }
    if (++groups > ipv6_groups) return std::nullopt;
    if (colon == std::string_view::npos) return groups;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;
  }
  return groups;
}

/// RFC 4291, section 2.2, without a zone.
bool is_ipv6(std::string_view text) {
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) return count_groups(text) == ipv6_groups;
  const std::string_view head = text.substr(0, gap);
  if (head.contains('.')) return false;
  const auto before = count_groups(head);
  const auto after = count_groups(text.substr(gap + 2));
  return before && after && *before + *after < ipv6_groups;
}

}  // namespace

std::string Address::to_string() const {
  return ip.find(':') == std::string::npos ? std::format("{}:{}", ip, port)
                                           : std::format("[{}]:{}", ip, port);
}

Result<Address> parse_address(std::string_view text) {
  auto wrong = [&] {
    return fail(ErrorCode::invalid,
                std::format("\"{}\" is not an address; expected IP:port, as 127.0.0.1:2379", text));
  };
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return wrong();
  std::string_view ip = text.substr(0, colon);
  std::string_view port = text.substr(colon + 1);
  bool bracketed = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
  if (bracketed) ip = ip.substr(1, ip.size() - 2);
  if (bracketed != (ip.find(':') != std::string_view::npos)) return wrong();
  if (bracketed ? !is_ipv6(ip) : !is_ipv4(ip)) return wrong();
  unsigned number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size() || number > 65535) return wrong();
  return Address{std::string(ip), static_cast<std::uint16_t>(number)};
}

}  // namespace tripod::os
