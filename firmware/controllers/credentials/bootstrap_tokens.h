#pragma once
// Keeps cluster-info signed for every bootstrap token that is good for it, and removes tokens that
// have expired: upstream's bootstrap-signer and token-cleaner controllers.

#include "firmware/controllers/shell/controller.h"

namespace tripod::controllers {

/// `secrets` may hold others than tokens; `cluster_info` is null when there is none.
Decision reconcile_tokens(const std::vector<kube::ObjectPtr>& secrets,
                          const json::Value* cluster_info, WallTime now);

class BootstrapTokenController final : public Controller {
 public:
  explicit BootstrapTokenController(Hub& hub);
  int workers() const override { return 1; }

 private:
  Decision reconcile(const std::string& key, WallTime now) override;

  kube::Store& secrets_;
  kube::Store& infos_;
};

}  // namespace tripod::controllers
