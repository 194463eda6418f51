#pragma once
// The protobuf wire format (protobuf.dev, "Encoding"), as far as etcd's messages need it: varints
// and length-delimited fields; fixed-width fields are read past, groups are an error. A Reader
// never reads outside its bytes and never fails otherwise than by ok() == false. (protozero reports
// errors by exceptions, which this house does not have.)

#include <bit>
#include <cstdint>
#include <cstring>

#include "platform/base/bytes.h"
#include "platform/base/check.h"

namespace tripod::etcd::wire {

enum class Type : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

constexpr std::size_t varint_size(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}
constexpr std::size_t tag_size(std::uint32_t number) {
  return varint_size(std::uint64_t{number} << 3U);
}
constexpr std::size_t bytes_field_size(std::uint32_t number, std::size_t length) {
  return tag_size(number) + varint_size(length) + length;
}

/// Writes into memory whose size was computed before; `end` is checked by the caller.
inline char* put_varint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7U;
  }
  *out++ = static_cast<char>(value);
  return out;
}
inline char* put_tag(char* out, std::uint32_t number, Type type) {
  return put_varint(out, (std::uint64_t{number} << 3U) | static_cast<std::uint64_t>(type));
}
inline char* put_bytes(char* out, BytesView bytes) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

inline void append_varint(Bytes& out, std::uint64_t value) {
  char buffer[10];
  out.append(buffer, static_cast<std::size_t>(put_varint(buffer, value) - buffer));
}
/// A whole varint field; zero is written too.
inline void append_number(Bytes& out, std::uint32_t number, std::uint64_t value) {
  append_varint(out, (std::uint64_t{number} << 3U) | static_cast<std::uint64_t>(Type::varint));
  append_varint(out, value);
}
/// A whole length-delimited field.
inline void append_bytes(Bytes& out, std::uint32_t number, BytesView bytes) {
  append_varint(out, (std::uint64_t{number} << 3U) | static_cast<std::uint64_t>(Type::bytes));
  append_varint(out, bytes.size());
  out.append(bytes);
}

/// One field as it stands on the wire: `value` of numbers, `bytes` (borrowed) of length-delimited
/// ones.
struct Field {
  std::uint32_t number = 0;
  Type type = Type::varint;
  std::uint64_t value = 0;
  BytesView bytes;
};

class Reader {
 public:
  explicit Reader(BytesView data) : rest_(data) {}

  /// False at the end and on malformed bytes; ok() tells which.
  bool next(Field& field);
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  /// A bare varint, of packed fields.
  bool varint(std::uint64_t& value);

 private:
  bool bad() {
    ok_ = false;
    rest_ = {};
    return false;
  }

  BytesView rest_;
  bool ok_ = true;
};

inline bool Reader::varint(std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
    const auto byte = static_cast<std::uint8_t>(rest_[i]);
    value |= std::uint64_t{byte & 0x7FU} << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return bad();
}

inline bool Reader::next(Field& field) {
  if (rest_.empty()) return false;
  std::uint64_t tag = 0;
  if (!varint(tag)) return false;
  if ((tag >> 3U) == 0 || (tag >> 3U) > 0x1FFFFFFFU) return bad();
  field.number = static_cast<std::uint32_t>(tag >> 3U);
  field.bytes = {};
  switch (tag & 7U) {
    case 0: field.type = Type::varint; return varint(field.value);
    case 1:
    case 5: {
      const std::size_t width = (tag & 7U) == 1 ? 8 : 4;
      field.type = width == 8 ? Type::fixed64 : Type::fixed32;
      if (rest_.size() < width) return bad();
      field.bytes = rest_.substr(0, width);
      rest_.remove_prefix(width);
      return true;
    }
    case 2: {
      field.type = Type::bytes;
      if (!varint(field.value) || field.value > rest_.size()) return bad();
      field.bytes = rest_.substr(0, static_cast<std::size_t>(field.value));
      rest_.remove_prefix(field.bytes.size());
      return true;
    }
    default: return bad();
  }
}

}  // namespace tripod::etcd::wire
