#pragma once
// Endpoints and EndpointSlices: which pods stand behind a Service with a selector. Both are pure
// functions of the service and its pods; one controller keeps both.

#include "firmware/controllers/shell/controller.h"

namespace tripod::controllers {

/// status-free Endpoints object as it should be; `pods` are those the selector matches.
json::Value make_endpoints(const json::Value& service, const std::vector<kube::ObjectPtr>& pods);
/// The slices as they should be, named by service and place in the list.
std::vector<json::Value> make_endpoint_slices(const json::Value& service,
                                              const std::vector<kube::ObjectPtr>& pods,
                                              std::size_t endpoints_max);

struct ServiceView {
  std::string key;
  kube::ObjectPtr service;    // null: gone
  kube::ObjectPtr endpoints;  // what is there, or null
  std::vector<kube::ObjectPtr> slices;
  std::vector<kube::ObjectPtr> pods;
};
Decision reconcile_endpoints(const ServiceView& view, std::size_t endpoints_max);

class EndpointsController final : public Controller {
 public:
  EndpointsController(Hub& hub, int endpoints_max);

 private:
  Decision reconcile(const std::string& key, WallTime now) override;
  void on_pod(const kube::Change& change);

  std::size_t endpoints_max_;
  kube::Store& services_;
  kube::Store& endpoints_;
  kube::Store& slices_;
  kube::Store& pods_;
};

}  // namespace tripod::controllers
