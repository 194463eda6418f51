#pragma once
// Watches over nodes: silent ones become NotReady and tainted, their pods NotReady, and pods that
// do not tolerate the taint are evicted when their time is up. Evictions are rate limited, and stop
// when every node is silent: then it is we who are cut off.

#include "firmware/controllers/nodes/node_health.h"
#include "firmware/controllers/shell/controller.h"
#include "firmware/kube/client/rate_limiter.h"

namespace tripod::controllers {

struct NodeLifecycleConfig {
  std::chrono::milliseconds monitor_period{5'000};
  std::chrono::milliseconds grace_period{50'000};
  double eviction_rate = 0.1;
  double secondary_eviction_rate = 0.01;
  int large_cluster_size = 50;
  double unhealthy_threshold = 0.55;
};

class NodeLifecycleController final : public Controller {
 public:
  NodeLifecycleController(Hub& hub, NodeLifecycleConfig config);
  Task<void> tick() override;

 private:
  enum class Disruption : std::uint8_t { normal, partial, full };

  /// Keys are pods on tainted nodes: the taint eviction.
  Decision reconcile(const std::string& key, WallTime now) override;
  Task<void> monitor();
  Task<void> check_node(kube::ObjectPtr node);
  Task<void> taint(std::string name);
  Task<void> mark_pods_not_ready(std::string node);
  Disruption assess();
  void enqueue_pods(std::string_view node);
  void record(const json::Value& node, kube::EventType type, std::string reason,
              std::string message);

  NodeLifecycleConfig config_;
  kube::Store& nodes_;
  kube::Store& leases_;
  kube::Store& pods_;
  std::map<std::string, NodeHealth> health_;
  kube::TokenBucket evictions_;
  Disruption disruption_ = Disruption::normal;
};

}  // namespace tripod::controllers
