#include "platform/boards/net/network_plan.h"

#include <algorithm>

namespace tripod::boards {
namespace {

constexpr std::size_t interface_name_max = 15;  // IFNAMSIZ

bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() <= interface_name_max &&
         name.find_first_of(" /@\t") == std::string_view::npos;
}

std::string_view number_or_broadcast(const IpPrefix& address) {
  return address.is_network() ? "number" : "broadcast address";
}

InterfacePlan& plan_of(NetworkPlan& plan, std::string_view interface) {
  auto found = std::ranges::find(plan.interfaces, interface, &InterfacePlan::interface);
  if (found != plan.interfaces.end()) return *found;
  plan.interfaces.push_back({.interface = std::string(interface), .dhcp = false, .addresses = {}});
  return plan.interfaces.back();
}

Result<> add_item(NetworkPlan& plan, std::string_view item, std::string_view interface) {
  std::string_view word = item;
  if (std::size_t at = item.find('@'); at != std::string_view::npos) {
    word = item.substr(0, at);
    interface = item.substr(at + 1);
    if (!is_interface_name(interface)) {
      return fail(
          ErrorCode::invalid,
          std::format("\"{}\": expected an interface behind @, as 10.0.0.11/24@eth1", item));
    }
  }
  InterfacePlan& own = plan_of(plan, interface);
  if (word == "dhcp") {
    own.dhcp = true;
    return {};
  }
  auto address = parse_prefix(word);
  if (!address) {
    return fail(ErrorCode::invalid,
                std::format("\"{}\": expected dhcp or an address with its network's length, as "
                            "192.168.1.11/24 or fd00::11/64",
                            item));
  }
  if (address->is_network() || address->is_broadcast()) {
    return fail(
        ErrorCode::invalid,
        std::format("\"{}\": that is the {} of the network; expected a host's address in it", item,
                    number_or_broadcast(*address)));
  }
  own.addresses.push_back(*address);
  return {};
}

/// A gateway that no address reaches would leave the board without a way out, and nobody told.
Result<> check_gateway(const Ip& gateway, const NetworkPlan& plan) {
  std::string networks;
  bool reached = plan.has_dhcp();
  for (const InterfacePlan& each : plan.interfaces) {
    reached = reached || reaches(each.addresses, gateway);
    for (const IpPrefix& own : each.addresses) {
      if (own.ip == gateway) return fail(ErrorCode::invalid, "that is the board itself");
      const IpPrefix there{gateway, own.bits};
      // The routers' anycast address of IPv6 is a gateway.
      if (holds(own, gateway) && !gateway.v6 && (there.is_network() || there.is_broadcast())) {
        return fail(ErrorCode::invalid, std::format("that is the {} of the network; expected a "
                                                    "host's address in it",
                                                    number_or_broadcast(there)));
      }
      networks += (networks.empty() ? "" : ", ") + own.to_string();
    }
  }
  if (reached) return {};
  return fail(ErrorCode::invalid,
              std::format("expected an address in a network of the board's: {}", networks));
}

}  // namespace

bool NetworkPlan::has_dhcp() const {
  return std::ranges::any_of(interfaces, &InterfacePlan::dhcp);
}

Result<NetworkPlan> parse_network(const std::vector<std::string>& items,
                                  std::string_view interface) {
  NetworkPlan plan;
  if (!interface.empty() && !is_interface_name(interface)) {
    return fail(ErrorCode::invalid,
                std::format("\"{}\": expected an interface's name, as eth0", interface));
  }
  for (const std::string& item : items) {
    if (auto added = add_item(plan, item, interface); !added) return std::unexpected(added.error());
  }
  if (items.empty()) plan_of(plan, interface).dhcp = true;
  return plan;
}

Result<std::vector<Ip>> parse_gateways(const std::vector<std::string>& items,
                                       const NetworkPlan& plan) {
  std::vector<Ip> gateways;
  for (const std::string& text : items) {
    const auto refuse = [&](std::string_view what) {
      return fail(ErrorCode::invalid, std::format("\"{}\": {}", text, what));
    };
    auto gateway = parse_ip(text);
    if (!gateway) return refuse("expected an IP address, as 192.168.1.1");
    if (std::ranges::contains(gateways, gateway->v6, &Ip::v6)) {
      return refuse("expected one gateway for IPv4 and one for IPv6");
    }
    if (auto good = check_gateway(*gateway, plan); !good) return refuse(good.error().message);
    gateways.push_back(*gateway);
  }
  return gateways;
}

int choose_link(const NetworkPlan& plan, std::size_t which, const std::vector<Link>& links) {
  const InterfacePlan& own = plan.interfaces[which];
  int first = 0;
  for (const Link& link : links) {
    if (!own.interface.empty()) {
      if (link.name == own.interface) return link.index;
      continue;
    }
    bool named = std::ranges::any_of(
        plan.interfaces, [&](const InterfacePlan& other) { return other.interface == link.name; });
    if (link.loopback || !link.ethernet || named) continue;
    if (first == 0 || link.index < first) first = link.index;
  }
  return first;
}

bool holds(const IpPrefix& network, const Ip& address) {
  if (network.ip.v6 != address.v6) return false;
  for (int bit = 0; bit < network.bits; ++bit) {
    auto octet = static_cast<std::size_t>(bit / 8);
    int mask = 0x80 >> (bit % 8);
    if ((network.ip.octets[octet] & mask) != (address.octets[octet] & mask)) return false;
  }
  return true;
}

bool reaches(const std::vector<IpPrefix>& addresses, const Ip& gateway) {
  return std::ranges::any_of(addresses, [&](const IpPrefix& own) {
    return holds(own, gateway) || (gateway.is_link_local() && own.ip.v6);
  });
}

}  // namespace tripod::boards
