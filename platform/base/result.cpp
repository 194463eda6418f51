#include "platform/base/result.h"

#include <format>

namespace tripod {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::timeout: return "timeout";
    case ErrorCode::closed: return "closed";
    case ErrorCode::refused: return "refused";
    case ErrorCode::not_found: return "not found";
    case ErrorCode::exists: return "exists";
    case ErrorCode::conflict: return "conflict";
    case ErrorCode::invalid: return "invalid";
    case ErrorCode::too_large: return "too large";
    case ErrorCode::exhausted: return "exhausted";
    case ErrorCode::corrupt: return "corrupt";
    case ErrorCode::io: return "io";
    case ErrorCode::no_space: return "no space";
    case ErrorCode::denied: return "denied";
    case ErrorCode::unavailable: return "unavailable";
    case ErrorCode::unsupported: return "unsupported";
  }
  return "unknown";
}

std::string Error::to_string() const {
  return std::format("{}: {}", name_of(code), message);
}

std::unexpected<Error> wrap(std::string_view doing, Error error) {
  error.message = std::format("{}: {}", doing, error.message);
  return std::unexpected(std::move(error));
}

}  // namespace tripod
