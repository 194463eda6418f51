#include "platform/boards/net/mdns/mdns_responder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace tripod::boards {
namespace {

constexpr std::uint16_t mdns_port = 5353;
constexpr std::uint32_t mdns_group = 0xe00000fb;  // 224.0.0.251

sockaddr_in address_of(std::uint32_t ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(mdns_port);
  address.sin_addr.s_addr = htonl(ip);
  return address;
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

template <typename T>
bool set(int socket, int level, int name, const T& value) {
  return ::setsockopt(socket, level, name, &value, sizeof(value)) == 0;
}

}  // namespace

MdnsResponder::MdnsResponder(Options options, linux_os::Loop& loop, Descriptor socket)
    : options_(std::move(options)),
      name_(lower_case(options_.hostname) + ".local"),
      loop_(loop),
      socket_(std::move(socket)) {
  watch_ = loop_.on_readable(socket_.get(), [this] { receive(); });
}

Result<std::unique_ptr<MdnsResponder>> MdnsResponder::open(Options options, linux_os::Loop& loop) {
  Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return os_failure("opening a socket");
  ip_mreqn membership{};
  membership.imr_multiaddr.s_addr = htonl(mdns_group);
  membership.imr_ifindex = options.link;
  const int yes = 1;
  const int hops = 255;  // RFC 6762, 11
  sockaddr_in own = address_of(INADDR_ANY);
  if (!set(socket.get(), SOL_SOCKET, SO_REUSEADDR, yes) ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, options.interface.data(),
                   static_cast<socklen_t>(options.interface.size())) != 0 ||
      ::bind(socket.get(), reinterpret_cast<sockaddr*>(&own), sizeof(own)) != 0 ||
      !set(socket.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, membership) ||
      !set(socket.get(), IPPROTO_IP, IP_MULTICAST_IF, membership) ||
      !set(socket.get(), IPPROTO_IP, IP_MULTICAST_TTL, hops)) {
    return os_failure("listening for multicast DNS");
  }
  return std::unique_ptr<MdnsResponder>(
      new MdnsResponder(std::move(options), loop, std::move(socket)));
}

void MdnsResponder::announce(std::vector<Ip> addresses) {
  if (addresses == addresses_) return;
  addresses_ = std::move(addresses);
  answer_everyone();
  second_ = loop_.call_at(loop_.now() + std::chrono::seconds(1), [this] { answer_everyone(); });
}

void MdnsResponder::answer_everyone() {
  if (addresses_.empty()) return;
  const Bytes answer =
      encode_mdns({.name = name_, .addresses = addresses_, .legacy_id = {}, .legacy_type = {}});
  sockaddr_in group = address_of(mdns_group);
  std::ignore = ::sendto(socket_.get(), answer.data(), answer.size(), 0,
                         reinterpret_cast<sockaddr*>(&group), sizeof(group));
}

void MdnsResponder::check(const MdnsMessage& message) {
  for (const MdnsMessage::Record& record : message.records) {
    const bool ours = std::ranges::find(addresses_, record.ip) != addresses_.end();
    if (record.name == name_ && !ours) options_.conflict(record.ip);
  }
}

void MdnsResponder::receive() {
  Bytes packet(mdns_bytes_max, '\0');
  while (true) {
    sockaddr_in from{};
    socklen_t from_size = sizeof(from);
    ssize_t size = ::recvfrom(socket_.get(), packet.data(), packet.size(), 0,
                              reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    auto message = decode_mdns(BytesView(packet).substr(0, static_cast<std::size_t>(size)));
    if (!message) continue;
    if (message->response) {
      check(*message);
      continue;
    }
    for (const MdnsMessage::Question& question : message->questions) {
      if (question.name != name_ || addresses_.empty()) continue;
      if (from.sin_port == htons(mdns_port)) {
        answer_everyone();
        break;
      }
      const Bytes answer = encode_mdns({.name = name_,
                                        .addresses = addresses_,
                                        .legacy_id = message->id,
                                        .legacy_type = question.type});
      std::ignore = ::sendto(socket_.get(), answer.data(), answer.size(), 0,
                             reinterpret_cast<sockaddr*>(&from), from_size);
    }
  }
}

}  // namespace tripod::boards
