#pragma once
// Typed owners of libuv handles. A handle may be freed only after libuv has closed it, later than
// its owner's death: it lives in a small heap block of its own, which the close callback frees. The
// one void* cast of the house is here.

#include <uv.h>

#include <format>
#include <string_view>

#include "platform/base/result.h"

namespace tripod::linux_os {

/// The object that a handle's or request's callbacks belong to.
template <typename Owner, typename Uv>
Owner* owner_of(const Uv* uv) {
  return static_cast<Owner*>(uv->data);
}

/// Owns one uv_tcp_t, uv_timer_t, ... Destroying it closes the handle; no callback comes
/// afterwards.
template <typename Uv>
class UvHandle {
 public:
  explicit UvHandle(void* owner) : uv_(new Uv{}) { uv_->data = owner; }
  UvHandle(UvHandle&& other) noexcept : uv_(std::exchange(other.uv_, nullptr)) {}
  UvHandle& operator=(UvHandle&&) = delete;
  ~UvHandle() {
    if (uv_ == nullptr) return;
    if (uv_->type == UV_UNKNOWN_HANDLE) {  // never initialised
      delete uv_;
      return;
    }
    uv_->data = nullptr;
    uv_close(base(), [](uv_handle_t* closed) { delete reinterpret_cast<Uv*>(closed); });
  }

  Uv* get() const { return uv_; }
  uv_handle_t* base() const { return reinterpret_cast<uv_handle_t*>(uv_); }
  uv_stream_t* stream() const { return reinterpret_cast<uv_stream_t*>(uv_); }

 private:
  Uv* uv_;
};

/// A libuv status (negative errno) as an Error: "connecting to 127.0.0.1:1: connection refused".
inline Error uv_error(int status, std::string_view doing) {
  ErrorCode code = ErrorCode::io;
  switch (status) {
    case UV_ECONNREFUSED: code = ErrorCode::refused; break;
    case UV_ETIMEDOUT: code = ErrorCode::timeout; break;
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_EAI_AGAIN: code = ErrorCode::unavailable; break;
    case UV_EAI_NONAME:
    case UV_ENOENT: code = ErrorCode::not_found; break;
    case UV_EEXIST: code = ErrorCode::exists; break;
    case UV_EADDRINUSE: code = ErrorCode::conflict; break;
    case UV_EACCES:
    case UV_EPERM: code = ErrorCode::denied; break;
    case UV_ENOSPC: code = ErrorCode::no_space; break;
    case UV_EINVAL:
    case UV_EADDRNOTAVAIL: code = ErrorCode::invalid; break;
    case UV_ECANCELED: code = ErrorCode::cancelled; break;
    case UV_EOF: code = ErrorCode::closed; break;
    default: break;
  }
  return {code, std::format("{}: {}", doing, uv_strerror(status))};
}

}  // namespace tripod::linux_os
