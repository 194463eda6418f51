#include "platform/boards/net/route/route_socket.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace tripod::boards {
namespace {

constexpr std::size_t datagram_bytes_max = 32 * 1024;

Result<Descriptor> open_socket(int extra_flags, std::uint32_t groups) {
  Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | extra_flags, NETLINK_ROUTE));
  if (!socket) return os_failure("opening a netlink socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return os_failure("binding a netlink socket");
  }
  return socket;
}

/// Empty when there is nothing to read now.
Result<Bytes> receive(int socket) {
  Bytes datagram(datagram_bytes_max, '\0');
  while (true) {
    ssize_t size = ::recv(socket, datagram.data(), datagram.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return Bytes();
    if (size < 0) return os_failure("reading from the kernel's network tables");
    datagram.resize(static_cast<std::size_t>(size));
    return datagram;
  }
}

}  // namespace

Result<std::unique_ptr<RouteSocket>> RouteSocket::open() {
  auto requests = open_socket(0, 0);
  if (!requests) return std::unexpected(requests.error());
  auto events = open_socket(SOCK_NONBLOCK, RTMGRP_LINK);
  if (!events) return std::unexpected(events.error());
  return std::unique_ptr<RouteSocket>(new RouteSocket(std::move(*requests), std::move(*events)));
}

Result<> RouteSocket::request(const Bytes& message, std::uint32_t sequence,
                              std::string_view doing) {
  if (::send(requests_.get(), message.data(), message.size(), 0) < 0) return os_failure(doing);
  while (true) {
    auto datagram = receive(requests_.get());
    if (!datagram) return std::unexpected(datagram.error());
    for (const auto& outcome : decode_route_datagram(*datagram).outcomes) {
      if (outcome.sequence != sequence) continue;
      if (outcome.error != 0) return std::unexpected(os_error(outcome.error, doing));
      return {};
    }
  }
}

Result<> RouteSocket::set_up(int link) {
  std::uint32_t sequence = ++sequence_;
  return request(link_up_message(sequence, link), sequence, "switching the interface on");
}

Result<> RouteSocket::add_address(int link, const IpPrefix& address) {
  std::uint32_t sequence = ++sequence_;
  return request(add_address_message(sequence, link, address), sequence,
                 std::format("adding address {}", address.to_string()));
}

Result<> RouteSocket::remove_address(int link, const IpPrefix& address) {
  std::uint32_t sequence = ++sequence_;
  return request(remove_address_message(sequence, link, address), sequence,
                 std::format("removing address {}", address.to_string()));
}

Result<> RouteSocket::set_default_route(int link, const Ip& gateway) {
  std::uint32_t sequence = ++sequence_;
  return request(default_route_message(sequence, link, gateway), sequence,
                 std::format("routing over {}", gateway.to_string()));
}

Result<> RouteSocket::listen(linux_os::Loop& loop, LinkChanged changed) {
  changed_ = std::move(changed);
  watch_ = loop.on_readable(events_.get(), [this] { read_events(); });
  Bytes ask = list_links_message(++sequence_);
  if (::send(events_.get(), ask.data(), ask.size(), 0) < 0) return os_failure("listing interfaces");
  return {};
}

void RouteSocket::read_events() {
  while (true) {
    auto datagram = receive(events_.get());
    if (!datagram) {
      // The kernel dropped events (ENOBUFS): ask for all links again.
      Bytes ask = list_links_message(++sequence_);
      std::ignore = ::send(events_.get(), ask.data(), ask.size(), 0);
      return;
    }
    if (datagram->empty()) return;
    for (const LinkEvent& event : decode_route_datagram(*datagram).links) changed_(event);
  }
}

}  // namespace tripod::boards
