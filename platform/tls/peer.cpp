#include "platform/tls/peer.h"

#include <mbedtls/oid.h>

#include <array>
#include <format>
#include <utility>

namespace tripod::tls {
namespace {

WallTime to_wall_time(const mbedtls_x509_time& time) {
  std::chrono::year_month_day date{std::chrono::year(time.year),
                                   std::chrono::month(static_cast<unsigned>(time.mon)),
                                   std::chrono::day(static_cast<unsigned>(time.day))};
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(time.hour) +
         std::chrono::minutes(time.min) + std::chrono::seconds(time.sec);
}

/// What mbedTLS says of flags that have no sentence of ours; it ends each with a new line.
std::string library_words(std::uint32_t flags) {
  std::array<char, 512> text{};
  mbedtls_x509_crt_verify_info(text.data(), text.size(), "", flags);
  std::string_view words = text.data();
  return std::string(words.substr(0, words.find('\n')));
}

// RFC 8446, section 6.2.
constexpr std::pair<int, std::string_view> alert_names[] = {
    {MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE, "unexpected message"},
    {MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC, "bad record MAC"},
    {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, "handshake failure"},
    {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "bad certificate"},
    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, "unsupported certificate"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, "certificate revoked"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "certificate expired"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "certificate unknown"},
    {MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER, "illegal parameter"},
    {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, "unknown CA"},
    {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, "access denied"},
    {MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR, "decode error"},
    {MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR, "decrypt error"},
    {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, "protocol version"},
    {MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY, "insufficient security"},
    {MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR, "internal error"},
    {MBEDTLS_SSL_ALERT_MSG_MISSING_EXTENSION, "missing extension"},
    {MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME, "unrecognized name"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED, "certificate required"},
    {MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL, "no application protocol"},
};

}  // namespace

int note_dates(void* dates, mbedtls_x509_crt* certificate, int /*depth*/, std::uint32_t* flags) {
  auto* noted = static_cast<ChainDates*>(dates);
  if ((*flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0 && !noted->expired) {
    noted->expired = to_wall_time(certificate->valid_to);
  }
  if ((*flags & MBEDTLS_X509_BADCERT_FUTURE) != 0 && !noted->not_yet_valid) {
    noted->not_yet_valid = to_wall_time(certificate->valid_from);
  }
  return 0;
}

std::shared_ptr<const os::PeerCertificate> describe_certificate(const mbedtls_x509_crt& leaf) {
  auto peer = std::make_shared<os::PeerCertificate>();
  for (const mbedtls_asn1_named_data* part = &leaf.subject; part != nullptr; part = part->next) {
    std::string_view oid(reinterpret_cast<const char*>(part->oid.p), part->oid.len);
    std::string value(reinterpret_cast<const char*>(part->val.p), part->val.len);
    if (oid == MBEDTLS_OID_AT_CN) {
      peer->common_name = std::move(value);
    } else if (oid == MBEDTLS_OID_AT_ORGANIZATION) {
      peer->organizations.push_back(std::move(value));
    }
  }
  peer->not_after = to_wall_time(leaf.valid_to);
  return peer;
}

std::string describe_verification(std::uint32_t flags, const ChainDates& dates,
                                  const std::string& wanted_name) {
  std::string sentence;
  auto say = [&](std::uint32_t flag, std::string_view words) {
    if ((flags & flag) == 0) return;
    flags &= ~flag;
    sentence += std::format("{}{}", sentence.empty() ? "" : "; ", words);
  };
  auto date = [](const std::optional<WallTime>& time) {
    return time ? to_rfc3339(*time) : std::string("an unknown date");
  };
  say(MBEDTLS_X509_BADCERT_MISSING, "is missing");
  say(MBEDTLS_X509_BADCERT_NOT_TRUSTED, "is not signed by the configured CA");
  say(MBEDTLS_X509_BADCERT_EXPIRED, "expired on " + date(dates.expired));
  say(MBEDTLS_X509_BADCERT_FUTURE,
      std::format("is valid from {} only; is this board's clock right?",
                  date(dates.not_yet_valid)));
  say(MBEDTLS_X509_BADCERT_CN_MISMATCH, "does not name " + wanted_name);
  say(MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE,
      "is not meant for this side of a connection (key usage)");
  if (flags != 0) say(flags, library_words(flags));
  return sentence;
}

unsigned char alert_for(std::uint32_t flags) {
  if ((flags & MBEDTLS_X509_BADCERT_MISSING) != 0) return MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED;
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) return MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
  if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0) return MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED;
  return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
}

std::string describe_alert(const mbedtls_ssl_context& ssl) {
  int alert = ssl.MBEDTLS_PRIVATE(in_msg)[1];  // level, description
  for (auto [number, name] : alert_names) {
    if (number == alert) return std::string(name);
  }
  return std::format("alert {}", alert);
}

}  // namespace tripod::tls
