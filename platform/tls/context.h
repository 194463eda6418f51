#pragma once
// What one side of TLS connections presents and trusts: TLS 1.2 and 1.3 on mbedTLS. Immutable and
// shared by its connections, so that renewed certificates are a new Context for new connections.

#include <memory>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/os/clock.h"

namespace tripod::tls {

enum class PeerCertificates : std::uint8_t {
  none,      // servers: not asked for; clients: anybody will do, to be proven otherwise
  optional,  // servers: asked for; one that does not verify counts as none, and the reason is kept
  required,  // the handshake fails without a good one; so do clients with `optional`
};

struct Options {
  std::string certificate_pem;  // own chain, leaf first; clients may have none
  std::string key_pem;
  std::string authority_pem;  // who may vouch for the peer
  PeerCertificates peers = PeerCertificates::required;
  std::vector<std::string> alpn;  // in order of preference
  bool prefer_chacha20 = false;   // for CPUs without AES instructions
};

class Context {
 public:
  enum class Side : std::uint8_t { client, server };

  /// Fails with `invalid` and what is wrong: unreadable PEM, a key of another certificate.
  /// `entropy` outlives the context and is called from the loop and from the crypto lane.
  static Result<std::shared_ptr<const Context>> open(Side side, Options options,
                                                     os::Entropy& entropy);
  ~Context();

  struct State;
  State& state() const { return *state_; }
  Side side() const { return side_; }
  const Options& options() const { return options_; }

 private:
  Context(Side side, Options options);

  Side side_;
  Options options_;
  std::unique_ptr<State> state_;
};

}  // namespace tripod::tls
