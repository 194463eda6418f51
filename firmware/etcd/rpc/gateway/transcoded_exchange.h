#pragma once
// An HTTP exchange in JSON, seen by a gRPC server as one in gRPC. What the method answers once goes
// into the conversation, for the gateway to send; what it streams is written at once.
//
// Lives on the loop thread, as long as the gRPC server handles it.

#include "firmware/etcd/api/json_codec.h"
#include "firmware/etcd/rpc/gateway/routes.h"
#include "platform/grpc/framing.h"
#include "platform/http/message.h"

namespace tripod::etcd::rpc {

/// What the gateway and the exchange that it made share.
struct Conversation {
  http::Exchange& real;
  const Route& route;
  std::size_t message_bytes_max;
  std::string reply;                    // of a unary method
  bool responded = false;               // the head is out: a stream has begun
  std::optional<grpc::Status> refusal;  // the request was not JSON, or not its message's
  grpc::Status status{grpc::StatusCode::unknown, "the call ended without a status"};
};

class TranscodedExchange final : public http::Exchange {
 public:
  explicit TranscodedExchange(Conversation& conversation);

  const http::RequestHead& request() const override { return head_; }
  const http::Peer& peer() const override { return conversation_.real.peer(); }
  Task<Result<std::optional<Bytes>>> read() override;
  void set_body_limit(std::size_t bytes_max) override {
    conversation_.real.set_body_limit(bytes_max);
  }
  void respond(http::ResponseHead head) override;
  Task<Result<>> write(SharedBytes data) override;
  void finish(http::Headers trailers) override;

 private:
  Result<std::optional<Bytes>> refuse(std::string message);
  void take_status(const http::Headers& headers);

  Conversation& conversation_;
  http::RequestHead head_;
  JsonSplitter splitter_;
  grpc::MessageReader answers_;
  bool asked_ = false;  // the one request of a method that takes one was read
  bool body_ended_ = false;
};

/// What every answer of etcd's plain HTTP carries.
void add_cross_origin_headers(http::Headers& headers);

}  // namespace tripod::etcd::rpc
