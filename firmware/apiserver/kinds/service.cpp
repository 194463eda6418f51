#include "firmware/apiserver/kinds/strategies.h"

namespace tripod::apiserver::kinds {

namespace {

bool needs_cluster_ip(const json::Value& service) {
  return json::get_string(service, "spec", "type") != "ExternalName";
}

bool needs_node_port(const json::Value& service) {
  const std::string_view type = json::get_string(service, "spec", "type");
  return type == "NodePort" || type == "LoadBalancer";
}

void keep_node_ports(json::Value& service, const json::Value& old) {
  json::Value* ports = json::find(service, "spec", "ports");
  const json::Array* old_ports = json::get_array(old, "spec", "ports");
  if (!ports || !ports->is_array() || !old_ports) return;
  for (json::Value& port : ports->get_array()) {
    if (json::get_int(port, "nodePort").value_or(0) != 0) continue;
    for (const json::Value& known : *old_ports) {
      const bool same = json::get_int(known, "port") == json::get_int(port, "port") &&
                        json::get_string(known, "protocol") == json::get_string(port, "protocol");
      if (const auto number = json::get_int(known, "nodePort"); same && number) {
        json::set(port, {"nodePort"}, json::Value(*number));
      }
    }
  }
}

}  // namespace

/// What the cluster allocated stays when a client that does not know it writes the service.
void update_service(json::Value& service, const json::Value& old, const WriteContext&) {
  if (needs_cluster_ip(service) && needs_cluster_ip(old)) {
    if (json::get_string(service, "spec", "clusterIP").empty()) {
      if (const json::Value* known = json::find(old, "spec", "clusterIP")) {
        json::set(service, {"spec", "clusterIP"}, *known);
      }
    }
    const json::Array* addresses = json::get_array(service, "spec", "clusterIPs");
    const json::Value* known = json::find(old, "spec", "clusterIPs");
    const bool same = json::get_string(service, "spec", "clusterIP") ==
                      json::get_string(old, "spec", "clusterIP");
    if ((!addresses || addresses->empty()) && known && same)
      json::set(service, {"spec", "clusterIPs"}, *known);
  }
  if (needs_node_port(service) && needs_node_port(old)) keep_node_ports(service, old);
}

}  // namespace tripod::apiserver::kinds
