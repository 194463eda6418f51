#pragma once
// The server's side of one HTTP/2 connection: streams become Exchanges of a handler.

#include <memory>
#include <unordered_map>
#include <vector>

#include "platform/http/server_stream.h"
#include "platform/http/v2/session.h"

namespace tripod::http::v2 {

class ServerSession final : public Session, public ServerStream::Host {
 public:
  /// Everything outlives the session; the session outlives its handlers (see at_rest).
  ServerSession(ProtocolHost& host, os::Executor& executor, Handler& handler, const Peer& peer,
                const Limits& limits);
  ~ServerSession() override;

  void receive(BytesView data) override;
  void connection_lost(Error reason) override;
  bool at_rest() const override { return streams_.empty(); }
  Phase phase() const override;
  void drain() override;
  void timed_out() override;

 private:
  bool begin_headers(std::int32_t id, bool first) override;
  void header(std::int32_t id, void* stream, std::string_view name,
              std::string_view value) override;
  void end_headers(std::int32_t id, void* stream, bool first) override;
  void data(std::int32_t id, void* stream, BytesView bytes) override;
  void end_stream(std::int32_t id, void* stream) override;
  void stream_closed(std::int32_t id, void* stream, std::uint32_t error_code) override;
  void sent_stream(std::int32_t id, void* stream) override;
  BodyQueue& body_of(void* stream) override;
  void prepare_output() override;

  void stream_output(ServerStream& stream) override;
  void stream_consumed(ServerStream& stream, std::size_t bytes) override;
  void stream_awaits_body(ServerStream& stream) override;
  void stream_released(ServerStream& stream) override;
  void stream_at_rest(ServerStream& stream) override;

  void start_ready();
  void submit(ServerStream& stream);
  /// Answers without a handler.
  void reject(ServerStream& stream, int status);
  void reset(ServerStream& stream, std::uint32_t error_code);
  /// Tells a client that still sends a body to an answered request to stop (RFC 9113 section 8.1).
  void stop_upload(ServerStream& stream);
  void erase_if_done(ServerStream& stream);

  /// What a stream is until its head is whole.
  struct HeadSize {
    std::size_t bytes = 0;
    std::size_t fields = 0;
  };

  os::Executor& executor_;
  Handler& handler_;
  const Peer& peer_;
  std::unordered_map<std::int32_t, std::unique_ptr<ServerStream>> streams_;
  std::vector<ServerStream*> ready_;  // heads that came during receive()
  std::vector<ServerStream*> output_;
  HeadSize head_;  // of the one header block that may be open
  bool draining_ = false;
  bool lost_ = false;
};

}  // namespace tripod::http::v2
