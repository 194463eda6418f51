#include "platform/boards/net/network_plan.h"

#include <algorithm>

namespace tripod::boards {
namespace {

constexpr std::size_t interface_name_max = 15;  // IFNAMSIZ

bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() <= interface_name_max &&
         name.find_first_of(" /@\t") == std::string_view::npos;
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
  own.addresses.push_back(*address);
  return {};
}

std::unexpected<Error> no_good(const std::string& subject, std::string_view what) {
  return fail(ErrorCode::invalid, std::format("\"{}\": {}", subject, what));
}

/// A gateway that no address reaches would leave the board without a way out.
Result<> check_gateway(const Ip& gateway, const NetworkPlan& plan) {
  const auto refuse = [&](std::string_view what) { return no_good(gateway.to_string(), what); };
  if (gateway.is_zero() || gateway.is_loopback() || gateway.is_multicast()) {
    return refuse("expected a router's address");
  }
  std::string networks;  // of its family
  std::size_t reached = 0;
  for (const InterfacePlan& each : plan.interfaces) {
    if (reaches(each.addresses, gateway)) ++reached;
    for (const IpPrefix& own : each.addresses) {
      if (own.ip == gateway) return refuse("that is the board itself");
      // The network's own address is a gateway with IPv6: any of its routers.
      if (!gateway.v6 && holds(own, gateway)) {
        auto host = check_host({gateway, own.bits});
        if (!host) return host;
      }
      if (own.ip.v6 == gateway.v6) networks += (networks.empty() ? "" : ", ") + own.to_string();
    }
  }
  if (gateway.is_link_local() && reached > 1) {
    return refuse(
        "a link-local gateway means one link; expected IPv6 on one interface only, or a "
        "gateway in a network of theirs");
  }
  if (reached > 0 || (!gateway.v6 && plan.has_dhcp())) return {};
  if (networks.empty()) {
    return refuse(
        std::format("expected an {} address for the board as well", gateway.v6 ? "IPv6" : "IPv4"));
  }
  return refuse(std::format("expected an address in a network of the board's: {}", networks));
}

}  // namespace

bool NetworkPlan::has_dhcp() const {
  return std::ranges::any_of(interfaces, &InterfacePlan::dhcp);
}

Result<NetworkPlan> parse_network(const std::vector<std::string>& items, std::string_view interface,
                                  const std::vector<std::string>& gateways) {
  NetworkPlan plan;
  if (!interface.empty() && !is_interface_name(interface)) {
    return fail(ErrorCode::invalid,
                std::format("\"{}\": expected an interface's name, as eth0", interface));
  }
  for (const std::string& item : items) {
    if (auto added = add_item(plan, item, interface); !added) return std::unexpected(added.error());
  }
  if (items.empty()) plan_of(plan, interface).dhcp = true;
  for (const std::string& text : gateways) {
    auto gateway = parse_ip(text);
    if (!gateway) {
      return fail(ErrorCode::invalid,
                  std::format("\"{}\": expected an IP address, as 192.168.1.1", text));
    }
    if (std::ranges::any_of(plan.gateways,
                            [&](const Ip& other) { return other.v6 == gateway->v6; })) {
      return fail(ErrorCode::invalid,
                  std::format("\"{}\": expected one gateway for IPv4 and one for IPv6", text));
    }
    plan.gateways.push_back(*gateway);
  }
  return plan;
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

Result<> check_host(const IpPrefix& address) {
  const bool network = address.is_network();
  if (network || address.is_broadcast()) {
    return no_good(address.to_string(),
                   std::format("that is the network's {} address; expected a host's in it",
                               network ? "own" : "broadcast"));
  }
  if (address.ip.is_zero() || address.ip.is_multicast()) {
    return no_good(address.to_string(), "expected a host's address");
  }
  return {};
}

Result<> check_gateways(const NetworkPlan& plan) {
  for (const Ip& gateway : plan.gateways) {
    if (auto good = check_gateway(gateway, plan); !good) return good;
  }
  return {};
}

DefaultRoutes choose_routes(const NetworkPlan& plan, const std::vector<InterfaceState>& states) {
  DefaultRoutes out;
  const bool all_there = std::ranges::none_of(states, [](const InterfaceState& each) {
    return each.addresses.empty() || each.waits_for_dhcp;
  });
  for (const Ip& gateway : plan.gateways) {
    const auto over = std::ranges::find_if(
        states, [&](const InterfaceState& each) { return reaches(each.addresses, gateway); });
    if (over != states.end()) {
      out.routes.push_back({gateway, static_cast<std::size_t>(over - states.begin())});
    } else if (all_there) {
      out.out_of_reach.push_back(gateway);
    }
  }
  const bool has_ipv4 =
      std::ranges::any_of(out.routes, [](const DefaultRoute& each) { return !each.gateway.v6; });
  for (std::size_t which = 0; which < states.size() && !has_ipv4; ++which) {
    const InterfaceState& each = states[which];
    if (!each.dhcp_gateway || !reaches(each.addresses, *each.dhcp_gateway)) continue;
    out.routes.push_back({*each.dhcp_gateway, which});
    break;
  }
  return out;
}

}  // namespace tripod::boards
