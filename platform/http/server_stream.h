#pragma once
// ServerStream: one request and its response on the server's side, whatever version carries it. The
// protocol owns it, fills `request` and `in`, and sends `response` and `out`; the handler sees an
// Exchange on top of it. It runs the handler in a scope of its own and must stay until at_rest().

#include "platform/http/body.h"
#include "platform/http/limits.h"
#include "platform/http/message.h"

namespace tripod::http {

class ServerStream {
 public:
  /// The protocol. All calls may come from within ServerStream::start() and later from coroutines.
  class Host {
   public:
    virtual ~Host() = default;
    /// `response`, or more of `out`, or the end of it, waits to be sent.
    virtual void stream_output(ServerStream& stream) = 0;
    /// The handler took so many bytes of the request body.
    virtual void stream_consumed(ServerStream& stream, std::size_t bytes) = 0;
    /// The handler waits for a body that the client may be holding back (Expect: 100-continue).
    virtual void stream_awaits_body(ServerStream& stream) = 0;
    /// The handler let go of the exchange; without out.finished() the stream is to be reset.
    virtual void stream_released(ServerStream& stream) = 0;
    /// The handler's task ended: at_rest() is true. The stream may be destroyed from here.
    virtual void stream_at_rest(ServerStream& stream) = 0;
  };

  ServerStream(Host& host, os::Executor& executor, const Peer& peer, const Limits& limits);

  /// Runs the handler up to its first suspension.
  void start(Handler& handler);
  /// The peer or the connection is gone: everything pending fails, the handler is cancelled.
  void lose(Error reason);
  bool started() const { return started_; }
  bool released() const { return released_; }
  bool at_rest() const { return !started_ || rested_; }

  std::int32_t id = 0;  // of HTTP/2
  RequestHead request;
  BodyQueue in;
  BodyQueue out;
  std::optional<ResponseHead> response;
  bool submitted = false;           // the protocol has sent `response`
  bool sent = false;                // and the end of the response
  std::size_t discarded_bytes = 0;  // of the request's body, after the handler had ended
  bool queued = false;              // the protocol's own mark
  bool closed = false;              // the protocol is done with it

  /// No body goes with this response, whatever the handler writes.
  bool bodiless() const;

 private:
  class ServerExchange;
  friend class ServerExchange;

  Host& host_;
  const Peer& peer_;
  std::size_t body_bytes_max_;
  std::size_t queue_bytes_max_;
  std::size_t body_bytes_ = 0;
  Scope scope_;
  bool started_ = false;
  bool released_ = false;
  bool rested_ = false;
};

}  // namespace tripod::http
