#pragma once
// ReplicaSet and ReplicationController: as many pods as asked for. One pure function for both
// kinds.
//
// A pod's name follows from the owner's uid and the lowest free slot (ownership/names.h), so a
// leader with an old view cannot make a pod that exists already. A slot whose pod was seen to
// vanish is not used again during the term of leadership, so that a name does not mean two pods.

#include <deque>
#include <functional>
#include <unordered_set>

#include "firmware/controllers/ownership/adoption.h"
#include "firmware/controllers/shell/controller.h"

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

/// The names of pods that were there and are gone: the latest `count_max` of them.
class GoneNames {
 public:
  static constexpr std::size_t count_max = 4096;

  void add(std::string_view pod_key);
  bool contains(std::string_view pod_key) const;

 private:
  // Hashes: two names that share one cost a slot, and nothing else.
  std::unordered_set<std::uint64_t> set_;
  std::deque<std::uint64_t> oldest_first_;
};

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
  GoneNames gone_;
};

/// What controllers keep of a pod in memory. Pods are patched, never updated as a whole, so nothing
/// gets lost.
void prune_pod(json::Value& pod);

}  // namespace tripod::controllers
