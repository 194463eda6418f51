#pragma once
// Session: one nghttp2 session as a Protocol (RFC 9113), of either role. Owns the callbacks, the
// limits and the output; ServerSession and ClientSession add what a message means.

#include <nghttp2/nghttp2.h>

#include "platform/http/body.h"
#include "platform/http/limits.h"
#include "platform/http/protocol.h"

namespace tripod::http::v2 {

/// Flow control: what a peer may send before somebody read it.
inline constexpr std::int32_t stream_window_bytes = 64 * 1024;
inline constexpr std::int32_t connection_window_bytes = 1024 * 1024;

class Session : public Protocol {
 public:
  enum class Role : std::uint8_t { server, client };
  Session(ProtocolHost& host, const Limits& limits, Role role);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void receive(BytesView data) override;
  void produce(Bytes& out, std::size_t bytes_max) override;
  bool wants_close() const override;
  bool ping() override;

  // --- events, called by nghttp2 from within receive() or produce(); false refuses the stream ---
  virtual bool begin_headers(std::int32_t id, bool first) = 0;
  virtual void header(std::int32_t id, void* stream, std::string_view name,
                      std::string_view value) = 0;
  virtual void end_headers(std::int32_t id, void* stream, bool first) = 0;
  virtual void data(std::int32_t id, void* stream, BytesView bytes) = 0;
  virtual void end_stream(std::int32_t id, void* stream) = 0;
  virtual void stream_closed(std::int32_t id, void* stream, std::uint32_t error_code) = 0;
  /// The last frame that this side sends on the stream has been produced.
  virtual void sent_stream(std::int32_t /*id*/, void* /*stream*/) {}
  virtual void go_away() {}
  /// The body that stream sends.
  virtual BodyQueue& body_of(void* stream) = 0;
  /// Called before output is gathered, to submit what is pending.
  virtual void prepare_output() {}

  // --- for the callbacks of nghttp2 ---
  nghttp2_ssize read_body(std::int32_t id, std::size_t bytes_max, std::uint32_t& flags);
  int send_frame(const nghttp2_frame& frame, const std::uint8_t* prefix, std::size_t bytes);
  void frame_received(const nghttp2_frame& frame);

 protected:
  /// Name-value pairs that borrow from `fields`, without what HTTP/2 forbids (RFC 9113
  /// section 8.2.2).
  static void append_fields(std::vector<nghttp2_nv>& out, const Headers& fields);
  static nghttp2_nv field(std::string_view name, std::string_view value);
  static nghttp2_data_provider2 provider();
  void consume(std::int32_t id, std::size_t bytes);
  /// For bytes of a stream that is closed.
  void consume_connection(std::size_t bytes);
  void* stream_of(std::int32_t id) const {
    return nghttp2_session_get_stream_user_data(session_, id);
  }

  ProtocolHost& host_;
  const Limits& limits_;
  nghttp2_session* session_ = nullptr;
  bool head_pending_ = false;      // a header block has begun and not ended
  bool preface_received_ = false;  // the peer's SETTINGS
  bool broken_ = false;            // nghttp2 gave up
  bool inside_receive_ = false;

 private:
  void set_options(nghttp2_option& option, Role role) const;

  Bytes* out_ = nullptr;  // while producing
  std::size_t out_bytes_max_ = 0;
};

}  // namespace tripod::http::v2
