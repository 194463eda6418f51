#pragma once
// grpc::Channel: calls gRPC methods over an http::Transport (HTTP/2, or in process).
//
//   auto reply = co_await channel.unary("/etcdserverpb.KV/Range", request, {.timeout = 5s});
//   auto watch = co_await channel.open("/etcdserverpb.Watch/Watch");
//
// Lives on the loop thread. Cancelling the awaiting scope cancels the call.

#include <memory>

#include "platform/grpc/framing.h"
#include "platform/grpc/status.h"
#include "platform/http/message.h"
#include "platform/os/clock.h"

namespace tripod::grpc {

struct CallOptions {
  std::optional<Duration> timeout;  // tells the server, too
  http::Headers metadata;
};

/// A call under way. Destroying it resets it, unless it has ended.
class ClientCall {
 public:
  ClientCall(std::unique_ptr<http::Call> call, std::size_t message_bytes_max);

  Task<Reply<void>> write(Bytes message);
  /// No more messages from this side.
  void finish() { call_->finish(); }
  /// The next message; nullopt when the call ended with OK, else its status.
  Task<Reply<std::optional<Bytes>>> read();
  /// The connection said that the request was never looked at (REFUSED_STREAM, or it was not sent).
  bool refused() const { return refused_; }

 private:
  Status lost(const Error& error);
  /// The status that ends the call.
  Status outcome() const;

  std::unique_ptr<http::Call> call_;
  MessageReader reader_;
  std::optional<http::ResponseHead> head_;
  bool refused_ = false;
};

struct ChannelOptions {
  std::string authority;                             // empty: the transport's
  std::size_t message_bytes_max = 64 * 1024 * 1024;  // received
};

/// The outcome of one call, and whether the server may have seen the request. While it cannot have
/// seen it, repeating the call is safe, whatever the method does.
struct Attempt {
  Reply<Bytes> reply;
  bool sent = true;
};

class Channel {
 public:
  /// Both outlive the channel and its calls.
  Channel(os::Clock& clock, http::Transport& transport, ChannelOptions options = {});

  Task<Reply<Bytes>> unary(std::string method, Bytes request, CallOptions options = {});
  /// The same, for callers that repeat calls elsewhere.
  Task<Attempt> attempt(std::string method, Bytes request, CallOptions options = {});
  Task<Reply<std::unique_ptr<ClientCall>>> open(std::string method, CallOptions options = {});

 private:
  Task<Attempt> exchange(std::string method, Bytes request, CallOptions options);
  http::RequestHead head_of(std::string method, CallOptions options) const;

  os::Clock& clock_;
  http::Transport& transport_;
  ChannelOptions options_;
};

}  // namespace tripod::grpc
