#pragma once
// Little-endian fields of structures on disk, at a byte offset. The caller has checked that the
// bytes reach that far; a read beyond the end is a bug and CHECKs.

#include <cstdint>

#include "platform/base/bytes.h"
#include "platform/base/check.h"

namespace tripod::boards {

template <typename T>
T read_le(BytesView bytes, std::size_t offset) {
  CHECK(offset + sizeof(T) <= bytes.size());
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |=
        static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i));
  }
  return value;
}

template <typename T>
void write_le(Bytes& bytes, std::size_t offset, T value) {
  CHECK(offset + sizeof(T) <= bytes.size());
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[offset + i] = static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

}  // namespace tripod::boards
