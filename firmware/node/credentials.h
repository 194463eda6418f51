#pragma once
// The TLS contexts of one board, from the certificate files that its configuration names.

#include <memory>

#include "firmware/node/config.h"
#include "platform/os/board.h"
#include "platform/tls/context.h"

namespace tripod::node {

struct Credentials {
  /// What new connections begin with; another one once files were renewed.
  struct Current {
    std::shared_ptr<const tls::Context> now;
  };
  using Context = std::shared_ptr<Current>;

  /// From now on the ones of `fresh`, which was loaded from the same configuration.
  void take(const Credentials& fresh);

  Context etcd_server;   // for etcd's clients; null when the URLs are plain
  Context peer_server;   // for other members; null when plain
  Context peer_client;   //
  Context etcd_client;   // for an external etcd; null when it is plain or there is none
  Context apiserver;     // for users; client certificates are optional
  Context health_check;  // of the balancer
};

/// Reads every file that a role of this board needs. Fails with a line for each that
/// cannot be read, else with what makes a certificate of no use: the key, the file and what is
/// wrong with it: not there, unreadable, expired, not the certificate's key.
Result<Credentials> load_credentials(const Config& config, os::World world, bool prefer_chacha20);

}  // namespace tripod::node
