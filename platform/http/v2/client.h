#pragma once
// The client's side of one HTTP/2 connection: many calls at once.

#include <functional>
#include <vector>

#include "platform/http/client_protocol.h"
#include "platform/http/v2/session.h"

namespace tripod::http::v2 {

class ClientSession final : public Session, public ClientProtocol, public ClientStream::Host {
 public:
  /// `scheme`: "https" or "http".
  /// `changed` is called, from anywhere, when can_open() or usable() may have changed.
  ClientSession(ProtocolHost& host, const Limits& limits, std::string scheme,
                std::function<void()> changed);
  ~ClientSession() override;

  // --- ClientProtocol ---
  void open(ClientStream& stream) override;
  bool can_open() const override;
  bool usable() const override { return !going_away_ && !broken_ && !wants_close(); }
  std::size_t active() const override { return streams_.size(); }

  // --- Protocol ---
  void connection_lost(Error reason) override;
  bool at_rest() const override { return true; }
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
  void go_away() override;
  BodyQueue& body_of(void* stream) override;
  void prepare_output() override;

  void stream_output(ClientStream& stream) override;
  void stream_consumed(ClientStream& stream, std::size_t bytes) override;
  void stream_abandoned(ClientStream& stream) override;

  void submit(ClientStream& stream);

  /// A header block between its begin and its end; one at a time per connection.
  struct Block {
    ResponseHead head;
    std::size_t bytes = 0;
    std::size_t fields = 0;
  };

  std::string scheme_;
  std::function<void()> changed_;
  std::vector<ClientStream*> streams_;  // attached
  std::vector<ClientStream*> output_;
  Block block_;
  Headers trailers_;  // of the stream that ends next
  bool going_away_ = false;
};

}  // namespace tripod::http::v2
