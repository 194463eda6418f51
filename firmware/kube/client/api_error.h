#pragma once
// What the API answered instead of what was asked for: the Status object of the protocol as a
// value.

#include <expected>
#include <optional>
#include <string>

#include "platform/base/result.h"
#include "platform/json/json.h"

namespace tripod::kube {

struct ApiError {
  int code = 0;  // the HTTP status; 0: no answer, and the request may or may not have taken effect
  std::string reason;   // "Conflict", "NotFound", ...; for code 0 the name of the transport's error
  std::string message;  // for people
  std::optional<std::chrono::seconds> retry_after;

  bool is_not_found() const { return code == 404; }
  bool is_conflict() const { return code == 409 && reason != "AlreadyExists"; }
  bool already_exists() const { return code == 409 && reason == "AlreadyExists"; }
  /// The resourceVersion or continue token is too old: list again.
  bool is_gone() const { return code == 410; }
  bool is_cancelled() const { return code == 0 && reason == "cancelled"; }
  bool no_answer() const { return code == 0; }

  /// "409 Conflict: ...", "timeout: ...".
  std::string to_string() const;
};

template <typename T = void>
using ApiResult = std::expected<T, ApiError>;

ApiError from_transport(const Error& error);
/// From the body of an answer that is no success; a body that is no Status becomes the message.
ApiError from_response(int code, std::string_view retry_after, std::string_view body);
/// From the Status object of a watch's ERROR event.
ApiError from_status(const json::Value& status);

}  // namespace tripod::kube
