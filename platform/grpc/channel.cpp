#include "platform/grpc/channel.h"

#include <charconv>

#include "platform/async/sync.h"

namespace tripod::grpc {
namespace {

Status status_in(const http::Headers& headers) {
  const std::string_view text = headers.get("grpc-status");
  unsigned code = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (error != std::errc() || end != text.data() + text.size() || code > 16) {
    return {StatusCode::unknown, std::format("malformed grpc-status \"{}\"", text)};
  }
  return {static_cast<StatusCode>(code), decode_status_message(headers.get("grpc-message"))};
}

/// Wraps what a call returns, so that a time limit fits around it.
Task<Result<Attempt>> as_result(Task<Attempt> task) {
  co_return co_await std::move(task);
}

Attempt failed(Status status, bool sent) {
  return {std::unexpected(std::move(status)), sent};
}

}  // namespace

ClientCall::ClientCall(std::unique_ptr<http::Call> call, std::size_t message_bytes_max)
    : call_(std::move(call)), reader_(message_bytes_max) {}

Task<Reply<void>> ClientCall::write(Bytes message) {
  auto written = co_await call_->write(framed(std::move(message)));
  if (!written) co_return std::unexpected(lost(written.error()));
  co_return Reply<void>{};
}

Status ClientCall::lost(const Error& error) {
  // http::Call says `unavailable` only of a request that nobody has processed.
  refused_ = !head_ && error == ErrorCode::unavailable;
  if (error == ErrorCode::cancelled) return Status::from_error(error);
  return {StatusCode::unavailable, error.message};
}

Task<Reply<std::optional<Bytes>>> ClientCall::read() {
  if (!head_) {
    auto head = co_await call_->head();
    if (!head) co_return std::unexpected(lost(head.error()));
    head_.emplace(std::move(*head));
  }
  if (head_->status != 200) {
    co_return reject(
        code_of_http_status(head_->status),
        std::format("unexpected HTTP status code received from server: {}", head_->status));
  }
  while (true) {
    auto message = reader_.next();
    if (!message || *message) co_return message;
    auto piece = co_await call_->read();
    if (!piece) co_return std::unexpected(lost(piece.error()));
    if (!*piece) break;
    reader_.feed(std::move(**piece));
  }
  Status status = outcome();
  if (!status.ok()) co_return std::unexpected(std::move(status));
  if (reader_.inside_message()) co_return reject(StatusCode::internal, "unexpected EOF");
  co_return std::nullopt;
}

Status ClientCall::outcome() const {
  if (call_->trailers().has("grpc-status")) return status_in(call_->trailers());
  if (head_->headers.has("grpc-status")) return status_in(head_->headers);
  return {StatusCode::internal, "server closed the stream without sending trailers"};
}

Channel::Channel(os::Clock& clock, http::Transport& transport, ChannelOptions options)
    : clock_(clock), transport_(transport), options_(std::move(options)) {}

http::RequestHead Channel::head_of(std::string method, CallOptions options) const {
  http::RequestHead head{"POST", std::move(method), {}, options_.authority, {}};
  head.headers = {{"content-type", "application/grpc"}, {"te", "trailers"}};
  if (options.timeout) head.headers.add("grpc-timeout", format_timeout(*options.timeout));
  for (const auto& [name, value] : options.metadata) head.headers.add(name, value);
  return head;
}

Task<Attempt> Channel::exchange(std::string method, Bytes request, CallOptions options) {
  auto opened = co_await transport_.open(head_of(std::move(method), std::move(options)),
                                         framed(std::move(request)));
  if (!opened) co_return failed(Status::from_error(opened.error()), false);
  ClientCall call(std::move(*opened), options_.message_bytes_max);
  auto response = co_await call.read();
  if (!response) co_return failed(std::move(response.error()), !call.refused());
  if (!*response) {
    co_return failed({StatusCode::internal, "no response message received"}, true);
  }
  auto end = co_await call.read();
  if (!end) co_return failed(std::move(end.error()), true);
  if (*end) {
    co_return failed({StatusCode::internal, "more than one response message received"}, true);
  }
  co_return Attempt{std::move(**response)};
}

Task<Attempt> Channel::attempt(std::string method, Bytes request, CallOptions options) {
  const auto timeout = options.timeout;
  auto task = exchange(std::move(method), std::move(request), std::move(options));
  if (!timeout) co_return co_await std::move(task);
  const MonotonicTime deadline = clock_.now() + *timeout;
  auto done = co_await async::with_timeout(clock_, *timeout, as_result(std::move(task)));
  const Reply<Bytes>& reply = done->reply;
  if (!reply && reply.error().code == StatusCode::cancelled && clock_.now() >= deadline) {
    co_return failed({StatusCode::deadline_exceeded, "context deadline exceeded"}, done->sent);
  }
  co_return std::move(*done);
}

Task<Reply<Bytes>> Channel::unary(std::string method, Bytes request, CallOptions options) {
  Attempt done = co_await attempt(std::move(method), std::move(request), std::move(options));
  co_return std::move(done.reply);
}

Task<Reply<std::unique_ptr<ClientCall>>> Channel::open(std::string method, CallOptions options) {
  auto opened =
      co_await transport_.open(head_of(std::move(method), std::move(options)), std::nullopt);
  if (!opened) co_return std::unexpected(Status::from_error(opened.error()));
  co_return std::make_unique<ClientCall>(std::move(*opened), options_.message_bytes_max);
}

}  // namespace tripod::grpc
