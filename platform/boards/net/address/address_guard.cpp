#include "platform/boards/net/address/address_guard.h"

#include <linux/filter.h>
#include <linux/if_ether.h>

#include <array>

namespace tripod::boards {
namespace {

constexpr std::size_t packet_bytes_max = 256;

/// Lets through what names the address as the sender's or the target's: a board must not wake at
/// each question on a busy segment.
Result<PacketSocket> open_socket(int link, const Ip& address) {
  std::uint32_t own = 0;
  for (std::size_t i = 0; i < 4; ++i) own = own << 8 | address.octets[i];
  sock_filter filter[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 14},       // the sender's
      {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, own},     //
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 24},       // the target's
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, own},     //
      {BPF_RET | BPF_K, 0, 0, packet_bytes_max},  //
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  return PacketSocket::open(link, ETH_P_ARP, filter);
}

}  // namespace

AddressGuard::AddressGuard(Options options, linux_os::Loop& loop, PacketSocket socket)
    : options_(std::move(options)),
      loop_(loop),
      socket_(std::move(socket)),
      claim_(options_.address.ip, options_.link.hardware_address) {
  watch_ = loop_.on_readable(socket_.get(), [this] { receive(); });
  act(claim_.begin(loop_.now()));
}

Result<std::unique_ptr<AddressGuard>> AddressGuard::open(Options options, linux_os::Loop& loop) {
  auto socket = open_socket(options.link.index, options.address.ip);
  if (!socket) return std::unexpected(socket.error());
  return std::unique_ptr<AddressGuard>(
      new AddressGuard(std::move(options), loop, std::move(*socket)));
}

void AddressGuard::cable_in() {
  act(claim_.cable_in(loop_.now()));
}

void AddressGuard::receive() {
  std::array<char, packet_bytes_max> buffer;
  while (auto packet = socket_.receive(buffer)) {
    auto message = decode_arp(*packet);
    if (message) act(claim_.on_message(*message, loop_.now()));
  }
}

void AddressGuard::act(const AddressClaim::Actions& actions) {
  if (actions.send) socket_.send_to_everyone(*actions.send);
  timer_.reset();
  if (auto wake = claim_.wake()) {
    timer_ = loop_.call_at(*wake, [this] { act(claim_.on_time(loop_.now())); });
  }
  if (actions.changed) options_.changed();
}

}  // namespace tripod::boards
