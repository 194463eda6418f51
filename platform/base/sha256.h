#pragma once
// SHA-256 (FIPS 180-4) of bytes that come in pieces: for files that must be recognised as whole.

#include <array>
#include <cstdint>

#include "platform/base/bytes.h"

namespace tripod {

class Sha256 {
 public:
  static constexpr std::size_t digest_bytes = 32;

  void update(BytesView piece);
  /// Of everything so far, as 32 raw bytes. Ends the object's use.
  Bytes finish();

 private:
  void take_block(const char* block);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU,
                                         0x510e527fU, 0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U};
  std::array<char, 64> partial_ = {};
  std::size_t partial_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
};

/// 32 raw bytes.
Bytes sha256(BytesView bytes);
/// HMAC with SHA-256 (RFC 2104), 32 raw bytes.
Bytes hmac_sha256(BytesView key, BytesView text);
/// Takes the same time wherever they differ; the lengths are no secret.
bool equal_in_constant_time(BytesView left, BytesView right);

}  // namespace tripod
