#include "platform/boards/net/dhcp/dhcp_message.h"

#include <algorithm>
#include <cstring>

namespace tripod::boards {
namespace {

constexpr char operation_request = 1;
constexpr char operation_reply = 2;
constexpr char ethernet = 1;
constexpr std::size_t options_offset = 240;
constexpr BytesView cookie("\x63\x82\x53\x63", 4);
constexpr std::size_t message_bytes_min = 300;  // of BOOTP; some relays drop shorter ones
constexpr std::size_t addresses_max = 4;
constexpr std::uint16_t server_port = 67;
constexpr std::uint16_t client_port = 68;
constexpr char protocol_udp = 17;

enum Option : std::uint8_t {
  option_pad = 0,
  option_mask = 1,
  option_routers = 3,
  option_nameservers = 6,
  option_hostname = 12,
  option_ntp_servers = 42,
  option_requested = 50,
  option_lease = 51,
  option_type = 53,
  option_server = 54,
  option_parameters = 55,
  option_message_max = 57,
  option_renewal = 58,
  option_rebinding = 59,
  option_client = 61,
  option_end = 255,
};

template <typename T>
void put(Bytes& out, std::size_t offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out[offset + i] =
        static_cast<char>(static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - i))));
  }
}

template <typename T>
T get(BytesView bytes, std::size_t offset) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value << 8 | static_cast<std::uint8_t>(bytes[offset + i]));
  }
  return value;
}

void add_option(Bytes& out, Option option, BytesView value) {
  out += static_cast<char>(option);
  out += static_cast<char>(value.size());
  out += value;
}

BytesView as_bytes(const HardwareAddress& address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}

std::vector<Ip> addresses_in(BytesView value) {
  std::vector<Ip> out;
  for (; value.size() >= 4 && out.size() < addresses_max; value.remove_prefix(4)) {
    out.push_back(ipv4_of(value.substr(0, 4)));
  }
  return out;
}

void take_option(DhcpReply& reply, std::uint8_t option, BytesView value) {
  const bool number = value.size() == 4;
  switch (option) {
    case option_mask:
      if (number) reply.prefix_bits = bits_of_mask(ipv4_of(value)).value_or(0);
      break;
    case option_routers: reply.routers = addresses_in(value); break;
    case option_nameservers: reply.nameservers = addresses_in(value); break;
    case option_ntp_servers: reply.ntp_servers = addresses_in(value); break;
    case option_server:
      if (number) reply.server = ipv4_of(value);
      break;
    case option_lease:
      if (number) reply.lease_s = get<std::uint32_t>(value, 0);
      break;
    case option_renewal:
      if (number) reply.renewal_s = get<std::uint32_t>(value, 0);
      break;
    case option_rebinding:
      if (number) reply.rebinding_s = get<std::uint32_t>(value, 0);
      break;
    default: break;
  }
}

std::uint16_t checksum(BytesView header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2) sum += get<std::uint16_t>(header, i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace

Bytes encode_dhcp(const DhcpRequest& request) {
  Bytes out(options_offset, '\0');
  out[0] = operation_request;
  out[1] = ethernet;
  out[2] = static_cast<char>(request.hardware_address.size());
  put(out, 4, request.transaction);
  put(out, 8, request.seconds);
  out.replace(12, 4, request.client.bytes());
  out.replace(28, request.hardware_address.size(), as_bytes(request.hardware_address));
  out.replace(236, cookie.size(), cookie);
  add_option(out, option_type, Bytes(1, static_cast<char>(request.type)));
  add_option(out, option_client, Bytes(1, ethernet) + Bytes(as_bytes(request.hardware_address)));
  if (request.requested) add_option(out, option_requested, request.requested->bytes());
  if (request.server) add_option(out, option_server, request.server->bytes());
  if (!request.hostname.empty()) {
    add_option(out, option_hostname, BytesView(request.hostname).substr(0, 63));
  }
  add_option(out, option_message_max, BytesView("\x05\xdc", 2));  // 1500
  constexpr char wanted[] = {option_mask,  option_routers, option_nameservers, option_ntp_servers,
                             option_lease, option_renewal, option_rebinding};
  add_option(out, option_parameters, BytesView(wanted, sizeof(wanted)));
  out += static_cast<char>(option_end);
  out.resize(std::max(out.size(), message_bytes_min), '\0');
  return out;
}

std::optional<DhcpReply> decode_dhcp(BytesView message) {
  if (message.size() < options_offset || message[0] != operation_reply || message[1] != ethernet ||
      message[2] != char{6} || message.substr(236, 4) != cookie) {
    return std::nullopt;
  }
  DhcpReply reply;
  reply.transaction = get<std::uint32_t>(message, 4);
  reply.address = ipv4_of(message.substr(16, 4));
  std::memcpy(reply.hardware_address.data(), message.data() + 28, reply.hardware_address.size());
  std::uint8_t type = 0;
  BytesView options = message.substr(options_offset);
  while (!options.empty()) {
    auto option = static_cast<std::uint8_t>(options[0]);
    if (option == option_end) break;
    if (option == option_pad) {
      options.remove_prefix(1);
      continue;
    }
    if (options.size() < 2) return std::nullopt;
    auto size = static_cast<std::uint8_t>(options[1]);
    if (options.size() < 2U + size) return std::nullopt;
    BytesView value = options.substr(2, size);
    if (option == option_type && size == 1) type = static_cast<std::uint8_t>(value[0]);
    take_option(reply, option, value);
    options.remove_prefix(2U + size);
  }
  reply.type = static_cast<DhcpType>(type);
  if (reply.type != DhcpType::offer && reply.type != DhcpType::ack && reply.type != DhcpType::nak) {
    return std::nullopt;
  }
  return reply;
}

Bytes wrap_dhcp(BytesView message, const Ip& source, const Ip& destination) {
  constexpr std::size_t ip_bytes = 20;
  constexpr std::size_t udp_bytes = 8;
  Bytes out(ip_bytes + udp_bytes, '\0');
  out[0] = 0x45;
  put(out, 2, static_cast<std::uint16_t>(out.size() + message.size()));
  out[8] = 64;  // time to live
  out[9] = protocol_udp;
  out.replace(12, 4, source.bytes());
  out.replace(16, 4, destination.bytes());
  put(out, 10, checksum(BytesView(out).substr(0, ip_bytes)));
  put(out, 20, client_port);
  put(out, 22, server_port);
  put(out, 24, static_cast<std::uint16_t>(udp_bytes + message.size()));
  return out.append(message);  // without a UDP checksum, which IPv4 allows
}

std::optional<BytesView> unwrap_dhcp(BytesView packet) {
  if (packet.size() < 28 || (packet[0] & 0xf0) != 0x40) return std::nullopt;
  std::size_t header = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  std::size_t total = get<std::uint16_t>(packet, 2);
  const bool fragment = (get<std::uint16_t>(packet, 6) & 0x3fff) != 0;
  if (header < 20 || total > packet.size() || total < header + 8 || packet[9] != protocol_udp ||
      fragment) {
    return std::nullopt;
  }
  BytesView udp = packet.substr(header, total - header);
  std::size_t size = get<std::uint16_t>(udp, 4);
  if (get<std::uint16_t>(udp, 0) != server_port || get<std::uint16_t>(udp, 2) != client_port ||
      size < 8 || size > udp.size()) {
    return std::nullopt;
  }
  return udp.substr(8, size - 8);
}

}  // namespace tripod::boards
