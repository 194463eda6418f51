#pragma once
// Which nodes are alive, and what follows: conditions, taints. Pure. A node is silent when neither
// its status nor its lease has changed for the grace period, by our clock.

#include <map>
#include <string>

#include "firmware/controllers/shell/decision.h"

namespace tripod::controllers {

struct NodeHealth {
  std::string lease_renewed;  // spec.renewTime as last seen
  std::string heartbeat;      // of the Ready condition, as last seen
  MonotonicTime seen{};       // when either last changed
};

/// Remembers a change of lease or heartbeat.
void observe(NodeHealth& health, const json::Value& node, const json::Value* lease,
             MonotonicTime now);

/// "True", "False" or "Unknown".
std::string_view ready_status(const json::Value& node);

/// The status with every condition Unknown, for a node that has been silent too long; nothing if it
/// says so already.
std::optional<json::Value> status_of_silent_node(const json::Value& node, WallTime now);

/// The taints the node should have for its conditions and spec.unschedulable; others stay. `evict`:
/// NoExecute taints may be added; those that no longer apply are removed in any case. Nothing if
/// they are right already.
std::optional<json::Value> with_taints(const json::Value& node, bool evict, WallTime now);

/// How long the pod may stay on a node with these NoExecute taints: nothing: for ever; zero: not at
/// all.
std::optional<Duration> tolerated_for(const json::Value& pod, const json::Value& node,
                                      WallTime now);

}  // namespace tripod::controllers
