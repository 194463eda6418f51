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
  std::chrono::seconds lifetime = std::chrono::days(365);
  /// Valid since the authority is: no clock that is behind takes it for one of the future.
  bool since_authority = false;
  /// Of a key that is no stranger's: one of another kind than make_key() makes will do.
  bool any_key = false;
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
  /// The certificate for a key that is elsewhere, for whoever proves to have it by a request (PKCS
  /// #10); of the request nothing but the key counts. `unsupported` for keys of other kinds than
  /// make_key() makes, before any of their arithmetic is done: an RSA key can be as large, and so
  /// as slow to check, as whoever asks likes.
  Result<std::string> sign(const std::string& request_pem, const CertificateRequest& request,
                           WallTime now, os::Entropy& entropy) const;
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
  bool server = false;  // extended key usage
  bool client = false;  //
};

Result<CertificateFacts> describe(const std::string& certificate_pem);

/// A name of a certificate in the one way that it compares by: addresses as describe() writes them
/// (an IPv4 one inside IPv6 is that one), DNS names in lower case without a dot at their end.
std::string comparable(std::string_view name);

/// That authority signed it, whatever the time is now.
bool is_signed_by(const std::string& certificate_pem, const std::string& authority_pem);

/// A new key, "EC PRIVATE KEY".
Result<std::string> make_key(os::Entropy& entropy);
/// A request for a certificate of this key (PKCS #10), signed by it.
Result<std::string> make_request(const std::string& key_pem, const std::string& common_name,
                                 os::Entropy& entropy);
/// "sha256:" and the hash of the public key (SubjectPublicKeyInfo), as kubeadm's
/// --discovery-token-ca-cert-hash; of the first certificate.
Result<std::string> public_key_pin(const std::string& certificate_pem);

}  // namespace tripod::pki
