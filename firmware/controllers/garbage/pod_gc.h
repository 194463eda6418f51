#pragma once
// Removes pods that nobody will ever finish: bound to nodes that no longer exist, being deleted
// without ever having been bound, and finished ones above a threshold, oldest first.

#include <map>
#include <set>

#include "firmware/controllers/shell/controller.h"

namespace tripod::controllers {

struct PodGcView {
  std::vector<kube::ObjectPtr> pods;
  std::set<std::string> nodes;
  std::map<std::string, MonotonicTime>
      missing_since;  // nodes that pods are bound to and that are not there
  int terminated_max = 12'500;
};

Decision collect_pods(const PodGcView& view, MonotonicTime now);

class PodGcController final : public Controller {
 public:
  PodGcController(Hub& hub, int terminated_max);
  Task<void> tick() override;
  int workers() const override { return 0; }

 private:
  Task<void> collect();

  int terminated_max_;
  kube::Store& pods_;
  kube::Store& nodes_;
  std::map<std::string, MonotonicTime> missing_since_;
};

}  // namespace tripod::controllers
