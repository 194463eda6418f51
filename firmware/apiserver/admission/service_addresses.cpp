#include "firmware/apiserver/admission/service_addresses.h"

#include <algorithm>
#include <charconv>
#include <format>

#include "firmware/apiserver/registry/lifecycle.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver {

namespace {

constexpr std::string_view address_prefix = "/registry/ipaddresses/";
constexpr std::string_view port_prefix = "/registry/ranges/servicenodeports/";

Bytes address_key(std::string_view address) {
  return std::format("{}{}", address_prefix, address);
}
Bytes port_key(std::int64_t port) {
  return std::format("{}{}", port_prefix, port);
}

kube::StatusError refuse(const json::Value& service, kube::FieldError error) {
  return kube::errors::invalid({"", "Service"}, kube::name_of(service), {std::move(error)});
}

kube::StatusError refuse_address(const json::Value& service, std::string_view address,
                                 std::string_view why) {
  json::Array addresses{json::Value(json::String(address))};
  return refuse(service, kube::invalid("spec.clusterIPs", json::Value(std::move(addresses)),
                                       std::format("failed to allocate IP {}: {}", address, why)));
}

std::string_view type_of(const json::Value& service) {
  return json::get_string(service, "spec", "type");
}

bool wants_node_ports(const json::Value& service) {
  const json::Value* allocate = json::find(service, "spec", "allocateLoadBalancerNodePorts");
  if (type_of(service) == "LoadBalancer")
    return !allocate || !allocate->is_bool() || allocate->get_bool();
  return type_of(service) == "NodePort";
}

void set_address(json::Value& service, std::string_view address) {
  json::set(service, {"spec", "clusterIP"}, json::Value(json::String(address)));
  json::set(service, {"spec", "clusterIPs"},
            json::Value(json::Array{json::Value(json::String(address))}));
}

void default_families(json::Value& service) {
  if (!json::find(service, "spec", "ipFamilies")) {
    json::set(service, {"spec", "ipFamilies"}, json::Value(json::Array{"IPv4"}));
  }
  if (!json::find(service, "spec", "ipFamilyPolicy"))
    json::set(service, {"spec", "ipFamilyPolicy"}, "SingleStack");
}

}  // namespace

std::string ipv4_text(std::uint32_t address) {
  return std::format("{}.{}.{}.{}", address >> 24, (address >> 16) & 255, (address >> 8) & 255,
                     address & 255);
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  std::uint32_t address = 0;
  for (int i = 0; i < 4; ++i) {
    unsigned part = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
    if (error != std::errc() || part > 255) return std::nullopt;
    address = address << 8 | part;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (i < 3) {
      if (!text.starts_with('.')) return std::nullopt;
      text.remove_prefix(1);
    }
  }
  return text.empty() ? std::optional(address) : std::nullopt;
}

Result<AddressRange> AddressRange::parse(std::string_view cidr) {
  const auto wrong = [&] {
    return fail(ErrorCode::invalid, std::format("service-cluster-ip-range \"{}\": expected an IPv4 "
                                                "range of /12 to /28, such as 10.96.0.0/16",
                                                cidr));
  };
  const std::size_t slash = cidr.find('/');
  if (slash == cidr.npos) return wrong();
  const auto address = parse_ipv4(cidr.substr(0, slash));
  unsigned bits = 0;
  const auto end = cidr.data() + cidr.size();
  if (!address || std::from_chars(cidr.data() + slash + 1, end, bits).ptr != end || bits < 12 ||
      bits > 28) {
    return wrong();
  }
  AddressRange range;
  range.size = 1U << (32 - bits);
  range.base = *address & ~(range.size - 1);
  range.text = std::format("{}/{}", ipv4_text(range.base), bits);
  return range;
}

ServiceAddresses::Holding ServiceAddresses::holding_of(const json::Value* service) {
  Holding holding;
  if (!service || !service->is_object()) return holding;
  const std::string_view address = json::get_string(*service, "spec", "clusterIP");
  if (type_of(*service) != "ExternalName" && address != "None") holding.address = address;
  if (const json::Array* ports = json::get_array(*service, "spec", "ports")) {
    for (const json::Value& port : *ports) {
      if (const auto number = json::get_int(port, "nodePort").value_or(0))
        holding.ports.insert(number);
    }
  }
  return holding;
}

ServiceAddresses::Taken ServiceAddresses::taken(const Claims& claims) const {
  Taken taken;
  for (const auto& [key, object] : services_.objects()) {
    const auto service = json::parse(object->json);
    if (!service) continue;
    const Holding holding = holding_of(&*service);
    if (const auto address = parse_ipv4(holding.address)) taken.addresses.insert(*address);
    taken.ports.insert(holding.ports.begin(), holding.ports.end());
  }
  for (const Bytes& key : claims.known_taken) {
    if (key.starts_with(address_prefix)) {
      if (const auto address = parse_ipv4(std::string_view(key).substr(address_prefix.size()))) {
        taken.addresses.insert(*address);
      }
    } else {
      std::int64_t port = 0;
      std::from_chars(key.data() + port_prefix.size(), key.data() + key.size(), port);
      taken.ports.insert(port);
    }
  }
  return taken;
}

kube::Outcome<> ServiceAddresses::settle_address(json::Value& service, const Holding& old,
                                                 const Claims& claims, const Taken& taken) {
  const std::string wanted(json::get_string(service, "spec", "clusterIP"));
  if (wanted == "None") {
    set_address(service, wanted);
    return {};
  }
  const AddressRange& range = options_.cluster_ips;
  if (!wanted.empty()) {
    set_address(service, wanted);
    if (wanted == old.address) return {};
    const auto address = parse_ipv4(wanted);
    if (!address || !range.contains(*address)) {
      return std::unexpected(refuse_address(
          service, wanted,
          std::format(
              "the provided IP ({}) is not in the valid range. The range of valid IPs is {}",
              wanted, range.text)));
    }
    if (claims.known_taken.contains(address_key(wanted))) {
      return std::unexpected(refuse_address(service, wanted, "provided IP is already allocated"));
    }
    return {};
  }
  // As upstream, the lower part of the range is left to those who ask for an address by name.
  const std::uint32_t reserved =
      range.size <= 16 ? 0 : std::clamp(range.size / 16, std::uint32_t{16}, std::uint32_t{256});
  const std::uint32_t usable = range.size - 2;
  const std::uint32_t count = usable - reserved;
  const auto start = static_cast<std::uint32_t>(random() % count);
  for (std::uint32_t i = 0; i < usable; ++i) {
    // The upper part first, from a random place on; then the lower one.
    const std::uint32_t offset = 1 + (i < count ? reserved + (start + i) % count : i - count);
    if (taken.addresses.contains(range.base + offset)) continue;
    set_address(service, ipv4_text(range.base + offset));
    return {};
  }
  return std::unexpected(
      kube::errors::internal_error("failed to allocate a serviceIP: range is full"));
}

kube::Outcome<> ServiceAddresses::settle_ports(json::Value& service, const Holding& old,
                                               const Claims& claims, Taken& taken) {
  json::Value* ports = json::find(service, "spec", "ports");
  if (!ports || !ports->is_array()) return {};
  const std::int64_t first = options_.node_port_first;
  const std::int64_t last = options_.node_port_last;
  std::size_t index = 0;
  for (json::Value& port : ports->get_array()) {
    const kube::FieldPath path = kube::FieldPath("spec.ports").index(index++).child("nodePort");
    const std::int64_t wanted = json::get_int(port, "nodePort").value_or(0);
    if (wanted == 0) {
      const auto count = static_cast<std::uint64_t>(last - first + 1);
      const std::uint64_t start = random() % count;
      std::int64_t chosen = 0;
      for (std::uint64_t i = 0; i < count && chosen == 0; ++i) {
        const std::int64_t candidate = first + static_cast<std::int64_t>((start + i) % count);
        if (!taken.ports.contains(candidate)) chosen = candidate;
      }
      if (chosen == 0)
        return std::unexpected(
            kube::errors::internal_error("failed to allocate a nodePort: range is full"));
      taken.ports.insert(chosen);
      json::set(port, {"nodePort"}, json::Value(chosen));
      continue;
    }
    if (old.ports.contains(wanted)) continue;
    if (wanted < first || wanted > last) {
      return std::unexpected(refuse(
          service,
          kube::invalid(
              path, json::Value(wanted),
              std::format(
                  "provided port is not in the valid range. The range of valid ports is {}-{}",
                  first, last))));
    }
    if (claims.known_taken.contains(port_key(wanted))) {
      return std::unexpected(refuse(
          service, kube::invalid(path, json::Value(wanted), "provided port is already allocated")));
    }
  }
  return {};
}

void ServiceAddresses::diff(const json::Value& service, const Holding& before, const Holding& after,
                            Claims& claims) {
  if (before.address != after.address) {
    if (!before.address.empty()) claims.releases.push_back(address_key(before.address));
    if (!after.address.empty()) {
      std::array<std::byte, 16> bytes{};
      world_.entropy.fill(bytes);
      const json::Value record = {
          {"apiVersion", "networking.k8s.io/v1"},
          {"kind", "IPAddress"},
          {"metadata",
           {{"name", after.address},
            {"uid", make_uuid(bytes)},
            {"creationTimestamp", to_rfc3339(world_.clock.wall_now())},
            {"labels",
             {{"ipaddress.kubernetes.io/ip-family", "IPv4"},
              {"ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"}}}}},
          {"spec",
           {{"parentRef",
             {{"resource", "services"},
              {"namespace", json::String(kube::namespace_of(service))},
              {"name", json::String(kube::name_of(service))}}}}}};
      claims.claims.push_back({address_key(after.address), json::serialize(record)});
    }
  }
  for (std::int64_t port : before.ports) {
    if (!after.ports.contains(port)) claims.releases.push_back(port_key(port));
  }
  for (std::int64_t port : after.ports) {
    if (!before.ports.contains(port))
      claims.claims.push_back({port_key(port), kube::key_of(service)});
  }
}

kube::Outcome<> ServiceAddresses::allocate(json::Value& object, const json::Value* old,
                                           Claims& claims) {
  const Holding before = holding_of(old);
  if (!object.is_object()) {
    diff(*old, before, {}, claims);
    return {};
  }
  Taken in_use = taken(claims);
  if (type_of(object) == "ExternalName") {
    for (std::string_view key : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
      json::erase(object, {"spec", key});
    }
  } else {
    default_families(object);
    if (auto settled = settle_address(object, before, claims, in_use); !settled) return settled;
  }
  if (wants_node_ports(object)) {
    if (auto settled = settle_ports(object, before, claims, in_use); !settled) return settled;
  }
  diff(object, before, holding_of(&object), claims);
  return {};
}

}  // namespace tripod::apiserver
