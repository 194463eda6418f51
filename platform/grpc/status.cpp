#include "platform/grpc/status.h"

namespace tripod::grpc {

std::string_view name_of(StatusCode code) {
  switch (code) {
    case StatusCode::ok: return "OK";
    case StatusCode::cancelled: return "Canceled";
    case StatusCode::unknown: return "Unknown";
    case StatusCode::invalid_argument: return "InvalidArgument";
    case StatusCode::deadline_exceeded: return "DeadlineExceeded";
    case StatusCode::not_found: return "NotFound";
    case StatusCode::already_exists: return "AlreadyExists";
    case StatusCode::permission_denied: return "PermissionDenied";
    case StatusCode::resource_exhausted: return "ResourceExhausted";
    case StatusCode::failed_precondition: return "FailedPrecondition";
    case StatusCode::aborted: return "Aborted";
    case StatusCode::out_of_range: return "OutOfRange";
    case StatusCode::unimplemented: return "Unimplemented";
    case StatusCode::internal: return "Internal";
    case StatusCode::unavailable: return "Unavailable";
    case StatusCode::data_loss: return "DataLoss";
    case StatusCode::unauthenticated: return "Unauthenticated";
  }
  return "Unknown";
}

Status Status::from_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::cancelled: return {StatusCode::cancelled, error.message};
    case ErrorCode::timeout: return {StatusCode::deadline_exceeded, error.message};
    case ErrorCode::closed:
    case ErrorCode::refused:
    case ErrorCode::unavailable: return {StatusCode::unavailable, error.message};
    case ErrorCode::not_found: return {StatusCode::not_found, error.message};
    case ErrorCode::exists: return {StatusCode::already_exists, error.message};
    case ErrorCode::conflict: return {StatusCode::failed_precondition, error.message};
    case ErrorCode::invalid: return {StatusCode::invalid_argument, error.message};
    case ErrorCode::too_large:
    case ErrorCode::exhausted:
    case ErrorCode::no_space: return {StatusCode::resource_exhausted, error.message};
    case ErrorCode::corrupt: return {StatusCode::data_loss, error.message};
    case ErrorCode::io: return {StatusCode::internal, error.message};
    case ErrorCode::denied: return {StatusCode::permission_denied, error.message};
    case ErrorCode::unsupported: return {StatusCode::unimplemented, error.message};
  }
  return {StatusCode::unknown, error.message};
}

}  // namespace tripod::grpc
