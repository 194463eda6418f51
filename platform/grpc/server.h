#pragma once
// grpc::Server: gRPC methods behind an http::Server (HTTP/2). Requests that are not gRPC go to a
// fallback handler, so that /health or /metrics can live on the same port.
//
//   grpc::Server server(world.clock, registry, {}, &health);
//   server.add_unary("/etcdserverpb.KV/Range", [this](CallContext call, Bytes request) { return
//   range(call, request); }); http::Server listener(world.executor, world.clock, server, ...);
//
// Lives on the loop thread.

#include <functional>
#include <map>
#include <memory>

#include "platform/base/metrics.h"
#include "platform/grpc/status.h"
#include "platform/http/message.h"
#include "platform/os/clock.h"

namespace tripod::grpc {

struct ServerLimits {
  std::size_t message_bytes_max = 2 * 1024 * 1024;  // received
};

namespace detail {
class Invocation;
}

/// What is known about a call. A small handle, valid until the method's task ends.
class CallContext {
 public:
  explicit CallContext(detail::Invocation& invocation) : invocation_(&invocation) {}
  /// All header fields of the request, custom metadata among them.
  const http::Headers& metadata() const;
  const http::Peer& peer() const;
  /// From grpc-timeout; the method's scope is cancelled then.
  std::optional<MonotonicTime> deadline() const;

 private:
  detail::Invocation* invocation_;
};

/// A call with a stream of messages in at least one direction. A small handle, valid until the
/// method's task ends; one coroutine may read while another writes.
class ServerCall {
 public:
  explicit ServerCall(detail::Invocation& invocation) : invocation_(&invocation) {}
  CallContext context() const { return CallContext(*invocation_); }
  /// The client's next message; nullopt when it sends no more. A status that is not ok is meant to
  /// be returned.
  Task<Reply<std::optional<Bytes>>> read();
  /// Returns when flow control has taken enough of what is queued.
  Task<Reply<void>> write(Bytes message);
  /// For one message to many clients, without a copy.
  Task<Reply<void>> write(SharedBytes message);

 private:
  detail::Invocation* invocation_;
};

using UnaryMethod = std::function<Task<Reply<Bytes>>(CallContext, Bytes)>;
using StreamMethod = std::function<Task<Status>(ServerCall)>;
enum class MethodType : std::uint8_t { unary, client_stream, server_stream, bidi_stream };

class Server final : public http::Handler {
 public:
  /// `fallback` may be null: what is not gRPC is then answered with 415.
  Server(os::Clock& clock, metrics::Registry& metrics, ServerLimits limits = {},
         http::Handler* fallback = nullptr);
  ~Server() override;

  /// Counts the bytes of messages, as etcd_network_client_grpc_received_bytes_total and its
  /// counterpart do. Both outlive the server.
  void count_bytes(metrics::Counter& received, metrics::Counter& sent);

  /// Asked before each call of a known method, with its path: a status turns it away.
  void set_guard(std::function<std::optional<Status>(std::string_view path)> guard) {
    guard_ = std::move(guard);
  }

  /// `path`: "/etcdserverpb.KV/Range".
  void add_unary(std::string path, UnaryMethod method);
  void add_stream(std::string path, MethodType type, StreamMethod method);

  Task<void> handle(std::unique_ptr<http::Exchange> exchange) override;

 private:
  friend class detail::Invocation;
  struct Method;

  Method& add(std::string path, MethodType type);
  /// Counts a call that ended, and how long it took.
  void count(Method& method, StatusCode code, MonotonicTime begin);
  Task<void> serve(std::unique_ptr<http::Exchange> exchange, Method* method);
  /// Null, and why, for a path that names no method.
  Method* find(std::string_view path, Status& why) const;

  os::Clock& clock_;
  metrics::Registry& metrics_;
  ServerLimits limits_;
  http::Handler* fallback_;
  std::function<std::optional<Status>(std::string_view)> guard_;
  metrics::Counter* received_bytes_ = nullptr;
  metrics::Counter* sent_bytes_ = nullptr;
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_;
};

}  // namespace tripod::grpc
