#include <format>
#include <set>

#include "firmware/apiserver/printers/format.h"
#include "firmware/apiserver/printers/printers.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver::printers {

namespace {

std::string join_strings(const json::Array* array, std::size_t count_max = 100) {
  std::string text;
  if (!array) return text;
  for (std::size_t i = 0; i < array->size() && i < count_max; ++i) {
    if (i > 0) text += ',';
    text += json::as_string((*array)[i]);
  }
  return text;
}

std::string load_balancer_text(const json::Value& object) {
  std::set<std::string> addresses;
  if (const json::Array* ingresses = json::get_array(object, "status", "loadBalancer", "ingress")) {
    for (const json::Value& ingress : *ingresses) {
      const std::string_view ip = json::get_string(ingress, "ip");
      addresses.emplace(ip.empty() ? json::get_string(ingress, "hostname") : ip);
    }
  }
  std::string text;
  for (const std::string& address : addresses) text += (text.empty() ? "" : ",") + address;
  return text;
}

std::string external_text(const json::Value& object, std::string_view type) {
  const std::string external = join_strings(json::get_array(object, "spec", "externalIPs"));
  if (type == "ExternalName") return or_none(json::get_string(object, "spec", "externalName"));
  if (type != "LoadBalancer") return or_none(external);
  const std::string balancer = load_balancer_text(object);
  if (!external.empty()) return balancer.empty() ? external : balancer + "," + external;
  return balancer.empty() ? "<pending>" : balancer;
}

std::string service_ports_text(const json::Value& object) {
  const json::Array* ports = json::get_array(object, "spec", "ports");
  std::string text;
  for (std::size_t i = 0; i < size_of(ports); ++i) {
    const json::Value& port = (*ports)[i];
    if (i > 0) text += ',';
    text += std::to_string(json::get_int(port, "port").value_or(0));
    if (const auto node_port = json::get_int(port, "nodePort").value_or(0))
      text += std::format(":{}", node_port);
    const std::string_view protocol = json::get_string(port, "protocol");
    text += std::format("/{}", protocol.empty() ? "TCP" : protocol);
  }
  return or_none(text);
}

/// "10.1.0.5:80,10.1.0.6:80 + 2 more...": the first three of all addresses times all ports.
std::string endpoints_text(const json::Value& object) {
  constexpr std::size_t shown_max = 3;
  std::string text;
  std::size_t count = 0;
  const auto show = [&](std::string_view address, std::optional<std::int64_t> port) {
    if (count++ >= shown_max) return;
    text += (text.empty() ? "" : ",") + std::string(address);
    if (port) text += std::format(":{}", *port);
  };
  if (const json::Array* subsets = json::get_array(object, "subsets")) {
    for (const json::Value& subset : *subsets) {
      const json::Array* addresses = json::get_array(subset, "addresses");
      const json::Array* ports = json::get_array(subset, "ports");
      for (std::size_t a = 0; a < size_of(addresses); ++a) {
        const std::string_view ip = json::get_string((*addresses)[a], "ip");
        if (size_of(ports) == 0) show(ip, std::nullopt);
        for (std::size_t p = 0; p < size_of(ports); ++p)
          show(ip, json::get_int((*ports)[p], "port").value_or(0));
      }
    }
  }
  if (count > shown_max) text += std::format(" + {} more...", count - shown_max);
  return or_none(text);
}

std::string slice_ports_text(const json::Value& object) {
  constexpr std::size_t shown_max = 3;
  const json::Array* ports = json::get_array(object, "ports");
  if (size_of(ports) == 0) return "<unset>";
  std::string text;
  for (std::size_t i = 0; i < ports->size() && i < shown_max; ++i) {
    const auto port = json::get_int((*ports)[i], "port");
    const std::string_view name = json::get_string((*ports)[i], "name");
    text += i > 0 ? "," : "";
    text += port ? std::to_string(*port) : (name.empty() ? "*" : std::string(name));
  }
  if (ports->size() > shown_max) text += std::format(" + {} more...", ports->size() - shown_max);
  return text;
}

std::string slice_endpoints_text(const json::Value& object) {
  constexpr std::size_t shown_max = 3;
  std::string text;
  std::size_t count = 0;
  if (const json::Array* endpoints = json::get_array(object, "endpoints")) {
    for (const json::Value& endpoint : *endpoints) {
      const json::Array* addresses = json::get_array(endpoint, "addresses");
      for (std::size_t i = 0; i < size_of(addresses); ++i) {
        if (count++ >= shown_max) continue;
        text += (text.empty() ? "" : ",") + std::string(json::as_string((*addresses)[i]));
      }
    }
  }
  if (count == 0) return "<unset>";
  if (count > shown_max) text += std::format(" + {} more...", count - shown_max);
  return text;
}

}  // namespace

void service(const json::Value& object, WallTime now, json::Array& out) {
  const std::string_view type = json::get_string(object, "spec", "type");
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(type));
  out.push_back(text_cell(or_none(json::get_string(object, "spec", "clusterIP"))));
  out.push_back(text_cell(external_text(object, type)));
  out.push_back(text_cell(service_ports_text(object)));
  out.push_back(text_cell(age(object, now)));
  out.push_back(text_cell(format_labels(json::get_object(object, "spec", "selector"))));
}

void endpoints(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(endpoints_text(object)));
  out.push_back(text_cell(age(object, now)));
}

void endpoint_slice(const json::Value& object, WallTime now, json::Array& out) {
  out.push_back(text_cell(kube::name_of(object)));
  out.push_back(text_cell(json::get_string(object, "addressType")));
  out.push_back(text_cell(slice_ports_text(object)));
  out.push_back(text_cell(slice_endpoints_text(object)));
  out.push_back(text_cell(age(object, now)));
}

}  // namespace tripod::apiserver::printers
