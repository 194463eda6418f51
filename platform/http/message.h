#pragma once
// HTTP messages as both versions share them (RFC 9110). A handler sees an Exchange and never knows
// whether HTTP/1.1, HTTP/2 or an in-process caller is behind it; a caller sees a Transport and
// never knows either.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/async/task.h"
#include "platform/base/bytes.h"
#include "platform/base/result.h"
#include "platform/os/network.h"

namespace tripod::http {

/// Header fields in order, names in lower case.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  /// The first value of that name, or empty.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  void add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
  }
  /// Replaces every field of that name.
  void set(std::string_view name, std::string value);
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<Field> fields_;
};

struct RequestHead {
  std::string method;  // "GET"
  std::string path;    // "/api/v1/pods", still percent-encoded
  std::string query;   // "watch=1&limit=500", without '?', still encoded
  std::string authority;
  Headers headers;
};

struct ResponseHead {
  int status = 200;
  Headers headers;
};

/// Who is on the other side. An in-process caller states an identity that no network peer can
/// claim.
struct Peer {
  os::Address address;
  std::shared_ptr<const os::PeerCertificate> certificate;  // null without one
  bool in_process = false;
  std::string in_process_user;                 // "system:kube-scheduler", when in_process
  std::vector<std::string> in_process_groups;  //
};

/// One request and its response, from the server's side. When the peer goes away, the scope of the
/// handler's task is cancelled and every call here fails with `closed` or `cancelled`.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const RequestHead& request() const = 0;
  virtual const Peer& peer() const = 0;
  /// The next piece of the request body; nullopt at its end. Fails with too_large past the server's
  /// limit.
  virtual Task<Result<std::optional<Bytes>>> read() = 0;
  /// Replaces the server's limit on this request's body, for streams of messages that are bounded
  /// one by one.
  virtual void set_body_limit(std::size_t /*bytes_max*/) {}
  /// Sends the head. Exactly once, before write() and finish().
  virtual void respond(ResponseHead head) = 0;
  /// Queues a piece of the response body; returns when the peer's flow control has taken enough of
  /// what is queued.
  virtual Task<Result<>> write(SharedBytes data) = 0;
  /// Ends the response. An exchange destroyed without it is reset.
  virtual void finish(Headers trailers = {}) = 0;
};

/// The whole body; too_large when it passes `bytes_max`.
Task<Result<Bytes>> read_all(Exchange& exchange, std::size_t bytes_max);
/// Sends a complete response with its content-length.
Task<Result<>> send(Exchange& exchange, ResponseHead head, SharedBytes body);

/// Answers requests. One task per request, many at once; lives on the loop thread.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual Task<void> handle(std::unique_ptr<Exchange> exchange) = 0;
};

/// One request and its response, from the client's side. Destroying it resets what is not finished.
class Call {
 public:
  virtual ~Call() = default;
  /// Queues a piece of the request body, for calls opened with Body::streamed.
  virtual Task<Result<>> write(Bytes data) = 0;
  /// Ends a streamed request body.
  virtual void finish() = 0;
  /// The response's head, awaited once, first.
  virtual Task<Result<ResponseHead>> head() = 0;
  /// The next piece of the response body; nullopt at its end.
  virtual Task<Result<std::optional<Bytes>>> read() = 0;
  /// Valid after read() returned nullopt.
  virtual const Headers& trailers() const = 0;
};

/// Opens requests to one service, wherever it runs. Connections are made and kept as needed.
class Transport {
 public:
  virtual ~Transport() = default;
  /// `body` without a value: the caller streams it with Call::write and Call::finish.
  virtual Task<Result<std::unique_ptr<Call>>> open(RequestHead head, std::optional<Bytes> body) = 0;
};

struct Response {
  ResponseHead head;
  Bytes body;
};
/// One whole request and response.
Task<Result<Response>> fetch(Transport& transport, RequestHead head, Bytes body,
                             std::size_t response_bytes_max);

/// "a%2Fb" -> "a/b"; fails on a broken escape. '+' means blank only in queries.
Result<std::string> percent_decode(std::string_view text, bool query);
std::string percent_encode(std::string_view text);
/// "a=1&b=2" -> decoded pairs in order.
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

}  // namespace tripod::http
