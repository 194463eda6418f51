#include "firmware/kube/client/api_error.h"

namespace tripod::kube {
namespace {

constexpr std::size_t message_bytes_max = 1024;

std::optional<std::chrono::seconds> parse_seconds(std::string_view text) {
  int value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return std::chrono::seconds(std::min(value, 3600));
}

}  // namespace

std::string ApiError::to_string() const {
  return code == 0 ? std::format("{}: {}", reason, message)
                   : std::format("{} {}: {}", code, reason, message);
}

ApiError from_transport(const Error& error) {
  return {.code = 0,
          .reason = std::string(name_of(error.code)),
          .message = error.message,
          .retry_after = {}};
}

ApiError from_status(const json::Value& status) {
  ApiError error{.code = static_cast<int>(json::get_int(status, "code").value_or(500)),
                 .reason = std::string(json::get_string(status, "reason")),
                 .message = std::string(json::get_string(status, "message")),
                 .retry_after = {}};
  if (auto after = json::get_int(status, "details", "retryAfterSeconds"); after && *after > 0) {
    error.retry_after = std::chrono::seconds(std::min<std::int64_t>(*after, 3600));
  }
  return error;
}

ApiError from_response(int code, std::string_view retry_after, std::string_view body) {
  ApiError error;
  auto status = json::parse(body);
  if (status && json::get_string(*status, "kind") == "Status") {
    error = from_status(*status);
  } else {
    error.message = std::string(body.substr(0, message_bytes_max));
  }
  error.code = code;
  if (auto after = parse_seconds(retry_after)) error.retry_after = after;
  return error;
}

}  // namespace tripod::kube
