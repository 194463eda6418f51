#pragma once
// A DhcpClient on a real interface: a packet socket, which works without an address, and the loop's
// timer. Loop thread only.

#include <functional>
#include <memory>

#include "platform/boards/net/dhcp/dhcp_client.h"
#include "platform/boards/net/packet_socket.h"
#include "platform/boards/net/route/route_message.h"
#include "platform/linux/loop.h"

namespace tripod::boards {

class DhcpSession {
 public:
  struct Options {
    Link link;
    std::string hostname;
    std::function<std::uint32_t()> draw;  // a random number
    std::function<void()> changed;        // lease() is another one
  };

  static Result<std::unique_ptr<DhcpSession>> open(Options options, linux_os::Loop& loop);

  void cable_in();
  void cable_out();
  const std::optional<DhcpLease>& lease() const { return client_.lease(); }

 private:
  DhcpSession(Options options, linux_os::Loop& loop, PacketSocket socket);
  void receive();
  void act(DhcpActions actions);
  void send(const DhcpActions::Send& send);

  Options options_;
  linux_os::Loop& loop_;
  PacketSocket socket_;
  DhcpClient client_;
  std::unique_ptr<os::Operation> watch_;
  std::unique_ptr<os::Operation> timer_;
};

}  // namespace tripod::boards
