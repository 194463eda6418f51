#include "platform/http/v1/client.h"

#include "platform/http/v1/format.h"

namespace tripod::http::v1 {
namespace {

constexpr std::size_t incoming_bytes_max = 64 * 1024;  // of a body that nobody has read yet

}  // namespace

ClientSession::ClientSession(ProtocolHost& host, const Limits& limits,
                             std::function<void()> changed)
    : host_(host), changed_(std::move(changed)), parser_(Parser::Kind::response, *this, limits) {}

ClientSession::~ClientSession() {
  end({ErrorCode::closed, "connection closed"});
}

void ClientSession::open(ClientStream& stream) {
  CHECK(can_open());
  stream_ = &stream;
  request_ended_ = false;
  stream.attach(*this);
  host_.output_ready();
}

void ClientSession::receive(BytesView data) {
  while (!data.empty() && !ended_) {
    if (stream_ == nullptr) return end({ErrorCode::closed, "unasked response"});
    auto taken = parser_.parse(data);
    if (!taken) return end(std::move(taken.error()));
    data.remove_prefix(*taken);
  }
}

bool ClientSession::on_head() {
  if (parser_.response().status < 200) return false;  // another head follows
  if (stream_ == nullptr) return false;
  if (!parser_.keep_alive()) last_ = true;
  stream_->deliver_head(std::move(parser_.response()));
  return stream_->request.method == "HEAD";
}

void ClientSession::on_body(BytesView data) {
  if (stream_ != nullptr) stream_->in.append(data);
}

void ClientSession::on_end(Headers trailers) {
  if (stream_ == nullptr || !stream_->has_head()) return;
  ClientStream& stream = *std::exchange(stream_, nullptr);
  stream.in.finish(std::move(trailers));
  stream.lose({ErrorCode::closed, "the response has ended"});
  if (!request_ended_) last_ = true;
  if (last_) ended_ = true;
  changed_();
  host_.output_ready();
}

bool ClientSession::wants_data() const {
  return stream_ == nullptr || stream_->in.size() <= incoming_bytes_max;
}

void ClientSession::produce(Bytes& out, std::size_t bytes_max) {
  if (stream_ == nullptr || ended_ || request_ended_) return;
  if (!std::exchange(stream_->submitted, true)) produce_head(out);
  if (const std::size_t bytes = std::min(stream_->out.size(), bytes_max); bytes > 0) {
    if (chunked_) out += std::format("{:x}\r\n", bytes);
    stream_->out.take(bytes, out);
    if (chunked_) out += "\r\n";
  }
  if (!stream_->out.ended()) return;
  if (chunked_) out += "0\r\n\r\n";
  request_ended_ = true;
}

void ClientSession::produce_head(Bytes& out) {
  const RequestHead& head = stream_->request;
  append_request_line(out, head);
  append_fields(out, head.headers);
  chunked_ = !stream_->out.finished();
  if (chunked_) {
    append_field(out, "transfer-encoding", "chunked");
  } else if (!head.headers.has("content-length") &&
             (stream_->out.size() > 0 || head.method == "POST" || head.method == "PUT" ||
              head.method == "PATCH")) {
    append_field(out, "content-length", std::to_string(stream_->out.size()));
  }
  out += "\r\n";
}

void ClientSession::connection_lost(Error reason) {
  if (stream_ != nullptr && reason == ErrorCode::closed) parser_.finish();  // may call on_end()
  end(reason);
}

void ClientSession::end(const Error& reason) {
  ended_ = true;
  if (stream_ == nullptr) return;
  std::exchange(stream_, nullptr)->lose(reason);
  changed_();
  host_.output_ready();
}

void ClientSession::drain() {
  last_ = true;
  if (stream_ == nullptr) ended_ = true;
  host_.output_ready();
}

void ClientSession::timed_out() {
  end({ErrorCode::timeout, "the connection was idle"});
}

void ClientSession::stream_output(ClientStream&) {
  host_.output_ready();
}

void ClientSession::stream_consumed(ClientStream&, std::size_t) {
  host_.output_ready();
}

void ClientSession::stream_abandoned(ClientStream&) {
  stream_ = nullptr;
  ended_ = true;  // the rest of the response cannot be told from the next one
  changed_();
  host_.output_ready();
}

}  // namespace tripod::http::v1
