#pragma once
// What etcd answers over plain HTTP on its client port: /health, /livez, /readyz, /version,
// /metrics.
//
// Lives on the loop thread; the member outlives it.

#include "firmware/etcd/member.h"
#include "firmware/etcd/rpc/service_metrics.h"
#include "platform/http/message.h"

namespace tripod::etcd::rpc {

class HealthHandler final : public http::Handler {
 public:
  HealthHandler(Member& member, ServiceMetrics& metrics) : member_(member), metrics_(metrics) {}
  Task<void> handle(std::unique_ptr<http::Exchange> exchange) override;

 private:
  struct Answer {
    int status = 200;
    std::string type = "text/plain; charset=utf-8";
    bool not_to_sniff = true;  // as Go says with its errors and plain texts
    std::string body;
  };

  Task<Answer> answer(std::string path, std::string query);
  Task<Answer> health(std::string query);
  Task<Answer> checks(std::string type, std::vector<std::string> names, std::string query);
  /// Empty when it passes.
  Task<std::string> failure_of(std::string check);

  Member& member_;
  ServiceMetrics& metrics_;
};

}  // namespace tripod::etcd::rpc
