#pragma once
// os::Network on libuv: listening, connecting, and host names.

#include "platform/linux/loop.h"
#include "platform/os/network.h"

namespace tripod::linux_os {

class TcpNetwork final : public os::Network {
 public:
  explicit TcpNetwork(Loop& loop) : loop_(loop) {}

  /// Fails with `conflict` when the address is in use, `denied` or `invalid` when it cannot be had
  /// here.
  Result<std::unique_ptr<os::Listener>> listen(const os::Address& address, Accept accept) override;
  std::unique_ptr<os::Operation> connect(const os::Address& address, Connected done) override;
  std::unique_ptr<os::Operation> resolve(const std::string& host, Resolved done) override;

 private:
  Loop& loop_;
};

}  // namespace tripod::linux_os
