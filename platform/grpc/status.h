#pragma once
// A gRPC status: the outcome of a call as both sides see it (grpc.io, "Status codes and their use
// in gRPC"). It is a protocol outcome, not an Error; an Error of the layers below is mapped once,
// by from_error().

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace tripod::grpc {

enum class StatusCode : std::uint8_t {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

/// "OK", "Canceled", "Unknown", ... as grpc-go spells them in metric labels and error texts.
std::string_view name_of(StatusCode code);

struct Status {
  StatusCode code = StatusCode::ok;
  std::string message;

  bool ok() const { return code == StatusCode::ok; }
  /// cancelled, timeout -> deadline_exceeded, closed/refused/unavailable -> unavailable, ...
  static Status from_error(const Error& error);
  friend bool operator==(const Status&, const Status&) = default;
};

/// What an RPC returns to its caller: a response, or a status that is not ok.
template <typename T>
using Reply = std::expected<T, Status>;

[[nodiscard]] inline std::unexpected<Status> reject(StatusCode code, std::string message) {
  return std::unexpected(Status{code, std::move(message)});
}

}  // namespace tripod::grpc
