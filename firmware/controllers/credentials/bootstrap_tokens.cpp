#include "firmware/controllers/credentials/bootstrap_tokens.h"

#include <format>

#include "firmware/kube/client/cluster_info.h"

namespace tripod::controllers {
namespace {

constexpr const char* everything =
    "cluster-info";  // the one key: all tokens are looked at together

}  // namespace

Decision reconcile_tokens(const std::vector<kube::ObjectPtr>& secrets,
                          const json::Value* cluster_info, WallTime now) {
  Decision decision;
  json::Value wanted;
  if (cluster_info != nullptr) {
    wanted = *cluster_info;
    const std::string kubeconfig(json::get_string(wanted, "data", "kubeconfig"));
    json::set(wanted, {"data"}, json::Object{{"kubeconfig", kubeconfig}});
  }
  for (const kube::ObjectPtr& secret : secrets) {
    const auto facts = kube::read_token_secret(*secret);
    if (!facts || kube::is_deleting(*secret)) continue;
    if (facts->expired(now)) {
      decision.writes.push_back(remove(kube::resources::secrets, *secret));
      continue;
    }
    if (facts->expiration) decision.look_again_in(*facts->expiration - now);
    if (cluster_info != nullptr && facts->usage_signing) kube::add_signature(wanted, facts->token);
  }
  const bool changed =
      cluster_info != nullptr && json::find(*cluster_info, "data") != nullptr &&
      !json::equal(*json::find(*cluster_info, "data"), *json::find(wanted, "data"));
  if (changed) decision.writes.push_back(update(kube::resources::config_maps, std::move(wanted)));
  return decision;
}

BootstrapTokenController::BootstrapTokenController(Hub& hub)
    : Controller(hub, "bootstrap_tokens", "bootstrap-token-controller"),
      secrets_(hub.informer(kube::resources::secrets,
                            {.ns = "kube-system",
                             .label_selector = {},
                             .field_selector = std::format("type={}", kube::token_secret_type)})
                   .store()),
      infos_(hub.informer(kube::resources::config_maps,
                          {.ns = "kube-public",
                           .label_selector = {},
                           .field_selector = std::format("metadata.name={}", everything)})
                 .store()) {
  for (kube::Store* store : {&secrets_, &infos_}) {
    store->add_handler([this](const kube::Change&) { queue().add(everything); });
  }
}

Decision BootstrapTokenController::reconcile(const std::string&, WallTime now) {
  const kube::ObjectPtr info = infos_.get(kube::make_key("kube-public", everything));
  return reconcile_tokens(secrets_.list(), info.get(), now);
}

}  // namespace tripod::controllers
