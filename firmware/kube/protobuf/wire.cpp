#include "firmware/kube/protobuf/wire.h"

namespace tripod::kube::protobuf {

namespace {

constexpr std::uint64_t field_number_max = (1U << 29U) - 1;

std::uint64_t little_endian(BytesView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = (value << 8U) | static_cast<std::uint8_t>(bytes[i - 1]);
  }
  return value;
}

/// The length of the sequence that `lead` begins; 0 if it begins none.
std::size_t sequence_length(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

}  // namespace

bool Reader::bad() {
  ok_ = false;
  rest_ = {};
  return false;
}

bool Reader::take(std::size_t count, BytesView& taken) {
  if (count > rest_.size()) return bad();
  taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return true;
}

bool Reader::varint(std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
    const auto byte = static_cast<std::uint8_t>(rest_[i]);
    if (i == 9 && byte > 1) return bad();  // more than 64 bits
    value |= std::uint64_t{byte & 0x7FU} << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return bad();
}

bool Reader::next(WireField& field) {
  if (rest_.empty()) return false;
  std::uint64_t tag = 0;
  if (!varint(tag)) return false;
  const std::uint64_t number = tag >> 3U;
  if (number == 0 || number > field_number_max) return bad();
  field = {.number = static_cast<std::uint32_t>(number)};
  switch (tag & 7U) {
    case 0: return varint(field.value);
    case 1:
    case 5: {
      field.type = (tag & 7U) == 1 ? WireType::fixed64 : WireType::fixed32;
      BytesView raw;
      if (!take(field.type == WireType::fixed64 ? 8 : 4, raw)) return false;
      field.value = little_endian(raw);
      return true;
    }
    case 2: {
      field.type = WireType::bytes;
      std::uint64_t length = 0;
      if (!varint(length)) return false;
      if (length > rest_.size()) return bad();
      return take(static_cast<std::size_t>(length), field.bytes);
    }
    default: return bad();
  }
}

bool is_utf8(BytesView text) {
  std::size_t at = 0;
  const auto byte = [&text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  while (at < text.size()) {
    const std::uint8_t lead = byte(at);
    const std::size_t length = sequence_length(lead);
    if (length == 0 || length > text.size() - at) return false;
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(at + i) & 0xC0U) != 0x80) return false;
    }
    if (lead == 0xE0 && byte(at + 1) < 0xA0) return false;   // overlong
    if (lead == 0xED && byte(at + 1) >= 0xA0) return false;  // surrogate
    if (lead == 0xF0 && byte(at + 1) < 0x90) return false;   // overlong
    if (lead == 0xF4 && byte(at + 1) >= 0x90) return false;  // beyond U+10FFFF
    at += length;
  }
  return true;
}

}  // namespace tripod::kube::protobuf
