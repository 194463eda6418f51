#pragma once
// etcd's JSON gateway: POST /v3/kv/range with {"key": "Zm9v"} is KV/Range. Answers of streams are
// lines {"result": ...}; their requests may be several JSON values behind one another.
//
// Lives on the loop thread.

#include "platform/http/message.h"

namespace tripod::etcd::rpc {

class Gateway final : public http::Handler {
 public:
  /// `grpc` answers the calls; `next` gets what is not under /v3/. Both outlive it.
  Gateway(http::Handler& grpc, http::Handler& next, std::size_t message_bytes_max)
      : grpc_(grpc), next_(next), message_bytes_max_(message_bytes_max) {}

  Task<void> handle(std::unique_ptr<http::Exchange> exchange) override;

 private:
  Task<void> answer(std::unique_ptr<http::Exchange> exchange);

  http::Handler& grpc_;
  http::Handler& next_;
  std::size_t message_bytes_max_;
};

}  // namespace tripod::etcd::rpc
