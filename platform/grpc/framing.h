#pragma once
// The wire details of gRPC over HTTP/2 ("gRPC over HTTP2", github.com/grpc/grpc PROTOCOL-HTTP2.md):
// length-prefixed messages, timeouts, status messages. Pure.

#include <optional>

#include "platform/base/bytes.h"
#include "platform/base/time.h"
#include "platform/grpc/status.h"

namespace tripod::grpc {

inline constexpr std::size_t prefix_bytes = 5;  // compressed flag, length

/// The prefix of a message of that size, uncompressed.
Bytes prefix_of(std::size_t message_bytes);
/// `message` behind its prefix, in one piece.
Bytes framed(Bytes message);

/// Cuts messages out of pieces of a body.
class MessageReader {
 public:
  explicit MessageReader(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  /// The next piece of the body, once next() has nothing left.
  void feed(Bytes piece);
  /// The next whole message; nullopt when more bytes are needed; a status when the peer breaks the
  /// rules.
  Reply<std::optional<Bytes>> next();
  /// Part of a message is here.
  bool inside_message() const { return !buffer_.empty(); }

 private:
  std::size_t message_bytes_max_;
  Bytes buffer_;
  std::size_t start_ = 0;  // of the next prefix
};

/// "grpc-message": all but printable ASCII, and '%', percent-encoded.
std::string encode_status_message(std::string_view message);
/// Broken escapes stay as they are.
std::string decode_status_message(std::string_view text);

/// "grpc-timeout": "100m"; fails with invalid.
Result<Duration> parse_timeout(std::string_view text);
/// At most eight digits, in the finest unit that holds it.
std::string format_timeout(Duration timeout);

/// For a response that carries no grpc-status ("HTTP to gRPC Status Code Mapping").
StatusCode code_of_http_status(int status);

}  // namespace tripod::grpc
