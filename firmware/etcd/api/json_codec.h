#pragma once
// Messages as JSON, as protobuf's JSON mapping and etcd's gateway have them: 64-bit numbers and
// bytes (base64) as strings, enums by name, fields by the name of the .proto file; what has its
// default value is left out. Read are, besides, camelCase names, numbers as numbers, enums by
// number and base64 in both alphabets; unknown fields and null are passed over. Both directions go
// through the wire format, so that no message needs code of its own.
//
// Pure.

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/shape.h"

namespace tripod::etcd {

/// One JSON object as a message on the wire. Fails with `invalid`, in the words of Go's protojson.
Result<Bytes> wire_of_json(BytesView text, const MessageShape& shape, DecodeLimits limits = {});

/// A message on the wire as JSON. Fails with `invalid` on malformed bytes and past the limits.
Result<std::string> json_of_wire(BytesView wire, const MessageShape& shape,
                                 DecodeLimits limits = response_limits);

/// Cuts a stream of JSON values, which may stand one behind another, into its values.
class JsonSplitter {
 public:
  explicit JsonSplitter(std::size_t value_bytes_max) : value_bytes_max_(value_bytes_max) {}

  void feed(BytesView piece) { buffer_.append(piece); }
  /// The text of the next whole value; nullopt when more is needed. `too_large` past the limit.
  Result<std::optional<Bytes>> next();
  /// Part of a value is here.
  bool inside_value() const;
  /// What is here when no more comes, if that ends it: neither an object nor an array.
  std::optional<Bytes> last();

 private:
  /// The end of the value that begins at begin_, if it is here.
  std::optional<std::size_t> end_of_value();

  std::size_t value_bytes_max_;
  Bytes buffer_;
  std::size_t scanned_ = 0;  // bytes of buffer_ that were looked at
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace tripod::etcd
