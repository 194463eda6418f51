#pragma once
// An AddressClaim on a real interface: a packet socket and the loop's timer. Loop thread only.

#include <functional>
#include <memory>

#include "platform/boards/net/address/address_claim.h"
#include "platform/boards/net/packet_socket.h"
#include "platform/boards/net/route/route_message.h"
#include "platform/linux/loop.h"

namespace tripod::boards {

class AddressGuard {
 public:
  struct Options {
    Link link;
    IpPrefix address;               // of IPv4
    std::function<void()> changed;  // claim() says something else
  };

  static Result<std::unique_ptr<AddressGuard>> open(Options options, linux_os::Loop& loop);

  void cable_in();
  const AddressClaim& claim() const { return claim_; }
  const IpPrefix& address() const { return options_.address; }

 private:
  AddressGuard(Options options, linux_os::Loop& loop, PacketSocket socket);
  void receive();
  void act(const AddressClaim::Actions& actions);

  Options options_;
  linux_os::Loop& loop_;
  PacketSocket socket_;
  AddressClaim claim_;
  std::unique_ptr<os::Operation> watch_;
  std::unique_ptr<os::Operation> timer_;
};

}  // namespace tripod::boards
