#include "platform/http/client_stream.h"

namespace tripod::http {

ClientStream::ClientStream(RequestHead head, std::optional<Bytes> body, const Limits& limits)
    : request(std::move(head)),
      in(0),
      out(limits.stream_queue_bytes_max / 2),
      queue_bytes_max_(limits.stream_queue_bytes_max) {
  if (!body) return;
  out.push(std::move(*body));
  out.finish();
}

ClientStream::~ClientStream() {
  if (host_ != nullptr) host_->stream_abandoned(*this);
}

Task<Result<>> ClientStream::write(Bytes data) {
  if (out.error()) co_return std::unexpected(*out.error());
  if (out.finished()) co_return fail(ErrorCode::closed, "the request has ended");
  out.push(std::move(data));
  if (host_ != nullptr) host_->stream_output(*this);
  while (out.size() > queue_bytes_max_ && !out.error()) {
    if (auto woken = co_await out.writable(); !woken) co_return woken;
  }
  if (out.error()) co_return std::unexpected(*out.error());
  co_return Result<>{};
}

void ClientStream::finish() {
  if (out.finished()) return;
  out.finish();
  if (host_ != nullptr) host_->stream_output(*this);
}

Task<Result<std::optional<Bytes>>> ClientStream::read() {
  while (true) {
    if (auto piece = in.poll()) {
      if (*piece && **piece && host_ != nullptr) host_->stream_consumed(*this, (**piece)->size());
      co_return std::move(*piece);
    }
    if (auto woken = co_await in.readable(); !woken) {
      co_return std::unexpected(std::move(woken.error()));
    }
  }
}

void ClientStream::lose(const Error& reason) {
  host_ = nullptr;
  in.fail(reason);
  out.fail(reason);
  head_.fail(reason);
}

}  // namespace tripod::http
