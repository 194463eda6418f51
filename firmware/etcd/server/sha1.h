#pragma once
// SHA-1 (FIPS 180-4), for the ids that etcd derives with it. Not for security.

#include <array>
#include <cstdint>

#include "platform/base/bytes.h"

namespace tripod::etcd {

std::array<std::uint8_t, 20> sha1(BytesView data);
/// The first eight bytes, big endian.
std::uint64_t sha1_id(BytesView data);

}  // namespace tripod::etcd
