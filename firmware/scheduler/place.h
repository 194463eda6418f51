#pragma once
// Where a pod goes: filters, then scores. Pure: the same nodes, pod and seed give the same answer.
// Names, order, weights and messages of the plugins are kube-scheduler's defaults.

#include <map>
#include <string>

#include "firmware/scheduler/model.h"

namespace tripod::scheduler {

using Nodes = std::map<std::string, NodeInfo, std::less<>>;

struct Placement {
  std::string node;                    // empty: nowhere
  std::map<std::string, int> reasons;  // reason -> number of nodes, when nowhere
  int nodes = 0;

  /// "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)."
  std::string message() const;
};

/// `seed` breaks ties between nodes of the same score.
Placement place(const Nodes& nodes, const PodInfo& pod, std::uint64_t seed);

/// Why this node cannot take the pod; empty if it can. The reasons of the first plugin that says
/// no.
std::vector<std::string> filter(const NodeInfo& node, const PodInfo& pod);

}  // namespace tripod::scheduler
