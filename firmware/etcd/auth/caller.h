#pragma once
// Who asks. Credentials are what a connection shows; a Caller is what a member made of them, and
// what travels with a command through the log.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "platform/os/network.h"

namespace tripod::etcd {

struct Caller {
  std::string user;                 // empty: nobody gave a name
  std::uint64_t auth_revision = 0;  // of users and roles when the name was recognised; 0: no name
};

/// nullopt is the cluster itself, which may do everything.
using OnBehalfOf = std::optional<Caller>;

class Credentials {
 public:
  /// This board itself: its API server, its housekeeping.
  static Credentials board() { return {}; }
  /// A client: its token, if any, and its certificate, null without one.
  static Credentials client(std::string token,
                            std::shared_ptr<const os::PeerCertificate> certificate) {
    Credentials credentials;
    credentials.is_board_ = false;
    credentials.token_ = std::move(token);
    credentials.certificate_ = std::move(certificate);
    return credentials;
  }

  bool is_board() const { return is_board_; }
  const std::string& token() const { return token_; }
  /// Empty without a certificate.
  std::string common_name() const {
    return certificate_ ? certificate_->common_name : std::string();
  }

 private:
  bool is_board_ = true;
  std::string token_;
  std::shared_ptr<const os::PeerCertificate> certificate_;
};

}  // namespace tripod::etcd
