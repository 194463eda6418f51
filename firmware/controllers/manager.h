#pragma once
// The controller manager of one board: waits for the lease kube-controller-manager, then runs every
// controller until the lease is lost. While it waits it keeps no caches.
//
//   ControllerManager manager(transport, world, config, &metrics);
//   // Until the scope is cancelled; then stops, releases the lease and returns.
//   scope.spawn(manager.run());
//
// Loop thread only. Transport, world and metrics outlive it.

#include <memory>

#include "firmware/election/elector.h"
#include "platform/base/metrics.h"
#include "platform/http/message.h"
#include "platform/os/board.h"

namespace tripod::controllers {

struct Config {
  election::Config leader_election;  // name and identity are filled in when empty
  std::chrono::milliseconds node_monitor_period{5'000};
  std::chrono::milliseconds node_monitor_grace_period{
      50'000};                      // upstream's default since 1.32; 40 s before
  double node_eviction_rate = 0.1;  // nodes per second
  double secondary_node_eviction_rate = 0.01;
  int large_cluster_size_threshold = 50;
  double unhealthy_zone_threshold = 0.55;
  int terminated_pod_gc_threshold = 12'500;
  int max_endpoints_per_slice = 100;
  double requests_per_second = 100;
  int burst = 200;
  std::string
      root_ca_pem;  // published as ConfigMap kube-root-ca.crt in each namespace, unless empty
};

class ControllerManager {
 public:
  ControllerManager(http::Transport& transport, os::World& world, Config config,
                    metrics::Registry* metrics);
  ~ControllerManager();

  Task<void> run();
  const election::Elector& elector() const;

 private:
  class Session;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tripod::controllers
