#pragma once
// The client's side of one HTTP/1.1 connection (RFC 9112): one call at a time, no pipelining.

#include <functional>

#include "platform/http/client_protocol.h"
#include "platform/http/protocol.h"
#include "platform/http/v1/parser.h"

namespace tripod::http::v1 {

class ClientSession final : public Protocol,
                            public ClientProtocol,
                            public ParserSink,
                            public ClientStream::Host {
 public:
  /// `changed` is called, from anywhere, when can_open() or usable() may have changed.
  ClientSession(ProtocolHost& host, const Limits& limits, std::function<void()> changed);
  ~ClientSession() override;

  // --- ClientProtocol ---
  void open(ClientStream& stream) override;
  bool can_open() const override { return stream_ == nullptr && usable(); }
  bool usable() const override { return !ended_ && !last_; }
  std::size_t active() const override { return stream_ == nullptr ? 0 : 1; }

  // --- Protocol ---
  void receive(BytesView data) override;
  void produce(Bytes& out, std::size_t bytes_max) override;
  bool wants_close() const override { return ended_; }
  bool wants_data() const override;
  void connection_lost(Error reason) override;
  bool at_rest() const override { return true; }
  Phase phase() const override { return stream_ == nullptr ? Phase::idle : Phase::busy; }
  void drain() override;
  void timed_out() override;

 private:
  bool on_head() override;
  void on_body(BytesView data) override;
  void on_end(Headers trailers) override;

  void stream_output(ClientStream& stream) override;
  void stream_consumed(ClientStream& stream, std::size_t bytes) override;
  void stream_abandoned(ClientStream& stream) override;

  void produce_head(Bytes& out);
  /// Ends the connection; the call fails with `reason`.
  void end(const Error& reason);

  ProtocolHost& host_;
  std::function<void()> changed_;
  Parser parser_;
  ClientStream* stream_ = nullptr;
  bool chunked_ = false;
  bool request_ended_ = false;
  bool last_ = false;  // no further call on this connection
  bool ended_ = false;
};

}  // namespace tripod::http::v1
