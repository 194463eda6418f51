#pragma once
// What a handshake learns about the peer, and the sentences about it. Inside platform/tls only.

#include <mbedtls/ssl.h>

#include <memory>
#include <optional>
#include <string>

#include "platform/os/network.h"

namespace tripod::tls {

/// Dates that the verification of a chain stumbled on, to be named in errors.
struct ChainDates {
  std::optional<WallTime> expired;        // the end of the first certificate that is over
  std::optional<WallTime> not_yet_valid;  // the beginning of one that has not begun
};

/// mbedtls_ssl_set_verify's callback; `dates` is a ChainDates. Decides nothing.
int note_dates(void* dates, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags);

std::shared_ptr<const os::PeerCertificate> describe_certificate(const mbedtls_x509_crt& leaf);

/// "is not signed by the configured CA; expired on 2026-11-21T09:08:42Z". `flags` are
/// mbedtls_ssl_get_verify_result()'s.
std::string describe_verification(std::uint32_t flags, const ChainDates& dates,
                                  const std::string& wanted_name);

/// The alert that tells a peer why its certificate is refused (RFC 8446, section 6.2).
unsigned char alert_for(std::uint32_t flags);

/// The alert that ended the session: "unknown CA". Valid right after mbedTLS returned
/// MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE.
std::string describe_alert(const mbedtls_ssl_context& ssl);

}  // namespace tripod::tls
