#include "platform/http/v2/session.h"

#include <memory>

namespace tripod::http::v2 {
namespace {

constexpr std::size_t settings_max = 32;             // entries of one SETTINGS frame
constexpr std::size_t outbound_ack_max = 1000;       // queued answers to PING and SETTINGS
constexpr std::size_t outbound_frames_max = 10'000;  // of any kind, for a peer that does not read
constexpr std::uint64_t resets_burst = 1000;  // RST_STREAM by the peer, and how many a second
constexpr std::uint64_t resets_per_second = 100;

// The one place where nghttp2's untyped pointers become ours.
Session& session_of(void* user_data) {
  return *static_cast<Session*>(user_data);
}

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

void* stream_at(nghttp2_session* session, std::int32_t id) {
  return nghttp2_session_get_stream_user_data(session, id);
}

bool is_first(const nghttp2_frame& frame) {
  return frame.headers.cat == NGHTTP2_HCAT_REQUEST || frame.headers.cat == NGHTTP2_HCAT_RESPONSE;
}

int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  return session_of(user_data).begin_headers(frame->hd.stream_id, is_first(*frame))
             ? 0
             : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int on_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
              std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
              std::uint8_t, void* user_data) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  session_of(user_data).header(frame->hd.stream_id, stream_at(session, frame->hd.stream_id),
                               text(name, name_size), text(value, value_size));
  return 0;
}

int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  session_of(user_data).frame_received(*frame);
  return 0;
}

int on_data_chunk_recv(nghttp2_session* session, std::uint8_t, std::int32_t id,
                       const std::uint8_t* data, std::size_t size, void* user_data) {
  session_of(user_data).data(id, stream_at(session, id), text(data, size));
  return 0;
}

int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error_code,
                    void* user_data) {
  session_of(user_data).stream_closed(id, stream_at(session, id), error_code);
  return 0;
}

int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  session_of(user_data).sent_stream(frame->hd.stream_id, stream_at(session, frame->hd.stream_id));
  return 0;
}

int on_send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* prefix,
                 std::size_t size, nghttp2_data_source*, void* user_data) {
  return session_of(user_data).send_frame(*frame, prefix, size);
}

nghttp2_ssize on_read_body(nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source*, void* user_data) {
  return session_of(user_data).read_body(id, size, *flags);
}

struct CallbacksDelete {
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
};
struct OptionDelete {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};

std::unique_ptr<nghttp2_session_callbacks, CallbacksDelete> make_callbacks() {
  nghttp2_session_callbacks* callbacks = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk_recv);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
  return std::unique_ptr<nghttp2_session_callbacks, CallbacksDelete>(callbacks);
}

}  // namespace

Session::Session(ProtocolHost& host, const Limits& limits, Role role)
    : host_(host), limits_(limits) {
  auto callbacks = make_callbacks();
  nghttp2_option* raw = nullptr;
  CHECK(nghttp2_option_new(&raw) == 0);
  std::unique_ptr<nghttp2_option, OptionDelete> option(raw);
  set_options(*option, role);
  CHECK((role == Role::server ? nghttp2_session_server_new2 : nghttp2_session_client_new2)(
            &session_, callbacks.get(), this, option.get()) == 0);
  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes_max)}};
  if (role == Role::server) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                        static_cast<std::uint32_t>(limits.streams_per_connection_max)});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) ==
        0);
  CHECK(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                              connection_window_bytes) == 0);
}

Session::~Session() {
  nghttp2_session_del(session_);
}

void Session::set_options(nghttp2_option& option, Role role) const {
  nghttp2_option_set_no_auto_window_update(&option, 1);
  nghttp2_option_set_no_closed_streams(&option, 1);
  nghttp2_option_set_max_settings(&option, settings_max);
  nghttp2_option_set_max_outbound_ack(&option, outbound_ack_max);
  nghttp2_option_set_max_send_header_block_length(&option, 2 * limits_.header_bytes_max);
  if (role == Role::server) {
    nghttp2_option_set_stream_reset_rate_limit(&option, resets_burst, resets_per_second);
    nghttp2_option_set_server_fallback_rfc7540_priorities(&option, 0);
  }
}

void Session::receive(BytesView data) {
  if (broken_) return;
  inside_receive_ = true;
  const nghttp2_ssize taken = nghttp2_session_mem_recv2(
      session_, reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  inside_receive_ = false;
  const bool flooded = nghttp2_session_get_outbound_queue_size(session_) > outbound_frames_max;
  if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC || taken == NGHTTP2_ERR_NOMEM || flooded) {
    broken_ = true;  // no last word: the peer does not read
  } else if (taken < 0) {
    const auto code =
        taken == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_INTERNAL_ERROR;
    nghttp2_session_terminate_session(session_, code);
  }
}

void Session::produce(Bytes& out, std::size_t bytes_max) {
  if (broken_) return;
  prepare_output();
  out_ = &out;
  out_bytes_max_ = bytes_max;
  while (out.size() < bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const nghttp2_ssize size = nghttp2_session_mem_send2(session_, &bytes);
    if (size < 0) broken_ = true;
    if (size <= 0) break;
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  }
  out_ = nullptr;
}

bool Session::wants_close() const {
  return broken_ ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

bool Session::ping() {
  if (!broken_) nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  host_.output_ready();
  return true;
}

nghttp2_ssize Session::read_body(std::int32_t id, std::size_t bytes_max, std::uint32_t& flags) {
  void* stream = stream_of(id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const BodyQueue& body = body_of(stream);
  const std::size_t bytes = std::min(bytes_max, body.size());
  const bool last = body.finished() && bytes == body.size();
  if (bytes == 0 && !last) return NGHTTP2_ERR_DEFERRED;
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (last) flags |= NGHTTP2_DATA_FLAG_EOF;
  if (last && body.trailers().size() > 0) {
    flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    std::vector<nghttp2_nv> fields;
    append_fields(fields, body.trailers());
    nghttp2_submit_trailer(session_, id, fields.data(), fields.size());
  }
  return static_cast<nghttp2_ssize>(bytes);
}

int Session::send_frame(const nghttp2_frame& frame, const std::uint8_t* prefix, std::size_t bytes) {
  void* stream = stream_of(frame.hd.stream_id);
  CHECK(stream != nullptr && out_ != nullptr);
  out_->append(reinterpret_cast<const char*>(prefix), 9);  // frame header, RFC 9113 section 4.1
  CHECK(frame.data.padlen == 0);
  BodyQueue& body = body_of(stream);
  const std::size_t before = out_->size();
  body.take(bytes, *out_);
  CHECK(out_->size() - before == bytes);
  return out_->size() < out_bytes_max_ ? 0 : NGHTTP2_ERR_PAUSE;
}

void Session::frame_received(const nghttp2_frame& frame) {
  const std::int32_t id = frame.hd.stream_id;
  if (frame.hd.type == NGHTTP2_SETTINGS) preface_received_ = true;
  if (frame.hd.type == NGHTTP2_GOAWAY) go_away();
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  void* stream = stream_of(id);
  if (frame.hd.type == NGHTTP2_HEADERS) end_headers(id, stream, is_first(frame));
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) end_stream(id, stream);
}

nghttp2_nv Session::field(std::string_view name, std::string_view value) {
  // nghttp2 copies both and does not write through the pointers.
  auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

void Session::append_fields(std::vector<nghttp2_nv>& out, const Headers& fields) {
  for (const auto& [name, value] : fields) {
    if (name == "connection" || name == "transfer-encoding" || name == "keep-alive" ||
        name == "upgrade" || name == "proxy-connection" || name == "host") {
      continue;
    }
    out.push_back(field(name, value));
  }
}

nghttp2_data_provider2 Session::provider() {
  return {{.ptr = nullptr}, on_read_body};
}

void Session::consume(std::int32_t id, std::size_t bytes) {
  if (bytes == 0 || broken_) return;
  nghttp2_session_consume(session_, id, bytes);
  host_.output_ready();
}

void Session::consume_connection(std::size_t bytes) {
  if (bytes == 0 || broken_) return;
  nghttp2_session_consume_connection(session_, bytes);
  host_.output_ready();
}

}  // namespace tripod::http::v2
