// Services, endpoints and endpoint slices.

#include <format>
#include <set>

#include "firmware/kube/validation/rules.h"

namespace tripod::kube::validation {

namespace {

constexpr std::size_t slice_endpoints_max = 1000;
constexpr std::size_t slice_ports_max = 20000;
constexpr std::size_t slice_addresses_max = 100;

void check_service_port(const Scope& port, bool many, bool headless, std::string_view type) {
  const std::string_view name = port.text("name");
  if (name.empty() && many) {
    port.add(required(port.path.child("name")));
  } else if (!name.empty()) {
    port.check("name", check_dns1123_label(name));
  }
  const std::int64_t number = json::get_int(port.value, "port").value_or(0);
  for (const std::string& complaint : check_port_number(number)) {
    port.add(invalid(port.path.child("port"), number, complaint));
  }
  port.one_of("protocol", {"SCTP", "TCP", "UDP"});
  if (!headless) check_port(port, "targetPort");
  const auto node_port = json::get_int(port.value, "nodePort").value_or(0);
  if (node_port != 0 && type != "NodePort" && type != "LoadBalancer") {
    port.add(forbidden(port.path.child("nodePort"),
                       std::format("may not be used when `type` is '{}'", type)));
  }
}

void check_service_ports(const Scope& spec, bool headless, std::string_view type) {
  const json::Array* ports = json::get_array(spec.value, "ports");
  const std::size_t count = ports ? ports->size() : 0;
  if (count == 0 && !headless && type != "ExternalName")
    spec.add(required(spec.path.child("ports")));
  std::set<std::string_view> names;
  std::set<std::pair<std::string_view, std::int64_t>> numbers;
  spec.each("ports", [&](const Scope& port, std::size_t) {
    check_service_port(port, count > 1, headless, type);
    const std::string_view name = port.text("name");
    if (!name.empty() && !names.insert(name).second)
      port.add(duplicate(port.path.child("name"), name));
    const std::int64_t number = json::get_int(port.value, "port").value_or(0);
    if (!numbers.emplace(port.text("protocol"), number).second) {
      port.add(duplicate(port.path, json::Value{{"Name", ""},
                                                {"Protocol", json::String(port.text("protocol"))},
                                                {"AppProtocol", nullptr},
                                                {"Port", number},
                                                {"TargetPort", 0},
                                                {"NodePort", 0}}));
    }
  });
}

void check_addresses(const Scope& spec, std::string_view type) {
  const std::string_view cluster_ip = spec.text("clusterIP");
  const FieldPath first = spec.path.child("clusterIPs").index(0);
  if (type == "ExternalName") {
    if (!cluster_ip.empty()) {
      spec.add(forbidden(first, "may not be set when `type` is 'ExternalName'"));
    }
    return;
  }
  if (!cluster_ip.empty() && cluster_ip != "None") {
    for (const std::string& complaint : check_ip(cluster_ip))
      spec.add(invalid(first, cluster_ip, complaint));
  }
  if (cluster_ip == "None" && (type == "LoadBalancer" || type == "NodePort")) {
    spec.add(
        invalid(first, cluster_ip, std::format("may not be set to 'None' for {} services", type)));
  }
  spec.each("externalIPs", [](const Scope& address, std::size_t) {
    for (const std::string& complaint : check_ip(json::as_string(address.value))) {
      address.add(invalid(address.path, address.value, complaint));
    }
  });
}

void check_service(const Scope& object) {
  object.with("spec", [](const Scope& spec) {
    const std::string_view type = spec.text("type");
    const bool headless = spec.text("clusterIP") == "None";
    check_service_ports(spec, headless, type);
    spec.one_of("type", {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"});
    if (spec.require("sessionAffinity")) spec.one_of("sessionAffinity", {"ClientIP", "None"});
    check_labels_of(spec, "selector");
    check_addresses(spec, type);
    if (type == "ExternalName") {
      std::string_view name = spec.text("externalName");
      if (name.ends_with('.')) name.remove_suffix(1);
      if (spec.require("externalName")) spec.check("externalName", check_dns1123_subdomain(name));
    }
    spec.one_of("externalTrafficPolicy", {"Cluster", "Local"});
    spec.one_of("internalTrafficPolicy", {"Cluster", "Local"});
    const json::Array* external = json::get_array(spec.value, "externalIPs");
    const bool reachable =
        type == "NodePort" || type == "LoadBalancer" || (external && !external->empty());
    if (!spec.text("externalTrafficPolicy").empty() && !reachable) {
      spec.add(invalid(spec.path.child("externalTrafficPolicy"), spec.text("externalTrafficPolicy"),
                       "may only be set for externally-accessible services"));
    }
  });
  if (!object.has("spec")) object.add(required("spec.ports"));
}

void check_service_update(const Scope& object, const json::Value& old) {
  const std::string_view was = json::get_string(old, "spec", "clusterIP");
  const std::string_view is = json::get_string(object.value, "spec", "clusterIP");
  const bool named = json::get_string(old, "spec", "type") == "ExternalName" ||
                     json::get_string(object.value, "spec", "type") == "ExternalName";
  if (!named && !was.empty() && was != is) {
    object.add(invalid(FieldPath("spec").child("clusterIPs").index(0),
                       json::Array{json::String(is)}, "may not change once set"));
  }
}

/// Addresses that no other host can reach.
std::string_view special_range(std::string_view ip) {
  if (ip == "0.0.0.0" || ip == "::") return "may not be unspecified (0.0.0.0 or ::)";
  if (ip.starts_with("127.") || ip == "::1")
    return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
  if (ip.starts_with("169.254.") || ip.starts_with("fe80:")) {
    return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
  }
  if (ip.starts_with("224.0.0.") || ip.starts_with("ff02:")) {
    return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
  }
  return {};
}

void check_endpoint_ip(const FieldPath& path, std::string_view ip, const Scope& scope) {
  const Complaints complaints = check_ip(ip);
  for (const std::string& complaint : complaints) scope.add(invalid(path, ip, complaint));
  if (complaints.empty() && !special_range(ip).empty())
    scope.add(invalid(path, ip, special_range(ip)));
}

void check_endpoints(const Scope& object) {
  object.each("subsets", [](const Scope& subset, std::size_t) {
    const json::Array* ready = json::get_array(subset.value, "addresses");
    const json::Array* waiting = json::get_array(subset.value, "notReadyAddresses");
    if ((!ready || ready->empty()) && (!waiting || waiting->empty())) {
      subset.add(required(subset.path, "must specify `addresses` or `notReadyAddresses`"));
    }
    for (std::string_view list : {"addresses", "notReadyAddresses"}) {
      subset.each(list, [](const Scope& address, std::size_t) {
        check_endpoint_ip(address.path.child("ip"), address.text("ip"), address);
      });
    }
    const json::Array* ports = json::get_array(subset.value, "ports");
    subset.each("ports", [ports](const Scope& port, std::size_t) {
      if (port.text("name").empty() && ports->size() > 1)
        port.add(required(port.path.child("name")));
      if (!port.text("name").empty()) port.check("name", check_dns1123_label(port.text("name")));
      port.one_of("protocol", {"SCTP", "TCP", "UDP"});
      const std::int64_t number = json::get_int(port.value, "port").value_or(0);
      for (const std::string& complaint : check_port_number(number)) {
        port.add(invalid(port.path.child("port"), number, complaint));
      }
    });
  });
}

void check_slice_endpoint(const Scope& endpoint, std::string_view type) {
  const json::Array* addresses = json::get_array(endpoint.value, "addresses");
  if (!addresses || addresses->empty()) {
    endpoint.add(required(endpoint.path.child("addresses"), "must contain at least 1 address"));
  } else if (addresses->size() > slice_addresses_max) {
    endpoint.add(
        too_many(endpoint.path.child("addresses"), addresses->size(), slice_addresses_max));
  }
  endpoint.each("addresses", [&](const Scope& address, std::size_t) {
    const std::string_view text = json::as_string(address.value);
    if (type == "FQDN") {
      for (const std::string& complaint : check_dns1123_subdomain(text)) {
        address.add(invalid(address.path, text, complaint));
      }
      return;
    }
    if (ip_family(text) != (type == "IPv6" ? 6 : 4)) {
      address.add(invalid(address.path, text, std::format("must be a valid {} address", type)));
    } else if (!special_range(text).empty()) {
      address.add(invalid(address.path, text, special_range(text)));
    }
  });
}

void check_endpoint_slice(const Scope& object) {
  const std::string_view type = object.text("addressType");
  if (object.require("addressType")) object.one_of("addressType", {"FQDN", "IPv4", "IPv6"});
  const json::Array* endpoints = json::get_array(object.value, "endpoints");
  if (endpoints && endpoints->size() > slice_endpoints_max) {
    object.add(too_many("endpoints", endpoints->size(), slice_endpoints_max));
    return;
  }
  object.each("endpoints",
              [type](const Scope& endpoint, std::size_t) { check_slice_endpoint(endpoint, type); });
  const json::Array* ports = json::get_array(object.value, "ports");
  if (ports && ports->size() > slice_ports_max) {
    object.add(too_many("ports", ports->size(), slice_ports_max));
    return;
  }
  std::set<std::string_view> names;
  object.each("ports", [&](const Scope& port, std::size_t) {
    const std::string_view name = port.text("name");
    if (!name.empty()) port.check("name", check_dns1123_label(name));
    if (!names.insert(name).second) port.add(duplicate(port.path.child("name"), name));
    if (port.require("protocol")) port.one_of("protocol", {"SCTP", "TCP", "UDP"});
  });
}

void check_endpoint_slice_update(const Scope& object, const json::Value& old) {
  check_immutable(object, old, "addressType");
}

constexpr KindRules rules[] = {
    {"", "Service", check_dns1035_label, check_service, check_service_update},
    {"", "Endpoints", check_dns1123_subdomain, check_endpoints, nullptr},
    {"discovery.k8s.io", "EndpointSlice", check_dns1123_subdomain, check_endpoint_slice,
     check_endpoint_slice_update},
};

}  // namespace

std::span<const KindRules> network_rules() {
  return rules;
}

}  // namespace tripod::kube::validation
