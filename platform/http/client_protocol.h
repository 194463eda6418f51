#pragma once
// What NetworkTransport needs of a protocol, beside bytes: v1::ClientSession and v2::ClientSession.

#include "platform/http/client_stream.h"

namespace tripod::http {

class ClientProtocol {
 public:
  virtual ~ClientProtocol() = default;
  /// Sends that request. Needs can_open(). Borrows `stream` until it is detached or destroyed.
  virtual void open(ClientStream& stream) = 0;
  /// Another request may be sent now.
  virtual bool can_open() const = 0;
  /// Another request may be sent now or later.
  virtual bool usable() const = 0;
  /// Requests under way.
  virtual std::size_t active() const = 0;
};

}  // namespace tripod::http
