#pragma once
// The protobuf wire format (protobuf.dev, "Encoding") as far as Kubernetes' messages need it. A
// Reader never reads outside its bytes and fails only by ok() == false; groups are an error.
// Borrows the bytes it reads.

#include <cstddef>
#include <cstdint>

#include "platform/base/bytes.h"

namespace tripod::kube::protobuf {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// One field as it stands on the wire.
struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t value = 0;  // of numbers; fixed ones as raw bits
  BytesView bytes;          // of length-delimited ones, borrowed
};

class Reader {
 public:
  explicit Reader(BytesView data) : rest_(data) {}

  /// False at the end and on malformed bytes; ok() tells which.
  bool next(WireField& field);
  /// A bare varint, of packed lists.
  bool varint(std::uint64_t& value);
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  bool bad();
  bool take(std::size_t count, BytesView& taken);

  BytesView rest_;
  bool ok_ = true;
};

/// RFC 3629: no overlong forms, no surrogates.
bool is_utf8(BytesView text);

}  // namespace tripod::kube::protobuf
