#pragma once
// Deployment: rolls its pods from one template to the next by way of replica sets. The decision is
// pure; the order of its steps is upstream's.

#include "firmware/controllers/ownership/adoption.h"
#include "firmware/controllers/shell/controller.h"

namespace tripod::controllers {

struct DeploymentView {
  kube::ObjectPtr object;
  std::vector<kube::ObjectPtr> sets;  // controlled replica sets, and orphans of the namespace
  std::vector<kube::ObjectPtr> pods;  // of the controlled sets
};

Decision reconcile_deployment(const DeploymentView& view, WallTime now);

class DeploymentController final : public Controller {
 public:
  explicit DeploymentController(Hub& hub);

 private:
  Decision reconcile(const std::string& key, WallTime now) override;
  void on_set(const kube::Change& change);
  void on_pod(const kube::Change& change);

  kube::Store& deployments_;
  kube::Store& sets_;
  kube::Store& pods_;
};

}  // namespace tripod::controllers
