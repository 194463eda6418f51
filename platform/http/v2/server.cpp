#include "platform/http/v2/server.h"

namespace tripod::http::v2 {
namespace {

ServerStream& stream_at(void* stream) {
  return *static_cast<ServerStream*>(stream);
}

}  // namespace

ServerSession::ServerSession(ProtocolHost& host, os::Executor& executor, Handler& handler,
                             const Peer& peer, const Limits& limits)
    : Session(host, limits, Role::server), executor_(executor), handler_(handler), peer_(peer) {}

ServerSession::~ServerSession() {
  CHECK(at_rest());
}

void ServerSession::receive(BytesView data) {
  Session::receive(data);
  start_ready();
}

void ServerSession::start_ready() {
  // A handler may not start within nghttp2's callbacks; by now the body may have come, too.
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    if (ready_[i] != nullptr) ready_[i]->start(handler_);
  }
  ready_.clear();
}

void ServerSession::connection_lost(Error reason) {
  lost_ = true;
  broken_ = true;
  ready_.clear();
  output_.clear();
  std::erase_if(streams_, [&](auto& entry) {
    ServerStream& stream = *entry.second;
    nghttp2_session_set_stream_user_data(session_, stream.id, nullptr);
    stream.closed = true;
    stream.queued = false;
    stream.lose(reason);
    return stream.at_rest();
  });
  host_.output_ready();
}

Phase ServerSession::phase() const {
  if (head_pending_ || !preface_received_) return Phase::head;
  return streams_.empty() ? Phase::idle : Phase::busy;
}

void ServerSession::drain() {
  if (draining_ || lost_) return;
  draining_ = true;
  if (streams_.empty()) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  } else {
    nghttp2_submit_shutdown_notice(session_);
  }
  host_.output_ready();
}

void ServerSession::timed_out() {
  if (!broken_) nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
}

bool ServerSession::begin_headers(std::int32_t id, bool first) {
  head_pending_ = true;
  head_ = {};
  if (!first) return true;
  // Streams that were reset but whose handlers have not ended yet count, too (CVE-2023-44487).
  if (streams_.size() >= 2 * limits_.streams_per_connection_max) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    head_pending_ = false;
    return true;
  }
  auto stream = std::make_unique<ServerStream>(*this, executor_, peer_, limits_);
  stream->id = id;
  nghttp2_session_set_stream_user_data(session_, id, stream.get());
  streams_.emplace(id, std::move(stream));
  return true;
}

void ServerSession::header(std::int32_t, void* stream, std::string_view name,
                           std::string_view value) {
  if (stream == nullptr || stream_at(stream).started()) return;  // trailers have no reader
  head_.bytes += name.size() + value.size();
  if (++head_.fields > limits_.header_fields_max || head_.bytes > limits_.header_bytes_max) return;
  RequestHead& head = stream_at(stream).request;
  if (name == ":method") {
    head.method = value;
  } else if (name == ":authority") {
    head.authority = value;
  } else if (name == ":path") {
    const std::size_t mark = std::min(value.find('?'), value.size());
    head.path = value.substr(0, mark);
    head.query = value.substr(std::min(mark + 1, value.size()));
  } else if (name == "host" && head.authority.empty()) {
    head.authority = value;
  } else if (!name.starts_with(':')) {
    head.headers.add(std::string(name), std::string(value));
  }
}

void ServerSession::end_headers(std::int32_t, void* stream, bool first) {
  head_pending_ = false;
  if (stream == nullptr || !first) return;
  if (head_.fields > limits_.header_fields_max || head_.bytes > limits_.header_bytes_max) {
    return reject(stream_at(stream), 431);
  }
  ready_.push_back(&stream_at(stream));
}

void ServerSession::data(std::int32_t id, void* pointer, BytesView bytes) {
  if (pointer == nullptr) return consume(id, bytes.size());
  ServerStream& stream = stream_at(pointer);
  if (!stream.released()) return stream.in.append(bytes);
  consume(id, bytes.size());
  stream.discarded_bytes += bytes.size();
  stop_upload(stream);
}

void ServerSession::end_stream(std::int32_t, void* stream) {
  if (stream != nullptr && !stream_at(stream).in.finished()) stream_at(stream).in.finish();
}

void ServerSession::stream_closed(std::int32_t, void* pointer, std::uint32_t error_code) {
  if (pointer == nullptr) return;
  ServerStream& stream = stream_at(pointer);
  stream.closed = true;
  consume_connection(stream.in.size());
  const bool whole = stream.in.finished() && stream.out.ended();
  if (error_code != NGHTTP2_NO_ERROR || !whole) {
    stream.lose({ErrorCode::closed,
                 std::format("stream closed by the peer: {}", nghttp2_http2_strerror(error_code))});
  }
  erase_if_done(stream);
}

void ServerSession::sent_stream(std::int32_t, void* stream) {
  if (stream == nullptr) return;
  stream_at(stream).sent = true;
  stop_upload(stream_at(stream));
}

void ServerSession::stop_upload(ServerStream& stream) {
  if (!stream.sent || !stream.released() || stream.in.finished()) return;
  // Some clients (curl 7.88) lose the answer over a reset: an upload with an end in sight may go
  // on.
  const bool ends = stream.request.headers.has("content-length");
  if (ends && stream.discarded_bytes <= limits_.body_bytes_max) return;
  reset(stream, NGHTTP2_NO_ERROR);
}

BodyQueue& ServerSession::body_of(void* stream) {
  return stream_at(stream).out;
}

void ServerSession::prepare_output() {
  for (ServerStream* stream : std::exchange(output_, {})) {
    stream->queued = false;
    if (stream->closed || !stream->response) continue;
    if (!stream->submitted) {
      submit(*stream);
    } else {
      nghttp2_session_resume_data(session_, stream->id);
    }
  }
  if (draining_ && streams_.empty() && !broken_) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  }
}

void ServerSession::submit(ServerStream& stream) {
  stream.submitted = true;
  const std::string status = std::to_string(stream.response->status);
  std::vector<nghttp2_nv> fields;
  fields.reserve(1 + stream.response->headers.size());
  fields.push_back(field(":status", status));
  append_fields(fields, stream.response->headers);
  const bool has_body =
      !stream.bodiless() && !(stream.out.ended() && stream.out.trailers().size() == 0);
  const nghttp2_data_provider2 body = provider();
  const int submitted = nghttp2_submit_response2(session_, stream.id, fields.data(), fields.size(),
                                                 has_body ? &body : nullptr);
  if (submitted != 0) reset(stream, NGHTTP2_INTERNAL_ERROR);
}

void ServerSession::reject(ServerStream& stream, int status) {
  stream.response.emplace(ResponseHead{status, {{"content-length", "0"}}});
  stream.in.fail({ErrorCode::closed, "rejected"});
  stream.out.finish();
  stream_output(stream);
}

void ServerSession::reset(ServerStream& stream, std::uint32_t error_code) {
  if (stream.closed || broken_) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, error_code);
  host_.output_ready();
}

void ServerSession::erase_if_done(ServerStream& stream) {
  if (!stream.closed || !stream.at_rest()) return;
  nghttp2_session_set_stream_user_data(session_, stream.id, nullptr);
  std::erase(output_, &stream);
  std::ranges::replace(ready_, &stream, nullptr);
  streams_.erase(stream.id);
  host_.output_ready();
}

void ServerSession::stream_output(ServerStream& stream) {
  if (stream.queued || stream.closed) return;
  stream.queued = true;
  output_.push_back(&stream);
  host_.output_ready();
}

void ServerSession::stream_consumed(ServerStream& stream, std::size_t bytes) {
  if (!stream.closed) consume(stream.id, bytes);
}

void ServerSession::stream_awaits_body(ServerStream& stream) {
  if (stream.closed || stream.response || stream.request.headers.get("expect") != "100-continue") {
    return;
  }
  stream.request.headers.set("expect", "");
  const nghttp2_nv status = field(":status", "100");
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &status, 1, nullptr);
  host_.output_ready();
}

void ServerSession::stream_released(ServerStream& stream) {
  if (stream.closed) return;
  consume(stream.id, stream.in.size());
  stream.in.clear();
  if (!stream.out.finished()) reset(stream, NGHTTP2_INTERNAL_ERROR);
  stop_upload(stream);
}

void ServerSession::stream_at_rest(ServerStream& stream) {
  erase_if_done(stream);
}

}  // namespace tripod::http::v2
