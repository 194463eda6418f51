#include "platform/boards/net/packet_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace tripod::boards {
namespace {

sockaddr_ll address_on(int link, std::uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = link;
  return address;
}

}  // namespace

Result<PacketSocket> PacketSocket::open(int link, std::uint16_t protocol,
                                        std::span<sock_filter> filter) {
  Descriptor socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return os_failure("opening a packet socket");
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                           .filter = filter.data()};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
    return os_failure("filtering packets");
  }
  const sockaddr_ll address = address_on(link, protocol);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return os_failure("binding a packet socket");
  }
  return PacketSocket(std::move(socket), link, protocol);
}

std::optional<BytesView> PacketSocket::receive(std::span<char> buffer) {
  while (true) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::nullopt;
    return BytesView(buffer.data(), static_cast<std::size_t>(size));
  }
}

void PacketSocket::send_to_everyone(BytesView packet) {
  sockaddr_ll everyone = address_on(link_, protocol_);
  everyone.sll_halen = 6;
  std::memset(everyone.sll_addr, 0xff, 6);
  std::ignore = ::sendto(socket_.get(), packet.data(), packet.size(), 0,
                         reinterpret_cast<const sockaddr*>(&everyone), sizeof(everyone));
}

}  // namespace tripod::boards
