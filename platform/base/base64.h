#pragma once
// The other directions of to_base64() (bytes.h): back, and into URLs.

#include <optional>

#include "platform/base/bytes.h"

namespace tripod {

/// RFC 4648 section 5, without padding, as in JSON Web Signatures.
std::string to_base64_url(BytesView bytes);
/// The other way; padding is refused, too.
std::optional<Bytes> from_base64_url(std::string_view text);
/// Of to_base64()'s alphabet; blanks, line ends and padding do not count. Nullopt: not base64.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace tripod
