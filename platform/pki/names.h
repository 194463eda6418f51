#pragma once
// Names inside certificates: distinguished names and subject alternative names, to and from
// mbedTLS. Inside platform/pki only.

#include <mbedtls/x509_crt.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/time.h"

namespace tripod::pki {

/// "CN=admin,O=system:masters", special characters escaped (RFC 4514); no O when `organization` is
/// empty. Fails on an empty common name and on over-long values.
Result<std::string> distinguished_name(std::string_view common_name, std::string_view organization);

struct SubjectValues {
  std::vector<std::string> values;
  std::string value_or_empty() const { return values.empty() ? "" : values.front(); }
};
/// All values of one attribute, `oid` as its encoded bytes (MBEDTLS_OID_AT_...), in order.
SubjectValues subject_values(const mbedtls_x509_crt& certificate, std::string_view oid);

std::vector<std::string> alternative_names(const mbedtls_x509_crt& certificate);
WallTime to_wall_time(const mbedtls_x509_time& time);

/// Owns the linked list that mbedTLS wants for subject alternative names. `names` outlives it.
class AlternativeNames {
 public:
  explicit AlternativeNames(const std::vector<std::string>& names);
  const mbedtls_x509_san_list* list() const { return nodes_.empty() ? nullptr : &nodes_.back(); }

 private:
  std::deque<mbedtls_x509_san_list> nodes_;
  std::deque<std::string> addresses_;  // in network order
};

}  // namespace tripod::pki
