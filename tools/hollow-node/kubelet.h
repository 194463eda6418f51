#pragma once
// One hollow kubelet: a Node object, its lease, and the pods bound to it.
//
// Loop thread only. Client and entropy outlive it.

#include <map>
#include <memory>
#include <set>
#include <string>

#include "firmware/kube/client/informer.h"
#include "firmware/kube/client/work_queue.h"

namespace tripod::hollow {

struct NodeConfig {
  std::string name;
  int number = 0;  // chooses addresses: 10.200.<number>.0/24 for pods
  std::string cpu = "4";
  std::string memory = "8Gi";
  int pods_max = 110;
  std::chrono::milliseconds startup_latency{300};
};

/// The Node object as it registers. Pure.
json::Value make_node(const NodeConfig& config, WallTime now);
/// status as a kubelet would report a pod whose containers run, or have ended (`finished`). Pure.
json::Value running_status(const json::Value& pod, std::string_view pod_ip,
                           std::string_view host_ip, WallTime now);
json::Value ended_status(const json::Value& pod, WallTime now);
std::string host_ip_of(const NodeConfig& config);

class Kubelet {
 public:
  Kubelet(kube::Client& client, os::Entropy& entropy, Logger logger, NodeConfig config);

  /// Until its scope is cancelled.
  Task<void> run();

 private:
  Task<void> register_node();
  Task<void> renew_lease();
  Task<void> report_status();
  Task<void> work();
  Task<kube::ApiResult<>> sync(std::string key);
  Task<kube::ApiResult<>> start_pod(kube::ObjectPtr pod);
  Task<kube::ApiResult<>> end_pod(kube::ObjectPtr pod);
  Task<kube::ApiResult<>> patch_status(kube::ObjectPtr pod, json::Value status);
  Task<kube::ApiResult<>> post_status();
  std::string address_for(const std::string& uid);
  Duration jitter(Duration period);

  kube::Client& client_;
  os::Clock& clock_;
  os::Entropy& entropy_;
  Logger logger_;
  NodeConfig config_;
  kube::Informer pods_;
  kube::WorkQueue queue_;
  std::string node_uid_;
  std::map<std::string, std::string> addresses_;  // pod uid -> ip
  std::set<std::string> addresses_in_use_;
  std::map<std::string, MonotonicTime> start_at_;  // pod uid -> when its containers run
  std::map<std::string, MonotonicTime> end_at_;    // pod uid -> when its containers have ended
};

}  // namespace tripod::hollow
