#pragma once
// The authorities whose keys this board holds: [node] ca-key-file and etcd-ca-key-file beside the
// certificates that it trusts anyway. A board without them has others sign.

#include <optional>

#include "firmware/node/config.h"
#include "firmware/node/provisioning/certificates.h"
#include "platform/os/board.h"

namespace tripod::node {

class Authorities {
 public:
  /// Fails with key, file and reason: unreadable, or a key of another certificate.
  static Result<Authorities> load(const Config& config, os::World world);

  /// Null: this board does not hold that key.
  const pki::Authority* get(Signer signer) const {
    const auto& one = signer == Signer::kubernetes ? kubernetes_ : etcd_;
    return one ? &*one : nullptr;
  }
  bool holds_all() const { return kubernetes_ && etcd_; }

 private:
  std::optional<pki::Authority> kubernetes_;
  std::optional<pki::Authority> etcd_;
};

}  // namespace tripod::node
