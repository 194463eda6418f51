#include "platform/os/network.h"

#include <algorithm>
#include <charconv>
#include <format>

namespace tripod::os {
namespace {

bool is_ip_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' ||
         c == ':';
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
  if (ip.empty() || !std::ranges::all_of(ip, is_ip_character)) return wrong();
  unsigned number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size() || number > 65535) return wrong();
  return Address{std::string(ip), static_cast<std::uint16_t>(number)};
}

}  // namespace tripod::os
