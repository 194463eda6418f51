#include "firmware/controllers/credentials/service_account.h"

namespace tripod::controllers {
namespace {

constexpr std::string_view account_name = "default";
constexpr std::string_view root_ca_name = "kube-root-ca.crt";

json::Value named(std::string_view ns, std::string_view name) {
  json::Value object = json::Object();
  json::set(object, {"metadata", "name"}, json::Value(name));
  json::set(object, {"metadata", "namespace"}, json::Value(ns));
  return object;
}

}  // namespace

Decision reconcile_namespace_defaults(const json::Value& name_space, const json::Value* account,
                                      const json::Value* root_ca, std::string_view root_ca_pem) {
  Decision decision;
  if (kube::is_deleting(name_space) ||
      json::get_string(name_space, "status", "phase") == "Terminating")
    return decision;
  std::string_view ns = kube::name_of(name_space);
  if (!account)
    decision.writes.push_back(create(kube::resources::service_accounts, named(ns, account_name)));
  if (root_ca_pem.empty()) return decision;
  if (!root_ca) {
    json::Value map = named(ns, root_ca_name);
    kube::set_annotation(map, "kubernetes.io/description",
                         "Contains a CA bundle that can be used to verify the kube-apiserver when "
                         "using internal endpoints "
                         "such as the internal service IP or kubernetes.default.svc. No other "
                         "usage is guaranteed across "
                         "distributions of Kubernetes clusters.");
    json::set(map, {"data", "ca.crt"}, json::Value(root_ca_pem));
    decision.writes.push_back(create(kube::resources::config_maps, std::move(map)));
  } else if (json::get_string(*root_ca, "data", "ca.crt") != root_ca_pem) {
    json::Value map = *root_ca;
    json::set(map, {"data", "ca.crt"}, json::Value(root_ca_pem));
    decision.writes.push_back(update(kube::resources::config_maps, std::move(map)));
  }
  return decision;
}

ServiceAccountController::ServiceAccountController(Hub& hub, std::string root_ca_pem)
    : Controller(hub, "serviceaccount", "service-account-controller"),
      root_ca_pem_(std::move(root_ca_pem)),
      namespaces_(hub.informer(kube::resources::namespaces).store()),
      accounts_(hub.informer(kube::resources::service_accounts).store()) {
  namespaces_.add_handler([this](const kube::Change& change) {
    if (change.now) queue().add(std::string(kube::name_of(*change.now)));
  });
  accounts_.add_handler([this](const kube::Change& change) {
    if (!change.now && kube::name_of(*change.before) == account_name) {
      queue().add(std::string(kube::namespace_of(*change.before)));
    }
  });
  if (root_ca_pem_.empty()) return;
  root_cas_ = &hub.informer(kube::resources::config_maps,
                            {.ns = {},
                             .label_selector = {},
                             .field_selector = std::format("metadata.name={}", root_ca_name)})
                   .store();
  root_cas_->add_handler([this](const kube::Change& change) {
    if (change.before) queue().add(std::string(kube::namespace_of(*change.before)));
  });
}

Decision ServiceAccountController::reconcile(const std::string& key, WallTime) {
  kube::ObjectPtr name_space = namespaces_.get(key);
  if (!name_space) return {};
  kube::ObjectPtr account = accounts_.get(kube::make_key(key, account_name));
  kube::ObjectPtr root_ca = root_cas_ ? root_cas_->get(kube::make_key(key, root_ca_name)) : nullptr;
  return reconcile_namespace_defaults(*name_space, account.get(), root_ca.get(), root_ca_pem_);
}

}  // namespace tripod::controllers
