#pragma once
// ReplicaSet and ReplicationController: as many pods as asked for. One pure function for both
// kinds.
//
// A pod's name follows from the owner's uid and the lowest free slot (names.h), so a leader with an
// old view cannot make a pod that exists already.

#include <functional>

#include "firmware/controllers/adoption.h"
#include "firmware/controllers/controller.h"

namespace tripod::controllers {

struct ReplicaView {
  kube::Resource resource;
  kube::ObjectPtr owner;
  std::vector<kube::ObjectPtr> candidates;  // controlled pods and orphans of the namespace
  std::vector<kube::ObjectPtr>
      related;  // pods of sibling sets of the same controller, for crowded nodes
  std::function<bool(const std::string& name)> name_taken;
  const std::string* failure = nullptr;  // what the last write failed with
};

Decision reconcile_replicas(const ReplicaView& view, WallTime now);

/// One instance per kind.
class ReplicaSetController final : public Controller {
 public:
  ReplicaSetController(Hub& hub, const kube::Resource& resource);
  int workers() const override { return 5; }

 private:
  Decision reconcile(const std::string& key, WallTime now) override;
  void on_pod(const kube::Change& change);
  void enqueue_owner(const json::Value& pod);
  std::vector<kube::ObjectPtr> related_pods(const json::Value& owner) const;

  kube::Resource resource_;
  kube::Store& owners_;
  kube::Store& pods_;
};

/// What controllers keep of a pod in memory. Pods are patched, never updated as a whole, so nothing
/// gets lost.
void prune_pod(json::Value& pod);

}  // namespace tripod::controllers
