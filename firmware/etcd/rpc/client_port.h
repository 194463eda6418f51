#pragma once
// What a member answers on listen-client-urls: the etcd v3 gRPC services, the same as JSON under
// /v3/, and over plain HTTP /health, /livez, /readyz, /version and /metrics. Give handler() to an
// http::Server whose streams are TLS sessions.
//
// Lives on the loop thread; the member outlives it.

#include <memory>

#include "firmware/etcd/member.h"
#include "platform/http/message.h"

namespace tripod::etcd::rpc {

class ClientPort {
 public:
  explicit ClientPort(Member& member);
  ~ClientPort();
  ClientPort(const ClientPort&) = delete;
  ClientPort& operator=(const ClientPort&) = delete;

  http::Handler& handler();
  /// For listen-metrics-urls: the plain HTTP alone.
  http::Handler& metrics_handler();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tripod::etcd::rpc
