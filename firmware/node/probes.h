#pragma once
// The balancer's health probe: TLS `GET /readyz` on a connection that is kept per backend, so that
// a probe every two seconds does not cost a handshake every two seconds.

#include <map>
#include <memory>
#include <string>

#include "firmware/node/credentials.h"
#include "platform/http/network_transport.h"
#include "platform/os/board.h"

namespace tripod::node {

class Probes {
 public:
  Probes(os::World world, Credentials::Context context, std::string path);

  /// Succeeds on a 200. The caller bounds the time.
  Task<Result<>> probe(os::Address backend);
  /// Before it dies.
  Task<void> drain();

 private:
  http::Transport& transport_to(const os::Address& backend);

  os::World world_;
  Credentials::Context context_;
  std::string path_;
  std::map<os::Address, std::unique_ptr<http::NetworkTransport>> transports_;
};

}  // namespace tripod::node
