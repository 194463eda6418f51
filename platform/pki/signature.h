#pragma once
// Signatures over files: ECDSA on P-256 with SHA-256 (FIPS 186-5), keys as PEM, signatures as DER.
// The same key and message give the same signature (RFC 6979). Slow enough for the crypto lane.

#include <string>

#include "platform/base/bytes.h"
#include "platform/base/result.h"
#include "platform/os/clock.h"

namespace tripod::pki {

struct SigningKeys {
  std::string private_pem;  // "EC PRIVATE KEY"
  std::string public_pem;   // "PUBLIC KEY"
};

Result<SigningKeys> make_signing_keys(os::Entropy& entropy);

/// Fails with `invalid` for what is no such key.
Result<Bytes> sign(const std::string& private_pem, BytesView message, os::Entropy& entropy);

/// Fails with `invalid` for what is no such key, `denied` for a signature by another one or over
/// another message.
Result<> verify(const std::string& public_pem, BytesView message, BytesView signature);

}  // namespace tripod::pki
