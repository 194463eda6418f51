#include "platform/http/v1/server.h"

#include <charconv>

#include "platform/http/v1/format.h"

namespace tripod::http::v1 {
namespace {

constexpr std::size_t waiting_bytes_max = 64 * 1024;   // pipelined requests
constexpr std::size_t incoming_bytes_max = 64 * 1024;  // of a body that nobody has read yet

std::optional<std::uint64_t> content_length(const Headers& headers) {
  const std::string_view text = headers.get("content-length");
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

}  // namespace

ServerSession::ServerSession(ProtocolHost& host, os::Executor& executor, Handler& handler,
                             const Peer& peer, const Limits& limits)
    : host_(host),
      executor_(executor),
      handler_(handler),
      peer_(peer),
      limits_(limits),
      parser_(Parser::Kind::request, *this, limits) {}

ServerSession::~ServerSession() {
  CHECK(at_rest());
}

void ServerSession::receive(BytesView data) {
  if (close_ && (!stream_ || request_ended_)) return;
  if (stream_ && request_ended_) {
    waiting_ += data;
  } else {
    feed(data);
  }
}

void ServerSession::feed(BytesView data) {
  while (!data.empty() && !ended_ && !mute_) {
    if (stream_ && request_ended_) {
      waiting_.append(data);
      return;
    }
    auto taken = parser_.parse(data);
    if (std::exchange(start_pending_, false) && stream_) stream_->start(handler_);
    if (!taken) {
      const int status = taken.error() == ErrorCode::too_large ? 431 : 400;
      return refuse(status, {ErrorCode::invalid, "malformed request"});
    }
    data.remove_prefix(*taken);
  }
}

void ServerSession::refuse(int status, Error reason) {
  close_ = true;
  if (!stream_ || !stream_->submitted) early_ += closing_response(status);
  if (stream_) {
    mute_ = true;
    stream_->lose(std::move(reason));
  }
  host_.output_ready();
}

bool ServerSession::on_head() {
  CHECK(!stream_);
  stream_ = std::make_unique<ServerStream>(*this, executor_, peer_, limits_);
  stream_->request = std::move(parser_.request());
  first_ = false;
  request_ended_ = false;
  response_ended_ = false;
  keep_alive_ = parser_.at_least_1_1() && parser_.keep_alive();
  start_pending_ = true;
  return false;
}

void ServerSession::on_body(BytesView data) {
  if (stream_ && !stream_->released()) stream_->in.append(data);
}

void ServerSession::on_end(Headers trailers) {
  request_ended_ = true;
  if (stream_) stream_->in.finish(std::move(trailers));
}

bool ServerSession::wants_data() const {
  if (waiting_.size() > waiting_bytes_max) return false;
  return !stream_ || stream_->in.size() <= incoming_bytes_max;
}

Phase ServerSession::phase() const {
  if (stream_) return request_ended_ || stream_->response ? Phase::busy : Phase::body;
  return first_ || parser_.inside_head() ? Phase::head : Phase::idle;
}

void ServerSession::drain() {
  if (stream_) {
    keep_alive_ = false;
  } else {
    close_ = true;
  }
  host_.output_ready();
}

void ServerSession::timed_out() {
  if (stream_ && !request_ended_) {
    return refuse(408, {ErrorCode::timeout, "the rest of the request did not come"});
  }
  close_ = true;
  if (parser_.inside_head()) early_ += closing_response(408);
  host_.output_ready();
}

void ServerSession::connection_lost(Error reason) {
  ended_ = true;
  mute_ = true;
  if (stream_) {
    stream_->lose(std::move(reason));
    if (stream_->at_rest()) stream_.reset();
  }
  host_.output_ready();
}

void ServerSession::produce(Bytes& out, std::size_t bytes_max) {
  if (ended_) return;
  out += std::exchange(early_, {});
  if (stream_ && stream_->response && !mute_ && !response_ended_) {
    if (!stream_->submitted) produce_head(out);
    produce_body(out, bytes_max);
    if (stream_->out.ended()) produce_end(out);
  }
  if (close_ && (!stream_ || mute_ || response_ended_)) ended_ = true;
  advance();
}

void ServerSession::produce_head(Bytes& out) {
  ResponseHead& head = *stream_->response;
  stream_->submitted = true;
  append_status_line(out, head.status);
  append_fields(out, head.headers);
  const auto length = content_length(head.headers);
  if (stream_->bodiless()) {
    framing_ = Framing::none;
  } else if (length) {
    framing_ = Framing::length;
    body_left_ = *length;
  } else if (stream_->out.finished() && stream_->out.trailers().size() == 0) {
    framing_ = Framing::length;
    body_left_ = stream_->out.size();
    append_field(out, "content-length", std::to_string(body_left_));
  } else if (parser_.at_least_1_1()) {
    framing_ = Framing::chunked;
    append_field(out, "transfer-encoding", "chunked");
  } else {
    framing_ = Framing::until_close;
    keep_alive_ = false;
  }
  if (!request_ended_) keep_alive_ = false;  // the rest of the request may be long
  if (!keep_alive_) append_field(out, "connection", "close");
  out += "\r\n";
}

void ServerSession::produce_body(Bytes& out, std::size_t bytes_max) {
  BodyQueue& body = stream_->out;
  std::size_t bytes = std::min(body.size(), bytes_max);
  if (bytes == 0) return;
  switch (framing_) {
    case Framing::none: body.clear(); break;
    case Framing::chunked:
      out += std::format("{:x}\r\n", bytes);
      body.take(bytes, out);
      out += "\r\n";
      break;
    case Framing::until_close: body.take(bytes, out); break;
    case Framing::length:
      bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, body_left_));
      body.take(bytes, out);
      body_left_ -= bytes;
      if (body_left_ == 0 && body.size() > 0) {  // more than was announced
        body.clear();
        keep_alive_ = false;
      }
      break;
  }
}

void ServerSession::produce_end(Bytes& out) {
  response_ended_ = true;
  if (framing_ == Framing::chunked) {
    out += "0\r\n";
    append_fields(out, stream_->out.trailers());
    out += "\r\n";
  }
  if (framing_ == Framing::length && body_left_ > 0) keep_alive_ = false;
  if (!keep_alive_) close_ = true;
}

void ServerSession::advance() {
  if (!stream_ || !stream_->at_rest() || start_pending_) return;
  const bool over = mute_ || ended_ || (response_ended_ && (request_ended_ || close_));
  if (!over) return;
  stream_.reset();
  if (mute_ || ended_ || close_) return;
  if (!waiting_.empty()) feed(std::exchange(waiting_, {}));
}

void ServerSession::stream_output(ServerStream&) {
  host_.output_ready();
}

void ServerSession::stream_consumed(ServerStream&, std::size_t) {
  if (stream_->in.size() <= incoming_bytes_max) host_.output_ready();
}

void ServerSession::stream_awaits_body(ServerStream& stream) {
  if (stream.response || request_ended_ || stream.request.headers.get("expect") != "100-continue") {
    return;
  }
  stream.request.headers.set("expect", "");
  early_ += "HTTP/1.1 100 Continue\r\n\r\n";
  host_.output_ready();
}

void ServerSession::stream_released(ServerStream& stream) {
  stream.in.clear();
  if (!stream.out.finished()) {  // what was promised does not come
    mute_ = true;
    close_ = true;
  }
  host_.output_ready();
}

void ServerSession::stream_at_rest(ServerStream&) {
  advance();
  host_.output_ready();
}

}  // namespace tripod::http::v1
