#pragma once
// A packet socket of one interface (packet(7)), for what a board says and hears before it has an
// address: whole packets behind the link's own header, of one protocol, filtered in the kernel so
// that the board's other traffic wakes nobody.

#include <cstdint>
#include <optional>
#include <span>

#include "platform/base/bytes.h"
#include "platform/boards/system/files.h"

struct sock_filter;

namespace tripod::boards {

class PacketSocket {
 public:
  /// `protocol`: an ETH_P_ number. Does not block.
  static Result<PacketSocket> open(int link, std::uint16_t protocol, std::span<sock_filter> filter);

  int get() const { return socket_.get(); }
  /// A packet, cut to `buffer`; nullopt when none is there, or the interface is down.
  std::optional<BytesView> receive(std::span<char> buffer);
  /// To every machine on the link. Whether it left is not known: all that use this ask again.
  void send_to_everyone(BytesView packet);

 private:
  PacketSocket(Descriptor socket, int link, std::uint16_t protocol)
      : socket_(std::move(socket)), link_(link), protocol_(protocol) {}

  Descriptor socket_;
  int link_;
  std::uint16_t protocol_;
};

}  // namespace tripod::boards
