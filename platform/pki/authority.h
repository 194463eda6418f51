#pragma once
// A certificate authority in memory (RFC 5280, ECDSA on P-256 with SHA-256): makes itself, signs
// others, all as PEM. Pure but for the entropy and the time it is given.

#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/time.h"
#include "platform/os/clock.h"

namespace tripod::pki {

struct KeyPair {
  std::string certificate_pem;
  std::string key_pem;  // "EC PRIVATE KEY"
};

struct CertificateRequest {
  std::string common_name;
  std::string organization;        // one or none: mbedTLS writes each attribute once
  std::vector<std::string> names;  // subject alternative names: DNS names and IP addresses
  bool server = false;             // extended key usage
  bool client = false;             //
  std::chrono::days lifetime{365};
};

class Authority {
 public:
  /// A new authority that signs itself.
  static Result<Authority> create(std::string common_name, std::chrono::days lifetime, WallTime now,
                                  os::Entropy& entropy);
  /// One made before. Fails with `invalid` when the two do not belong together, `unsupported` when
  /// it is named in a way that certificates of ours could not repeat.
  static Result<Authority> open(KeyPair pair, os::Entropy& entropy);

  /// A new key and its certificate. Valid from an hour before `now`, for boards whose clock is a
  /// little behind, and never longer than the authority itself.
  Result<KeyPair> issue(const CertificateRequest& request, WallTime now,
                        os::Entropy& entropy) const;
  const KeyPair& pair() const { return pair_; }

 private:
  explicit Authority(KeyPair pair) : pair_(std::move(pair)) {}

  KeyPair pair_;
};

/// What a certificate says, for checks and for people.
struct CertificateFacts {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> names;
  WallTime not_before;
  WallTime not_after;
  bool is_authority = false;
};

Result<CertificateFacts> describe(const std::string& certificate_pem);

}  // namespace tripod::pki
