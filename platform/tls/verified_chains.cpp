#include "platform/tls/verified_chains.h"

#include "platform/base/sha256.h"

namespace tripod::tls {
namespace {

/// Each certificate begins with its own length (DER), so no other chain has these bytes.
Bytes digest_of(const mbedtls_x509_crt& chain) {
  Sha256 hash;
  for (const mbedtls_x509_crt* each = &chain; each != nullptr; each = each->next) {
    hash.update({reinterpret_cast<const char*>(each->raw.p), each->raw.len});
  }
  return hash.finish();
}

bool all_valid_now(const mbedtls_x509_crt& chain) {
  for (const mbedtls_x509_crt* each = &chain; each != nullptr; each = each->next) {
    if (mbedtls_x509_time_is_past(&each->valid_to) != 0 ||
        mbedtls_x509_time_is_future(&each->valid_from) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::uint32_t VerifiedChains::verify(mbedtls_x509_crt& chain, mbedtls_x509_crt& authority,
                                     ChainDates& dates) {
  Bytes digest = digest_of(chain);
  if (known_.contains(digest) && all_valid_now(chain) && all_valid_now(authority)) return 0;
  ++verifications_;
  std::uint32_t flags = 0;
  const int code =
      mbedtls_x509_crt_verify(&chain, &authority, nullptr, nullptr, &flags, note_dates, &dates);
  if (code != 0 && flags == 0) flags = MBEDTLS_X509_BADCERT_OTHER;
  if (flags == 0) {
    if (known_.size() >= chains_max) known_.clear();
    known_.insert(std::move(digest));
  }
  return flags;
}

}  // namespace tripod::tls
