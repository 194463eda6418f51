#pragma once
// What a board's interfaces are to be, from the words of its configuration, and which interface a
// plan means. Pure.

#include <optional>
#include <vector>

#include "platform/base/result.h"
#include "platform/boards/net/ip.h"
#include "platform/boards/net/route/route_message.h"

namespace tripod::boards {

struct InterfacePlan {
  std::string interface;  // empty: the first Ethernet interface that no other plan names
  bool dhcp = false;
  std::vector<IpPrefix> addresses;
};

struct NetworkPlan {
  std::vector<InterfacePlan> interfaces;
  std::vector<Ip> gateways;  // at most one a family

  bool has_dhcp() const;
};

/// `items` are "dhcp" or "192.168.1.11/24", each with "@eth1" behind it when it is for another
/// interface than `interface`. Messages say what was wrong and what is accepted.
Result<NetworkPlan> parse_network(const std::vector<std::string>& items, std::string_view interface,
                                  const std::vector<std::string>& gateways);

/// The plan's interface among those that are there; 0: it is not there (yet).
int choose_link(const NetworkPlan& plan, std::size_t which, const std::vector<Link>& links);

// What the next two refuse is carried out as far as it goes, for a board should not stay away for
// it. Whoever writes a plan should be told.

/// Fails on an address that no host can have: its network's own or broadcast, zero, multicast.
Result<> check_host(const IpPrefix& address);
/// Fails on a gateway that no address of the plan reaches. An IPv4 one may be where DHCP leads.
Result<> check_gateways(const NetworkPlan& plan);

bool holds(const IpPrefix& network, const Ip& address);
/// Whether an interface with these addresses has the gateway for a neighbour: one of its networks
/// holds it, or it is link-local and the interface has IPv6.
bool reaches(const std::vector<IpPrefix>& addresses, const Ip& gateway);

/// What an interface of the plan has by now.
struct InterfaceState {
  std::vector<IpPrefix> addresses;
  std::optional<Ip> dhcp_gateway;
  bool waits_for_dhcp = false;  // and so for more addresses
};

struct DefaultRoute {
  Ip gateway;
  std::size_t which = 0;  // of the plan's interfaces
  friend bool operator==(const DefaultRoute&, const DefaultRoute&) = default;
};

struct DefaultRoutes {
  std::vector<DefaultRoute> routes;
  std::vector<Ip> out_of_reach;  // gateways of the plan, once all addresses are there
};

/// Over the first interface that has the gateway for a neighbour. What DHCP says counts where the
/// plan has no gateway of IPv4 that can be reached, and goes over the interface that was told.
DefaultRoutes choose_routes(const NetworkPlan& plan, const std::vector<InterfaceState>& states);

}  // namespace tripod::boards
