#pragma once
// Byte strings. Bytes travel as std::string (cheap to move, hashable, what SQLite and Boost.JSON
// want); a buffer that many readers share is SharedBytes.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tripod {

using Bytes = std::string;
using BytesView = std::string_view;

/// Immutable bytes with many owners: an object encoded once and sent to every watcher.
using SharedBytes = std::shared_ptr<const Bytes>;

inline SharedBytes share(Bytes bytes) {
  return std::make_shared<const Bytes>(std::move(bytes));
}

/// "6e616d65", lower case.
std::string to_hex(BytesView bytes);

/// RFC 4648 section 4, padded.
std::string to_base64(BytesView bytes);

/// FNV-1a, 64 bits: for hashes that two processes compare. Not for secrets.
std::uint64_t fnv1a(BytesView bytes, std::uint64_t seed = 0xcbf29ce484222325ULL);

}  // namespace tripod
