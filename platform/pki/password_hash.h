#pragma once
// Salted hashes of passwords: PBKDF2 with HMAC-SHA-256 (RFC 8018, section 5.2), written as
//
//   pbkdf2-sha256$ITERATIONS$BASE64(16 bytes of salt)$BASE64(32 bytes of hash)
//
// Slow by design: call it on the crypto lane.

#include <array>
#include <string>

#include "platform/base/result.h"

namespace tripod::pki {

using PasswordSalt = std::array<unsigned char, 16>;

inline constexpr unsigned password_iterations_max = 1U << 26U;

/// `salt` is random; `iterations` is at least 1.
std::string hash_password(std::string_view password, const PasswordSalt& salt, unsigned iterations);

/// False for a wrong password and for what is no such hash; takes the same time for any wrong
/// password.
bool password_matches(std::string_view password, std::string_view hash);

}  // namespace tripod::pki
