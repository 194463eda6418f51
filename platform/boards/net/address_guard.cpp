#include "platform/boards/net/address_guard.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace tripod::boards {
namespace {

constexpr std::size_t packet_bytes_max = 256;

/// Lets through what names the address as the sender's or the target's: a board must not wake at
/// each question on a busy segment.
Result<> attach_filter(int socket, const Ip& address) {
  std::uint32_t own = 0;
  for (std::size_t i = 0; i < 4; ++i) own = own << 8 | address.octets[i];
  sock_filter program[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 14},       // the sender's
      {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, own},     //
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 24},       // the target's
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, own},     //
      {BPF_RET | BPF_K, 0, 0, packet_bytes_max},  //
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  sock_fprog filter{.len = std::size(program), .filter = program};
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0) {
    return os_failure("filtering packets");
  }
  return {};
}

sockaddr_ll everyone_on(int link) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ARP);
  address.sll_ifindex = link;
  address.sll_halen = 6;
  std::memset(address.sll_addr, 0xff, 6);
  return address;
}

}  // namespace

AddressGuard::AddressGuard(Options options, linux_os::Loop& loop, Descriptor socket)
    : options_(std::move(options)),
      loop_(loop),
      socket_(std::move(socket)),
      claim_(options_.address.ip, options_.link.hardware_address) {
  watch_ = loop_.on_readable(socket_.get(), [this] { receive(); });
  act(claim_.begin(loop_.now()));
}

Result<std::unique_ptr<AddressGuard>> AddressGuard::open(Options options, linux_os::Loop& loop) {
  Descriptor socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return os_failure("opening a packet socket");
  if (auto filtered = attach_filter(socket.get(), options.address.ip); !filtered) {
    return std::unexpected(filtered.error());
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ARP);
  address.sll_ifindex = options.link.index;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return os_failure("binding a packet socket");
  }
  return std::unique_ptr<AddressGuard>(
      new AddressGuard(std::move(options), loop, std::move(socket)));
}

void AddressGuard::cable_in() {
  act(claim_.cable_in(loop_.now()));
}

void AddressGuard::receive() {
  Bytes packet(packet_bytes_max, '\0');
  while (true) {
    ssize_t size = ::recv(socket_.get(), packet.data(), packet.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;  // nothing more, or the interface is down
    auto message = decode_arp(BytesView(packet).substr(0, static_cast<std::size_t>(size)));
    if (message) act(claim_.on_message(*message, loop_.now()));
  }
}

void AddressGuard::act(const AddressClaim::Actions& actions) {
  if (actions.send) {
    const sockaddr_ll everyone = everyone_on(options_.link.index);
    // A probe that the kernel refuses is one that nobody answers.
    std::ignore = ::sendto(socket_.get(), actions.send->data(), actions.send->size(), 0,
                           reinterpret_cast<const sockaddr*>(&everyone), sizeof(everyone));
  }
  timer_.reset();
  if (auto wake = claim_.wake()) {
    timer_ = loop_.call_at(*wake, [this] { act(claim_.on_time(loop_.now())); });
  }
  if (actions.changed) options_.changed();
}

}  // namespace tripod::boards
