#pragma once
// What a message looks like to those who have no C++ type for it: names, numbers and kinds of its
// fields, as etcd's .proto files give them. Derived from the wire tables (shape_table.h), so that a
// message that has a table has a shape.
//
// Constants; nothing here allocates.

#include <cstdint>
#include <span>
#include <string_view>

namespace tripod::etcd {

enum class FieldKind : std::uint8_t {
  boolean,
  int64,
  uint32,
  uint64,
  enumeration,
  text,   // UTF-8
  bytes,  // anything
  message,
};

struct MessageShape;

struct FieldShape {
  std::string_view name;  // of the .proto file: "range_end", "peerURLs"
  std::uint32_t number = 0;
  FieldKind kind = FieldKind::bytes;
  bool repeated = false;
  bool exclusive = false;  // of the message's exclusive fields, one at most may be there
  std::span<const std::string_view> enumerators;  // by number; empty where no name is known
  const MessageShape& (*message)() = nullptr;     // of a message
};

struct MessageShape {
  std::span<const FieldShape> fields;
};

/// For every message that codec.h knows.
template <typename Message>
const MessageShape& shape_of();

}  // namespace tripod::etcd
