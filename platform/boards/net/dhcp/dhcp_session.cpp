#include "platform/boards/net/dhcp/dhcp_session.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace tripod::boards {
namespace {

constexpr std::size_t packet_bytes_max = 2048;

/// Lets UDP packets to port 68 through and nothing else: a board's other traffic must not wake
/// process 1.
Result<PacketSocket> open_socket(int link) {
  sock_filter filter[] = {
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, 9},        // protocol
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 17},      // UDP
      {BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0},       // x = size of the IP header
      {BPF_LD | BPF_H | BPF_IND, 0, 0, 2},        // destination port
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 68},      //
      {BPF_RET | BPF_K, 0, 0, packet_bytes_max},  //
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  return PacketSocket::open(link, ETH_P_IP, filter);
}

/// By routing, once there is an address: a renewal goes to one server.
Result<> send_routed(BytesView message, const Ip& from, const Ip& to) {
  Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return os_failure("opening a socket");
  int on = 1;
  std::ignore = ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(68);
  std::memcpy(&own.sin_addr, from.octets.data(), sizeof(own.sin_addr));
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&own), sizeof(own)) != 0) {
    return os_failure("binding port 68");
  }
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(67);
  std::memcpy(&server.sin_addr, to.octets.data(), sizeof(server.sin_addr));
  if (::sendto(socket.get(), message.data(), message.size(), 0,
               reinterpret_cast<sockaddr*>(&server), sizeof(server)) < 0) {
    return os_failure("asking the DHCP server");
  }
  return {};
}

}  // namespace

DhcpSession::DhcpSession(Options options, linux_os::Loop& loop, PacketSocket socket)
    : options_(std::move(options)),
      loop_(loop),
      socket_(std::move(socket)),
      client_(options_.link.hardware_address, options_.hostname) {
  watch_ = loop_.on_readable(socket_.get(), [this] { receive(); });
}

Result<std::unique_ptr<DhcpSession>> DhcpSession::open(Options options, linux_os::Loop& loop) {
  auto socket = open_socket(options.link.index);
  if (!socket) return std::unexpected(socket.error());
  return std::unique_ptr<DhcpSession>(
      new DhcpSession(std::move(options), loop, std::move(*socket)));
}

void DhcpSession::cable_in() {
  act(client_.start(loop_.now(), options_.draw()));
}

void DhcpSession::cable_out() {
  client_.stop();
  act({});
}

void DhcpSession::receive() {
  std::array<char, packet_bytes_max> buffer;
  while (auto packet = socket_.receive(buffer)) {
    auto message = unwrap_dhcp(*packet);
    if (message) act(client_.on_message(*message, loop_.now(), options_.draw()));
  }
}

void DhcpSession::act(DhcpActions actions) {
  if (actions.send) send(*actions.send);
  timer_.reset();
  if (auto wake = client_.wake()) {
    timer_ = loop_.call_at(*wake, [this] { act(client_.on_time(loop_.now(), options_.draw())); });
  }
  if (actions.changed) options_.changed();
}

void DhcpSession::send(const DhcpActions::Send& send) {
  // A message that is lost is sent again by the machine; so is one that the kernel refused.
  if (send.to && client_.lease()) {
    std::ignore = send_routed(send.message, client_.lease()->address.ip, *send.to);
    return;
  }
  Ip source;
  if (client_.lease()) source = client_.lease()->address.ip;
  Ip broadcast;
  broadcast.octets = {255, 255, 255, 255};
  socket_.send_to_everyone(wrap_dhcp(send.message, source, broadcast));
}

}  // namespace tripod::boards
