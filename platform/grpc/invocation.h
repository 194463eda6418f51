#pragma once
// One running call of a grpc::Server: between an Exchange and a method. Lives in the frame of
// Server::serve().

#include "platform/grpc/framing.h"
#include "platform/grpc/server.h"

namespace tripod::grpc {

/// A registered method and its series.
struct Server::Method {
  std::string service;
  std::string name;
  MethodType type = MethodType::unary;
  UnaryMethod unary;
  StreamMethod stream;
  metrics::Counter* started = nullptr;
  metrics::Counter* received = nullptr;
  metrics::Counter* sent = nullptr;
  std::array<metrics::Counter*, 17> handled{};  // by code, made when first needed
  metrics::Histogram* seconds = nullptr;        // made when first needed
};

namespace detail {

class Invocation {
 public:
  Invocation(http::Exchange& exchange_in, Server::Method& method_in, std::size_t message_bytes_max)
      : exchange(exchange_in), method(method_in), reader_(message_bytes_max) {}

  Task<Reply<std::optional<Bytes>>> read();
  /// `message` carries its prefix itself when `prefix` is null.
  Task<Reply<void>> write(SharedBytes prefix, SharedBytes message);
  /// Ends the call; without messages sent, in one header block.
  void finish(const Status& status);

  http::Exchange& exchange;
  Server::Method& method;
  std::optional<MonotonicTime> deadline;
  metrics::Counter* received_bytes = nullptr;  // of all methods; null when nobody counts
  metrics::Counter* sent_bytes = nullptr;

 private:
  MessageReader reader_;
  bool responded_ = false;
};

}  // namespace detail
}  // namespace tripod::grpc
