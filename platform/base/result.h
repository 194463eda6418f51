#pragma once
// The one error type, and Result<T> for everything that is expected to fail. Bugs use CHECK
// (check.h).

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace tripod {

/// What a caller may decide on. The message is for people.
enum class ErrorCode : std::uint8_t {
  cancelled,    // the scope that ran the operation was cancelled
  timeout,      // a deadline passed; the operation may still have taken effect elsewhere
  closed,       // the other side, or this side, closed the connection or channel
  refused,      // nobody listens there
  not_found,    //
  exists,       //
  conflict,     // a precondition did not hold
  invalid,      // input that is wrong in itself
  too_large,    // a limit on size was exceeded
  exhausted,    // a limit on count or rate was exceeded
  corrupt,      // stored or received bytes fail their own checks
  io,           // the operating system said no
  no_space,     // the disk is full
  denied,       // authentication or authorization failed
  unavailable,  // try again later, or elsewhere
  unsupported,  //
};

std::string_view name_of(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::invalid;
  std::string message;

  /// "timeout: no answer from 127.0.0.12:2380 after 500 ms"
  std::string to_string() const;

  friend bool operator==(const Error& error, ErrorCode wanted) { return error.code == wanted; }
};

template <typename T = void>
using Result = std::expected<T, Error>;

/// return fail(ErrorCode::invalid, "port 0: expected 1 to 65535");
[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

/// Puts what was being done in front of what went wrong: "reading /etc/x: not_found: ..." keeps its
/// code.
[[nodiscard]] std::unexpected<Error> wrap(std::string_view doing, Error error);

}  // namespace tripod
