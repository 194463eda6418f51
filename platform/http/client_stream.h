#pragma once
// ClientStream: one request and its response on the client's side, whatever version carries it. The
// caller owns it, as a Call; the protocol borrows it from open() until it says detach(), or until
// the caller destroys it (on_abandoned).

#include "platform/http/body.h"
#include "platform/http/limits.h"
#include "platform/http/message.h"

namespace tripod::http {

class ClientStream final : public Call {
 public:
  /// The protocol that carries the stream.
  class Host {
   public:
    virtual ~Host() = default;
    /// More of `out`, or the end of it, waits to be sent.
    virtual void stream_output(ClientStream& stream) = 0;
    /// The caller took so many bytes of the response body.
    virtual void stream_consumed(ClientStream& stream, std::size_t bytes) = 0;
    /// The caller destroys the stream, finished or not. The protocol forgets it.
    virtual void stream_abandoned(ClientStream& stream) = 0;
  };

  ClientStream(RequestHead head, std::optional<Bytes> body, const Limits& limits);
  ~ClientStream() override;

  // --- Call ---
  Task<Result<>> write(Bytes data) override;
  void finish() override;
  Task<Result<ResponseHead>> head() override { co_return co_await head_; }
  Task<Result<std::optional<Bytes>>> read() override;
  const Headers& trailers() const override { return in.trailers(); }

  // --- the protocol's side ---
  void attach(Host& host) { host_ = &host; }
  /// The stream has ended on the wire; what was received can still be read.
  void detach() { host_ = nullptr; }
  void deliver_head(ResponseHead head) { head_.set(std::move(head)); }
  bool has_head() const { return head_.done(); }
  /// Fails what is not finished, and detaches.
  void lose(const Error& reason);

  std::int32_t id = 0;  // of HTTP/2
  RequestHead request;
  BodyQueue in;
  BodyQueue out;
  bool queued = false;     // the protocol's own mark
  bool submitted = false;  // the protocol has sent the head

 private:
  Host* host_ = nullptr;
  std::size_t queue_bytes_max_;
  async::Oneshot<ResponseHead> head_;
};

}  // namespace tripod::http
