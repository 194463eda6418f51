#pragma once
// The series that etcd exposes about what it is and serves, beside those that the parts of a member
// and the gRPC server keep themselves.
//
// Lives on the loop thread; the member outlives it.

#include "firmware/etcd/member.h"

namespace tripod::etcd::rpc {

class ServiceMetrics {
 public:
  explicit ServiceMetrics(Member& member);

  /// /health answered.
  void count_health(bool good);
  /// `type`: "livez" or "readyz".
  void count_check(const std::string& type, const std::string& name, bool good);

 private:
  void collect();

  Member& member_;
  metrics::Registry& registry_;
  metrics::Counter& health_good_;
  metrics::Counter& health_bad_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tripod::etcd::rpc
