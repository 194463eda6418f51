#include "platform/http/v2/client.h"

#include <charconv>

namespace tripod::http::v2 {
namespace {

constexpr std::size_t streams_before_settings_max = 100;

ClientStream& stream_at(void* stream) {
  return *static_cast<ClientStream*>(stream);
}

Error reset_error(std::uint32_t error_code) {
  const auto message =
      std::format("stream reset by the peer: {}", nghttp2_http2_strerror(error_code));
  // Refused streams were not processed and may be tried again (RFC 9113 section 8.7).
  return {error_code == NGHTTP2_REFUSED_STREAM ? ErrorCode::unavailable : ErrorCode::closed,
          message};
}

}  // namespace

ClientSession::ClientSession(ProtocolHost& host, const Limits& limits, std::string scheme,
                             std::function<void()> changed)
    : Session(host, limits, Role::client),
      scheme_(std::move(scheme)),
      changed_(std::move(changed)) {}

ClientSession::~ClientSession() {
  connection_lost({ErrorCode::closed, "connection closed"});
}

void ClientSession::open(ClientStream& stream) {
  CHECK(can_open());
  stream.attach(*this);
  streams_.push_back(&stream);
  stream_output(stream);
}

bool ClientSession::can_open() const {
  const std::size_t streams_max =
      preface_received_
          ? nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
          : streams_before_settings_max;
  return usable() && streams_.size() < streams_max;
}

Phase ClientSession::phase() const {
  if (!preface_received_) return Phase::head;
  return streams_.empty() ? Phase::idle : Phase::busy;
}

void ClientSession::drain() {
  going_away_ = true;
  if (streams_.empty()) timed_out();
}

void ClientSession::timed_out() {
  if (broken_) return;
  nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  host_.output_ready();
}

void ClientSession::connection_lost(Error reason) {
  broken_ = true;
  output_.clear();
  for (ClientStream* stream : std::exchange(streams_, {})) {
    if (stream->id > 0) nghttp2_session_set_stream_user_data(session_, stream->id, nullptr);
    // `unavailable` is for what nobody has processed, and may be tried again, whatever it does.
    const bool processed = stream->submitted && reason == ErrorCode::unavailable;
    if (stream->submitted && !processed) {
      stream->lose(reason);
    } else {
      stream->lose({processed ? ErrorCode::closed : ErrorCode::unavailable, reason.message});
    }
  }
}

bool ClientSession::begin_headers(std::int32_t, bool) {
  block_ = {};
  return true;
}

void ClientSession::header(std::int32_t id, void* stream, std::string_view name,
                           std::string_view value) {
  if (stream == nullptr) return;
  block_.bytes += name.size() + value.size();
  if (++block_.fields > limits_.header_fields_max || block_.bytes > limits_.header_bytes_max) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_ENHANCE_YOUR_CALM);
    return;
  }
  if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), block_.head.status);
  } else if (!name.starts_with(':')) {
    block_.head.headers.add(std::string(name), std::string(value));
  }
}

void ClientSession::end_headers(std::int32_t, void* pointer, bool) {
  if (pointer == nullptr) return;
  ClientStream& stream = stream_at(pointer);
  ResponseHead head = std::exchange(block_, {}).head;
  if (stream.has_head()) {
    trailers_ = std::move(head.headers);
  } else if (head.status >= 200) {
    stream.deliver_head(std::move(head));
  }
}

void ClientSession::data(std::int32_t id, void* stream, BytesView bytes) {
  if (stream == nullptr) return consume(id, bytes.size());
  stream_at(stream).in.append(bytes);
}

void ClientSession::end_stream(std::int32_t, void* stream) {
  if (stream == nullptr || stream_at(stream).in.finished()) return;
  stream_at(stream).in.finish(std::exchange(trailers_, {}));
}

void ClientSession::stream_closed(std::int32_t, void* pointer, std::uint32_t error_code) {
  if (pointer == nullptr) return;
  ClientStream& stream = stream_at(pointer);
  std::erase(streams_, &stream);
  std::erase(output_, &stream);
  consume_connection(stream.in.size());
  stream.lose(reset_error(error_code));
  changed_();
  host_.output_ready();
}

void ClientSession::go_away() {
  going_away_ = true;
  changed_();
  host_.output_ready();
}

BodyQueue& ClientSession::body_of(void* stream) {
  return stream_at(stream).out;
}

void ClientSession::prepare_output() {
  for (ClientStream* stream : std::exchange(output_, {})) {
    stream->queued = false;
    if (!stream->submitted) {
      submit(*stream);
    } else {
      nghttp2_session_resume_data(session_, stream->id);
    }
  }
  if (going_away_ && streams_.empty()) timed_out();
}

void ClientSession::submit(ClientStream& stream) {
  stream.submitted = true;
  const RequestHead& head = stream.request;
  const std::string path = head.query.empty() ? head.path : head.path + '?' + head.query;
  std::vector<nghttp2_nv> fields = {field(":method", head.method), field(":scheme", scheme_),
                                    field(":authority", head.authority), field(":path", path)};
  append_fields(fields, head.headers);
  const nghttp2_data_provider2 body = provider();
  stream.id = nghttp2_submit_request2(session_, nullptr, fields.data(), fields.size(),
                                      stream.out.ended() ? nullptr : &body, &stream);
  if (stream.id > 0) return;
  std::erase(streams_, &stream);
  going_away_ = true;  // out of stream numbers
  stream.lose({ErrorCode::unavailable, nghttp2_strerror(stream.id)});
}

void ClientSession::stream_output(ClientStream& stream) {
  if (std::exchange(stream.queued, true)) return;
  output_.push_back(&stream);
  host_.output_ready();
}

void ClientSession::stream_consumed(ClientStream& stream, std::size_t bytes) {
  consume(stream.id, bytes);
}

void ClientSession::stream_abandoned(ClientStream& stream) {
  std::erase(streams_, &stream);
  std::erase(output_, &stream);
  if (broken_ || stream.id <= 0) return;
  consume(stream.id, stream.in.size());
  nghttp2_session_set_stream_user_data(session_, stream.id, nullptr);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
  host_.output_ready();
}

}  // namespace tripod::http::v2
