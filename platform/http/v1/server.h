#pragma once
// The server's side of one HTTP/1.1 connection (RFC 9112): one exchange after the other, pipelined
// requests wait.

#include <memory>

#include "platform/http/protocol.h"
#include "platform/http/server_stream.h"
#include "platform/http/v1/parser.h"

namespace tripod::http::v1 {

class ServerSession final : public Protocol, public ParserSink, public ServerStream::Host {
 public:
  /// Everything outlives the session; the session outlives its handler (see at_rest).
  ServerSession(ProtocolHost& host, os::Executor& executor, Handler& handler, const Peer& peer,
                const Limits& limits);
  ~ServerSession() override;

  void receive(BytesView data) override;
  void produce(Bytes& out, std::size_t bytes_max) override;
  bool wants_close() const override { return ended_; }
  bool wants_data() const override;
  void connection_lost(Error reason) override;
  bool at_rest() const override { return !stream_; }
  Phase phase() const override;
  void drain() override;
  void timed_out() override;

 private:
  enum class Framing : std::uint8_t { none, length, chunked, until_close };

  bool on_head() override;
  void on_body(BytesView data) override;
  void on_end(Headers trailers) override;

  void stream_output(ServerStream& stream) override;
  void stream_consumed(ServerStream& stream, std::size_t bytes) override;
  void stream_awaits_body(ServerStream& stream) override;
  void stream_released(ServerStream& stream) override;
  void stream_at_rest(ServerStream& stream) override;

  void feed(BytesView data);
  /// Answers what cannot be understood or does not come, and ends the connection.
  void refuse(int status, Error reason);
  void produce_head(Bytes& out);
  void produce_body(Bytes& out, std::size_t bytes_max);
  void produce_end(Bytes& out);
  /// Goes on to the next request once the exchange has ended on all sides.
  void advance();

  ProtocolHost& host_;
  os::Executor& executor_;
  Handler& handler_;
  const Peer& peer_;
  const Limits& limits_;
  Parser parser_;
  std::unique_ptr<ServerStream> stream_;
  Bytes early_;    // 100 Continue, or a refusal
  Bytes waiting_;  // what came behind the current request
  Framing framing_ = Framing::none;
  std::uint64_t body_left_ = 0;  // of Framing::length
  bool start_pending_ = false;
  bool first_ = true;            // no whole head has come yet
  bool request_ended_ = false;   // the current request has come as a whole
  bool response_ended_ = false;  // the current response has been produced as a whole
  bool keep_alive_ = true;
  bool mute_ = false;   // the current exchange says nothing any more
  bool close_ = false;  // after what is being said
  bool ended_ = false;
};

}  // namespace tripod::http::v1
