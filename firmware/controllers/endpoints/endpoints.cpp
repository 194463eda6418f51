#include "firmware/controllers/endpoints/endpoints.h"

#include "firmware/controllers/ownership/adoption.h"
#include "firmware/controllers/ownership/names.h"

namespace tripod::controllers {
namespace {

constexpr std::string_view service_name_label = "kubernetes.io/service-name";
constexpr std::string_view managed_by_label = "endpointslice.kubernetes.io/managed-by";
constexpr std::string_view manager = "endpointslice-controller.k8s.io";
constexpr std::string_view headless_label = "service.kubernetes.io/headless";
constexpr std::size_t addresses_max = 1000;

const json::Object* selector_of(const json::Value& service) {
  const json::Object* selector = json::get_object(service, "spec", "selector");
  return selector && !selector->empty() &&
                 json::get_string(service, "spec", "type") != "ExternalName"
             ? selector
             : nullptr;
}

bool is_headless(const json::Value& service) {
  return json::get_string(service, "spec", "clusterIP") == "None";
}
bool publishes_not_ready(const json::Value& service) {
  return json::get_bool(service, "spec", "publishNotReadyAddresses");
}

/// The number behind targetPort: itself, the container port of that name, or the service's port.
/// Nothing if the pod has none.
std::optional<std::int64_t> target_port(const json::Value& port, const json::Value& pod) {
  const json::Value* target = json::find(port, "targetPort");
  if (!target || target->is_null()) return json::get_int(port, "port");
  if (auto number = json::as_int(*target))
    return *number == 0 ? json::get_int(port, "port") : number;
  const json::Array* containers = json::get_array(pod, "spec", "containers");
  for (std::size_t i = 0; containers && i < containers->size(); ++i) {
    const json::Array* ports = json::get_array((*containers)[i], "ports");
    for (std::size_t j = 0; ports && j < ports->size(); ++j) {
      const json::Value& each = (*ports)[j];
      std::string_view protocol = json::get_string(each, "protocol");
      std::string_view wanted = json::get_string(port, "protocol");
      if (json::get_string(each, "name") == json::as_string(*target) &&
          (protocol.empty() ? "TCP" : protocol) == (wanted.empty() ? "TCP" : wanted)) {
        return json::get_int(each, "containerPort");
      }
    }
  }
  return std::nullopt;
}

json::Array ports_for(const json::Value& service, const json::Value& pod) {
  json::Array ports;
  const json::Array* all = json::get_array(service, "spec", "ports");
  for (std::size_t i = 0; all && i < all->size(); ++i) {
    const json::Value& each = (*all)[i];
    auto number = target_port(each, pod);
    if (!number) continue;
    json::Object port;
    if (std::string_view name = json::get_string(each, "name"); !name.empty()) port["name"] = name;
    port["port"] = *number;
    std::string_view protocol = json::get_string(each, "protocol");
    port["protocol"] = protocol.empty() ? "TCP" : protocol;
    if (std::string_view app = json::get_string(each, "appProtocol"); !app.empty())
      port["appProtocol"] = app;
    ports.push_back(std::move(port));
  }
  return ports;
}

json::Value target_ref(const json::Value& pod) {
  json::Object reference;
  reference["kind"] = "Pod";
  reference["namespace"] = kube::namespace_of(pod);
  reference["name"] = kube::name_of(pod);
  reference["uid"] = kube::uid_of(pod);
  return reference;
}

struct Subset {
  json::Array ports;
  std::map<std::string, json::Value> ready;  // by ip
  std::map<std::string, json::Value> not_ready;
};

json::Array values_of(std::map<std::string, json::Value> map) {
  json::Array all;
  for (auto& [ip, value] : map) all.push_back(std::move(value));
  return all;
}

void copy_labels(const json::Value& service, json::Value& object) {
  if (const json::Object* labels = json::get_object(service, "metadata", "labels")) {
    for (const auto& [key, value] : *labels) {
      kube::set_label(object, std::string_view(key.data(), key.size()), json::as_string(value));
    }
  }
  if (is_headless(service)) kube::set_label(object, headless_label, "");
}

bool is_ipv6(std::string_view ip) {
  return ip.contains(':');
}

json::Value slice_endpoint(const json::Value& service, const json::Value& pod) {
  const bool terminating = kube::is_deleting(pod);
  const bool serving = kube::is_pod_ready(pod);
  json::Object conditions;
  conditions["ready"] = publishes_not_ready(service) || (serving && !terminating);
  conditions["serving"] = serving;
  conditions["terminating"] = terminating;
  json::Object endpoint;
  endpoint["addresses"] = json::Array{json::Value(json::get_string(pod, "status", "podIP"))};
  endpoint["conditions"] = std::move(conditions);
  if (std::string_view host = json::get_string(pod, "spec", "hostname");
      !host.empty() && json::get_string(pod, "spec", "subdomain") == kube::name_of(service)) {
    endpoint["hostname"] = host;
  }
  endpoint["targetRef"] = target_ref(pod);
  if (std::string_view node = json::get_string(pod, "spec", "nodeName"); !node.empty())
    endpoint["nodeName"] = node;
  return endpoint;
}

json::Value make_slice(const json::Value& service, std::string_view family, json::Array ports,
                       json::Array endpoints, std::uint64_t slot) {
  json::Value slice = json::Object();
  const std::string name = slot_name(kube::name_of(service), kube::uid_of(service), slot);
  json::set(slice, {"metadata", "name"}, json::Value(name));
  json::set(slice, {"metadata", "generateName"}, json::Value(name.substr(0, name.size() - 5)));
  json::set(slice, {"metadata", "namespace"}, json::Value(kube::namespace_of(service)));
  copy_labels(service, slice);
  kube::set_label(slice, service_name_label, kube::name_of(service));
  kube::set_label(slice, managed_by_label, manager);
  json::ensure_array(slice, {"metadata", "ownerReferences"})
      .push_back(controller_reference(kube::resources::services, service));
  json::Object& fields = slice.as_object();
  fields["addressType"] = family;
  fields["endpoints"] = std::move(endpoints);
  fields["ports"] = std::move(ports);
  return slice;
}

/// The object as it is with these fields as they should be; the same object if nothing differs.
void write_difference(const kube::Resource& resource, const kube::ObjectPtr& current,
                      json::Value wanted, std::initializer_list<std::string_view> fields,
                      Decision& decision) {
  if (!current) {
    decision.writes.push_back(create(resource, std::move(wanted)));
    return;
  }
  json::Value updated = *current;
  for (std::string_view field : fields) {
    if (json::Value* value = json::find(wanted, field)) {
      updated.as_object()[field] = *value;
    } else {
      json::erase(updated.as_object(), field);
    }
  }
  if (const json::Value* labels = json::find(wanted, "metadata", "labels")) {
    json::set(updated, {"metadata", "labels"}, *labels);
  } else {
    json::erase(updated, {"metadata", "labels"});
  }
  if (json::equal_semantic(current.get(), &updated)) return;
  decision.writes.push_back(update(resource, std::move(updated)));
}

}  // namespace

json::Value make_endpoints(const json::Value& service, const std::vector<kube::ObjectPtr>& pods) {
  std::map<std::string, Subset> subsets;  // by their ports
  std::size_t count = 0;
  for (const kube::ObjectPtr& pod : pods) {
    std::string_view ip = json::get_string(*pod, "status", "podIP");
    const bool terminating = kube::is_deleting(*pod) && !publishes_not_ready(service);
    if (ip.empty() || terminating || kube::is_pod_finished(*pod) || ++count > addresses_max)
      continue;
    json::Array ports = ports_for(service, *pod);
    const bool has_ports = json::get_array(service, "spec", "ports") &&
                           !json::get_array(service, "spec", "ports")->empty();
    if (has_ports && ports.empty()) continue;
    json::Object address;
    address["ip"] = ip;
    if (std::string_view node = json::get_string(*pod, "spec", "nodeName"); !node.empty())
      address["nodeName"] = node;
    address["targetRef"] = target_ref(*pod);
    Subset& subset = subsets[json::serialize(ports)];
    subset.ports = std::move(ports);
    const bool ready = publishes_not_ready(service) || kube::is_pod_ready(*pod);
    (ready ? subset.ready : subset.not_ready)[std::string(ip)] = std::move(address);
  }
  json::Value endpoints = json::Object();
  json::set(endpoints, {"metadata", "name"}, json::Value(kube::name_of(service)));
  json::set(endpoints, {"metadata", "namespace"}, json::Value(kube::namespace_of(service)));
  copy_labels(service, endpoints);
  kube::set_label(endpoints, "endpoints.kubernetes.io/managed-by", "endpoint-controller");
  json::Array all;
  for (auto& [key, subset] : subsets) {
    json::Object one;
    if (!subset.ready.empty()) one["addresses"] = values_of(std::move(subset.ready));
    if (!subset.not_ready.empty())
      one["notReadyAddresses"] = values_of(std::move(subset.not_ready));
    if (!subset.ports.empty()) one["ports"] = std::move(subset.ports);
    all.push_back(std::move(one));
  }
  if (!all.empty()) endpoints.as_object()["subsets"] = std::move(all);
  return endpoints;
}

std::vector<json::Value> make_endpoint_slices(const json::Value& service,
                                              const std::vector<kube::ObjectPtr>& pods,
                                              std::size_t endpoints_max) {
  struct Group {
    json::Array ports;
    std::map<std::string, json::Value> endpoints;  // by ip
  };
  std::map<std::pair<std::string, std::string>, Group> groups;  // by family and ports
  for (const kube::ObjectPtr& pod : pods) {
    std::string_view ip = json::get_string(*pod, "status", "podIP");
    if (ip.empty() || kube::is_pod_finished(*pod)) continue;
    json::Array ports = ports_for(service, *pod);
    Group& group = groups[{is_ipv6(ip) ? "IPv6" : "IPv4", json::serialize(ports)}];
    group.ports = std::move(ports);
    group.endpoints[std::string(ip)] = slice_endpoint(service, *pod);
  }
  if (groups.empty()) groups[{"IPv4", "[]"}] = {};  // one empty slice says that there is nothing
  std::vector<json::Value> slices;
  for (auto& [key, group] : groups) {
    json::Array endpoints;
    auto flush = [&] {
      slices.push_back(
          make_slice(service, key.first, group.ports, std::exchange(endpoints, {}), slices.size()));
    };
    for (auto& [ip, endpoint] : group.endpoints) {
      endpoints.push_back(std::move(endpoint));
      if (endpoints.size() == endpoints_max) flush();
    }
    if (!endpoints.empty() || group.endpoints.empty()) flush();
  }
  return slices;
}

Decision reconcile_endpoints(const ServiceView& view, std::size_t endpoints_max) {
  Decision decision;
  if (!view.service) {
    // Slices go by their owner reference; Endpoints have none.
    const bool ours =
        view.endpoints &&
        kube::label(*view.endpoints, "endpoints.kubernetes.io/managed-by") == "endpoint-controller";
    if (ours && !kube::is_deleting(*view.endpoints)) {
      decision.writes.push_back(remove(kube::resources::endpoints, *view.endpoints));
    }
    return decision;
  }
  if (!selector_of(*view.service) || kube::is_deleting(*view.service)) return decision;
  write_difference(kube::resources::endpoints, view.endpoints,
                   make_endpoints(*view.service, view.pods), {"subsets"}, decision);
  std::map<std::string_view, kube::ObjectPtr> known;
  for (const kube::ObjectPtr& slice : view.slices) known[kube::name_of(*slice)] = slice;
  for (json::Value& slice : make_endpoint_slices(*view.service, view.pods, endpoints_max)) {
    auto current = known.extract(kube::name_of(slice));
    const bool same_family =
        !current.empty() && json::get_string(*current.mapped(), "addressType") ==
                                json::get_string(slice, "addressType");
    if (!current.empty() && !same_family) {  // immutable
      decision.writes.push_back(remove(kube::resources::endpoint_slices, *current.mapped()));
      decision.look_again_in(std::chrono::milliseconds(50));
      continue;
    }
    write_difference(kube::resources::endpoint_slices, current.empty() ? nullptr : current.mapped(),
                     std::move(slice), {"endpoints", "ports"}, decision);
  }
  for (const auto& [name, slice] : known)
    decision.writes.push_back(remove(kube::resources::endpoint_slices, *slice));
  return decision;
}

EndpointsController::EndpointsController(Hub& hub, int endpoints_max)
    : Controller(hub, "endpoint", "endpoint-controller"),
      endpoints_max_(static_cast<std::size_t>(std::max(1, endpoints_max))),
      services_(hub.informer(kube::resources::services).store()),
      endpoints_(hub.informer(kube::resources::endpoints).store()),
      slices_(hub.informer(kube::resources::endpoint_slices).store()),
      pods_(hub.informer(kube::resources::pods).store()) {
  services_.add_handler(
      [this](const kube::Change& change) { queue().add(kube::key_of(change.latest())); });
  endpoints_.add_handler(
      [this](const kube::Change& change) { queue().add(kube::key_of(change.latest())); });
  slices_.add_index("service", [](const json::Value& slice, std::vector<std::string>& out) {
    if (kube::label(slice, managed_by_label) != manager) return;
    out.push_back(
        kube::make_key(kube::namespace_of(slice), kube::label(slice, service_name_label)));
  });
  slices_.add_handler([this](const kube::Change& change) {
    if (kube::label(change.latest(), managed_by_label) != manager) return;
    queue().add(kube::make_key(kube::namespace_of(change.latest()),
                               kube::label(change.latest(), service_name_label)));
  });
  pods_.add_handler([this](const kube::Change& change) { on_pod(change); });
}

void EndpointsController::on_pod(const kube::Change& change) {
  for (const kube::ObjectPtr& service :
       services_.list_namespace(kube::namespace_of(change.latest()))) {
    if (!selector_of(*service)) continue;
    const auto selector = kube::LabelSelector::from_map(json::find(*service, "spec", "selector"));
    const bool matched = (change.before && selector.matches(kube::labels_of(*change.before))) ||
                         (change.now && selector.matches(kube::labels_of(*change.now)));
    if (matched) queue().add(kube::key_of(*service));
  }
}

Decision EndpointsController::reconcile(const std::string& key, WallTime) {
  ServiceView view{.key = key,
                   .service = services_.get(key),
                   .endpoints = endpoints_.get(key),
                   .slices = slices_.by_index("service", key),
                   .pods = {}};
  if (view.service && selector_of(*view.service)) {
    const auto selector =
        kube::LabelSelector::from_map(json::find(*view.service, "spec", "selector"));
    for (const kube::ObjectPtr& pod : pods_.list_namespace(kube::namespace_of(*view.service))) {
      if (selector.matches(kube::labels_of(*pod))) view.pods.push_back(pod);
    }
  }
  return reconcile_endpoints(view, endpoints_max_);
}

}  // namespace tripod::controllers
