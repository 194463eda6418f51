#pragma once
// The connections of a run: one HTTP/2 connection each, in turn to the endpoints.
//
// Lives on the loop thread. drain() before it dies.

#include "platform/grpc/channel.h"
#include "platform/http/network_transport.h"
#include "platform/os/board.h"
#include "tools/etcd-load/options.h"

namespace tripod::load {

/// Makes a TLS session with ALPN "h2"; `host` is what the server's certificate must name.
using TlsConnect = std::function<Task<Result<std::unique_ptr<os::Stream>>>(
    std::unique_ptr<os::Stream>, std::string host)>;

class Fleet {
 public:
  /// `tls` may be empty: plain HTTP/2. The world outlives the fleet.
  Fleet(const os::World& world, const Options& options, const TlsConnect& tls);

  /// Every connection is made and has answered once; before that nothing is worth measuring.
  Task<grpc::Reply<void>> connect();
  grpc::Channel& channel(std::size_t client) { return lines_[client % lines_.size()]->channel; }
  std::size_t size() const { return lines_.size(); }
  /// Closes every connection.
  Task<void> drain();

 private:
  struct Line {
    Line(const os::World& world, http::NetworkOptions options)
        : transport(world.executor, world.clock, world.network, std::move(options)),
          channel(world.clock, transport) {}

    http::NetworkTransport transport;
    grpc::Channel channel;
  };

  std::vector<std::unique_ptr<Line>> lines_;
};

}  // namespace tripod::load
