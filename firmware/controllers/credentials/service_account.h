#pragma once
// What every namespace starts with: the ServiceAccount "default", and the ConfigMap
// "kube-root-ca.crt" by which pods trust the API server.

#include "firmware/controllers/shell/controller.h"

namespace tripod::controllers {

/// `account` and `root_ca` are what is there, or null. An empty `root_ca_pem` publishes nothing.
Decision reconcile_namespace_defaults(const json::Value& name_space, const json::Value* account,
                                      const json::Value* root_ca, std::string_view root_ca_pem);

class ServiceAccountController final : public Controller {
 public:
  ServiceAccountController(Hub& hub, std::string root_ca_pem);
  int workers() const override { return 1; }

 private:
  Decision reconcile(const std::string& key, WallTime now) override;

  std::string root_ca_pem_;
  kube::Store& namespaces_;
  kube::Store& accounts_;
  kube::Store* root_cas_ = nullptr;
};

}  // namespace tripod::controllers
