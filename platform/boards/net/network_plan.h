#pragma once
// What a board's interfaces are to be, from the words of its configuration, and which interface a
// plan means. Pure.

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
/// interface than `interface`. No gateways yet. Messages say what was wrong and what is accepted.
Result<NetworkPlan> parse_network(const std::vector<std::string>& items,
                                  std::string_view interface);
/// The gateways' addresses, each to be reached from an address of the plan; one of DHCP, which the
/// plan does not know, may reach any.
Result<std::vector<Ip>> parse_gateways(const std::vector<std::string>& items,
                                       const NetworkPlan& plan);

/// The plan's interface among those that are there; 0: it is not there (yet).
int choose_link(const NetworkPlan& plan, std::size_t which, const std::vector<Link>& links);

bool holds(const IpPrefix& network, const Ip& address);
/// Whether an interface with these addresses has the gateway for a neighbour: one of its networks
/// holds it, or it is link-local and the interface has IPv6.
bool reaches(const std::vector<IpPrefix>& addresses, const Ip& gateway);

}  // namespace tripod::boards
