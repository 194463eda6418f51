#pragma once
// Pods and nodes as the scheduler sees them: parsed once, compared often. Pure values.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "firmware/kube/client/objects.h"
#include "firmware/scheduler/resources.h"

namespace tripod::scheduler {

struct Taint {
  std::string key;
  std::string value;
  std::string effect;
};

struct Toleration {
  std::string key;
  std::string op;  // "Equal" (also when empty) or "Exists"
  std::string value;
  std::string effect;

  bool tolerates(const Taint& taint) const;
};

/// One matchExpressions or matchFields entry of a node selector.
struct NodeRequirement {
  std::string key;
  std::string op;  // In, NotIn, Exists, DoesNotExist, Gt, Lt
  std::vector<std::string> values;
  bool field = false;  // metadata.name rather than a label
};
using NodeTerm = std::vector<NodeRequirement>;

struct HostPort {
  std::string protocol;
  std::string ip;  // empty and 0.0.0.0 mean all
  std::int64_t port = 0;

  bool conflicts(const HostPort& other) const;
};

struct PodInfo {
  std::string key;
  std::string uid;
  std::string controller_uid;
  std::string node_name;
  std::int64_t priority = 0;
  Resources requests;
  Resources scoring_requests;
  std::map<std::string, std::string> node_selector;
  bool has_required_terms = false;
  std::vector<NodeTerm> required_terms;                   // any of them
  std::vector<std::pair<int, NodeTerm>> preferred_terms;  // weight
  std::vector<Toleration> tolerations;
  std::vector<HostPort> host_ports;

  static PodInfo parse(const json::Value& pod);
  bool tolerates(const Taint& taint) const;
};

struct NodeInfo {
  std::string name;
  std::map<std::string, std::string> labels;
  std::vector<Taint> taints;
  bool unschedulable = false;
  Resources allocatable;
  std::int64_t pods_max = 0;
  // Of the pods placed here:
  Resources requested;
  Resources scoring_requested;
  std::int64_t pods = 0;
  std::vector<HostPort> host_ports;
  std::map<std::string, int> by_controller;

  /// What the Node object says; the pods placed stay as they are.
  void read(const json::Value& node);
  void place(const PodInfo& pod);
  void unplace(const PodInfo& pod);
};

/// Same for scheduling: labels, taints, cordon and allocatable. Heartbeats do not count.
bool equal_for_scheduling(const json::Value& before, const json::Value& now);

/// Removes what scheduling does not look at, before a pod or node is cached.
void prune_pod(json::Value& pod);
void prune_node(json::Value& node);

}  // namespace tripod::scheduler
