#pragma once
// The certificates of peers that one authority was found to vouch for. An authority's signature on
// the same bytes holds next time, too, so that a client that connects again costs one signature
// less: a third of a server's work for a handshake. Dates are looked at each time.
//
// Inside platform/tls, on the crypto lane only.

#include <mbedtls/x509_crt.h>

#include <set>

#include "platform/base/bytes.h"
#include "platform/tls/peer.h"

namespace tripod::tls {

class VerifiedChains {
 public:
  static constexpr std::size_t chains_max = 256;  // 32 bytes each; all are forgotten together

  /// mbedtls_x509_crt_verify()'s flags, 0 for a chain that is good.
  std::uint32_t verify(mbedtls_x509_crt& chain, mbedtls_x509_crt& authority, ChainDates& dates);

  /// Signatures of authorities that were looked at, for tests.
  std::size_t verifications() const { return verifications_; }

 private:
  std::set<Bytes> known_;  // digests of chains
  std::size_t verifications_ = 0;
};

}  // namespace tripod::tls
