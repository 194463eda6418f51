#include "platform/http/server_stream.h"

namespace tripod::http {

/// Borrows the stream, which outlives the handler's task and so the exchange.
class ServerStream::ServerExchange final : public Exchange {
 public:
  explicit ServerExchange(ServerStream& stream) : stream_(stream) {}
  ~ServerExchange() override {
    stream_.released_ = true;
    stream_.host_.stream_released(stream_);
  }

  const RequestHead& request() const override { return stream_.request; }
  const Peer& peer() const override { return stream_.peer_; }
  void set_body_limit(std::size_t bytes_max) override { stream_.body_bytes_max_ = bytes_max; }

  Task<Result<std::optional<Bytes>>> read() override {
    while (true) {
      if (auto piece = stream_.in.poll()) {
        if (!*piece || !**piece) co_return std::move(*piece);
        const std::size_t bytes = (**piece)->size();
        stream_.body_bytes_ += bytes;
        stream_.host_.stream_consumed(stream_, bytes);
        if (stream_.body_bytes_ > stream_.body_bytes_max_) {
          co_return fail(ErrorCode::too_large,
                         std::format("request body above {} bytes", stream_.body_bytes_max_));
        }
        co_return std::move(*piece);
      }
      stream_.host_.stream_awaits_body(stream_);
      if (auto woken = co_await stream_.in.readable(); !woken) {
        co_return std::unexpected(std::move(woken.error()));
      }
    }
  }

  void respond(ResponseHead head) override {
    CHECK(!stream_.response, "respond() twice");
    stream_.response.emplace(std::move(head));
    stream_.host_.stream_output(stream_);
  }

  Task<Result<>> write(SharedBytes data) override {
    CHECK(stream_.response, "write() before respond()");
    if (stream_.out.error()) co_return std::unexpected(*stream_.out.error());
    if (stream_.bodiless()) co_return Result<>{};
    stream_.out.push(std::move(data));
    stream_.host_.stream_output(stream_);
    while (stream_.out.size() > stream_.queue_bytes_max_ && !stream_.out.error()) {
      if (auto woken = co_await stream_.out.writable(); !woken) co_return woken;
    }
    if (stream_.out.error()) co_return std::unexpected(*stream_.out.error());
    co_return Result<>{};
  }

  void finish(Headers trailers) override {
    CHECK(stream_.response, "finish() before respond()");
    stream_.out.finish(std::move(trailers));
    stream_.host_.stream_output(stream_);
  }

 private:
  ServerStream& stream_;
};

ServerStream::ServerStream(Host& host, os::Executor& executor, const Peer& peer,
                           const Limits& limits)
    : in(0),
      out(limits.stream_queue_bytes_max / 2),
      host_(host),
      peer_(peer),
      body_bytes_max_(limits.body_bytes_max),
      queue_bytes_max_(limits.stream_queue_bytes_max),
      scope_(executor) {}

void ServerStream::start(Handler& handler) {
  CHECK(!started_);
  started_ = true;
  scope_.spawn(handler.handle(std::make_unique<ServerExchange>(*this)));
  scope_.when_idle([this] {
    CHECK(released_, "a handler kept its exchange");
    rested_ = true;
    host_.stream_at_rest(*this);
  });
}

void ServerStream::lose(Error reason) {
  in.fail(reason);
  out.fail(std::move(reason));
  scope_.cancel();
}

bool ServerStream::bodiless() const {
  return request.method == "HEAD" ||
         (response && (response->status == 204 || response->status == 304));
}

}  // namespace tripod::http
