#pragma once
// A TCP connection as os::Stream, on libuv. Writes of one loop turn leave in one system call.

#include <deque>
#include <memory>

#include "platform/linux/loop.h"
#include "platform/os/network.h"

namespace tripod::linux_os {

class TcpStream final : public os::Stream {
 public:
  explicit TcpStream(Loop& loop);
  ~TcpStream() override;

  /// The handle to accept or connect with; afterwards connected() once, then start().
  uv_tcp_t* uv();
  void connected();

  void start(os::StreamObserver& observer) override;
  void write(Bytes data) override;
  std::size_t queued_bytes() const override;
  void finish() override;
  void set_reading(bool enabled) override;
  os::Address remote() const override { return remote_; }
  os::Address local() const override { return local_; }

 private:
  class Core;  // outlives the stream while libuv holds its requests

  std::shared_ptr<Core> core_;
  os::Address remote_;
  os::Address local_;
};

/// A sockaddr as an address.
os::Address to_address(const sockaddr_storage& storage);
/// Fails with `invalid` on what is no numeric address.
Result<sockaddr_storage> to_sockaddr(const os::Address& address);

}  // namespace tripod::linux_os
