#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "platform/boards/net/network_plan.h"

namespace tripod::boards {
namespace {

Link ethernet(int index, std::string name) {
  Link link;
  link.index = index;
  link.name = std::move(name);
  link.ethernet = true;
  return link;
}

TEST(Ip, reads_addresses_networks_and_masks) {
  EXPECT_EQ(parse_prefix("192.168.1.11/24")->to_string(), "192.168.1.11/24");
  EXPECT_EQ(parse_prefix("fd00::11/64")->to_string(), "fd00::11/64");
  for (std::string_view bad : {"192.168.1.11", "192.168.1.11/33", "192.168.1.11/0", "x/24",
                               "fd00::1/129", "10.0.0.1/8x"}) {
    EXPECT_FALSE(parse_prefix(bad)) << bad;
  }
  EXPECT_EQ(bits_of_mask(*parse_ip("255.255.240.0")), 20);
  EXPECT_EQ(bits_of_mask(*parse_ip("255.255.255.255")), 32);
  EXPECT_FALSE(bits_of_mask(*parse_ip("255.0.255.0")));
}

TEST(NetworkPlan, reads_items_for_several_interfaces) {
  auto plan = parse_network({"192.168.1.11/24", "fd00::11/64", "dhcp@eth1"}, "",
                            {"192.168.1.1", "fd00::1"});
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->interfaces.size(), 2U);
  EXPECT_EQ(plan->interfaces[0].interface, "");
  EXPECT_EQ(plan->interfaces[0].addresses.size(), 2U);
  EXPECT_FALSE(plan->interfaces[0].dhcp);
  EXPECT_EQ(plan->interfaces[1].interface, "eth1");
  EXPECT_TRUE(plan->interfaces[1].dhcp);
  EXPECT_EQ(plan->gateways.size(), 2U);
  EXPECT_TRUE(parse_network({}, "", {})->has_dhcp()) << "DHCP when nothing is said";
}

TEST(NetworkPlan, says_what_it_would_accept) {
  auto no_length = parse_network({"192.168.1.11"}, "", {});
  ASSERT_FALSE(no_length);
  EXPECT_NE(no_length.error().message.find("expected dhcp or an address with its network's length"),
            std::string::npos);
  EXPECT_FALSE(parse_network({"dhcp@"}, "", {}));
  EXPECT_FALSE(parse_network({"dhcp"}, "an interface", {}));
  EXPECT_FALSE(parse_network({"dhcp"}, "", {"192.168.1.256"}));
  EXPECT_FALSE(parse_network({"dhcp"}, "", {"192.168.1.1", "192.168.1.2"})) << "two of one family";
}

TEST(NetworkPlan, knows_addresses_that_are_no_hosts) {
  for (std::string_view text : {"192.168.1.0/24", "192.168.1.255/24", "10.1.63.255/18", "fd00::/64",
                                "224.0.0.9/24", "ff02::1/64", "0.0.0.0/32"}) {
    EXPECT_FALSE(check_host(*parse_prefix(text))) << text;
  }
  for (std::string_view text :
       {"10.1.63.0/18", "192.168.1.0/31", "192.168.1.255/32", "fd00::ffff:ffff:ffff:ffff/64",
        "fd00::/127", "fe80::1/64", "127.0.0.11/24"}) {
    EXPECT_TRUE(check_host(*parse_prefix(text))) << text;
  }
}

/// What is said against the gateways; empty when they are good.
std::string refusal(const std::vector<std::string>& addresses,
                    const std::vector<std::string>& gateways) {
  auto plan = parse_network(addresses, "", gateways);
  auto good = plan ? check_gateways(*plan) : std::unexpected(plan.error());
  return good ? "" : good.error().message;
}

TEST(NetworkPlan, knows_gateways_that_no_address_reaches) {
  const std::vector<std::string> both = {"192.168.1.11/24", "fd00::11/64"};
  EXPECT_EQ(refusal(both, {"192.168.1.1", "fd00::1"}), "");
  EXPECT_EQ(refusal(both, {"fe80::1"}), "") << "as routers announce themselves";
  EXPECT_EQ(refusal(both, {"fd00::"}), "") << "any router of the network";
  EXPECT_EQ(refusal(both, {"192.168.2.1"}),
            "\"192.168.2.1\": expected an address in a network of the board's: 192.168.1.11/24");
  EXPECT_EQ(refusal(both, {"192.168.1.11"}), "\"192.168.1.11\": that is the board itself");
  EXPECT_NE(refusal(both, {"192.168.1.255"}).find("broadcast"), std::string::npos);
  EXPECT_NE(refusal(both, {"192.168.1.0"}).find("network's own address"), std::string::npos);
  for (std::string_view text : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "::1", "ff02::2"}) {
    EXPECT_NE(refusal({"dhcp"}, {std::string(text)}).find("expected a router's"), std::string::npos)
        << text;
  }
}

TEST(NetworkPlan, cannot_know_which_network_dhcp_gives) {
  EXPECT_EQ(refusal({"dhcp"}, {"192.168.1.1"}), "");
  EXPECT_EQ(refusal({"192.168.1.11/24", "dhcp@eth1"}, {"10.0.0.1"}), "");
  for (std::string_view text : {"fe80::1", "fd00::1"}) {  // the board's DHCP is IPv4's
    EXPECT_EQ(refusal({"dhcp"}, {std::string(text)}),
              std::format("\"{}\": expected an IPv6 address for the board as well", text));
  }
}

TEST(NetworkPlan, takes_a_link_local_gateway_where_one_link_can_be_meant) {
  EXPECT_EQ(refusal({"192.168.1.11/24", "fd00::11/64@eth1"}, {"fe80::1"}), "");
  EXPECT_NE(refusal({"fd00::11/64", "fd01::11/64@eth1"}, {"fe80::1"}).find("one link"),
            std::string::npos);
  EXPECT_EQ(refusal({"fd00::11/64", "fd01::11/64@eth1"}, {"fd01::1"}), "");
}

TEST(NetworkPlan, means_the_first_ethernet_interface_that_nobody_else_names) {
  auto plan = parse_network({"10.0.0.1/24", "dhcp@eth0"}, "", {});
  ASSERT_TRUE(plan);
  Link loopback = ethernet(1, "lo");
  loopback.ethernet = false;
  loopback.loopback = true;
  const std::vector<Link> links = {loopback, ethernet(4, "eth2"), ethernet(2, "eth0"),
                                   ethernet(3, "eth1")};
  EXPECT_EQ(choose_link(*plan, 0, links), 3);
  EXPECT_EQ(choose_link(*plan, 1, links), 2);
  EXPECT_EQ(choose_link(*plan, 1, {loopback}), 0) << "not there yet";
}

using Routes = std::vector<DefaultRoute>;

InterfaceState with(std::initializer_list<std::string_view> addresses) {
  InterfaceState state;
  for (std::string_view each : addresses) state.addresses.push_back(*parse_prefix(each));
  return state;
}

TEST(DefaultRoutes, go_over_the_first_interface_that_has_the_gateway_for_a_neighbour) {
  auto plan = parse_network({"192.168.1.11/24", "192.168.1.12/24@eth1", "fd00::1/64@eth1"}, "",
                            {"192.168.1.1", "fe80::1"});
  const auto chosen =
      choose_routes(*plan, {with({"192.168.1.11/24"}), with({"192.168.1.12/24", "fd00::1/64"})});
  EXPECT_EQ(chosen.routes, (Routes{{*parse_ip("192.168.1.1"), 0}, {*parse_ip("fe80::1"), 1}}));
  EXPECT_TRUE(chosen.out_of_reach.empty());
  // When the first has lost its address, the second is there.
  const auto later = choose_routes(*plan, {with({}), with({"192.168.1.12/24", "fd00::1/64"})});
  EXPECT_EQ(later.routes, (Routes{{*parse_ip("192.168.1.1"), 1}, {*parse_ip("fe80::1"), 1}}));
}

TEST(DefaultRoutes, are_what_dhcp_says_where_the_plan_has_none_in_reach) {
  auto plan = parse_network({"192.168.1.11/24", "dhcp@eth1"}, "", {});
  InterfaceState leased = with({"192.168.1.100/24"});
  leased.dhcp_gateway = parse_ip("192.168.1.1");
  // Over the interface that was told, although the other one is in the same network.
  EXPECT_EQ(choose_routes(*plan, {with({"192.168.1.11/24"}), leased}).routes,
            (Routes{{*parse_ip("192.168.1.1"), 1}}));
  plan->gateways = {*parse_ip("192.168.1.2")};
  EXPECT_EQ(choose_routes(*plan, {with({"192.168.1.11/24"}), leased}).routes,
            (Routes{{*parse_ip("192.168.1.2"), 0}}));
  plan->gateways = {*parse_ip("10.0.0.1")};
  const auto chosen = choose_routes(*plan, {with({"192.168.1.11/24"}), leased});
  EXPECT_EQ(chosen.routes, (Routes{{*parse_ip("192.168.1.1"), 1}}));
  EXPECT_EQ(chosen.out_of_reach, std::vector<Ip>{*parse_ip("10.0.0.1")});
}

TEST(DefaultRoutes, are_not_missed_while_addresses_are_to_come) {
  auto plan = parse_network({"fd00::11/64", "dhcp"}, "", {"192.168.1.1"});
  InterfaceState state = with({"fd00::11/64"});
  state.waits_for_dhcp = true;
  EXPECT_TRUE(choose_routes(*plan, {state}).out_of_reach.empty());
  state.waits_for_dhcp = false;
  EXPECT_EQ(choose_routes(*plan, {state}).out_of_reach.size(), 1U);
  EXPECT_TRUE(choose_routes(*plan, {with({})}).out_of_reach.empty());
}

TEST(NetworkPlan, finds_the_network_of_a_gateway) {
  EXPECT_TRUE(holds(*parse_prefix("192.168.1.11/24"), *parse_ip("192.168.1.1")));
  EXPECT_FALSE(holds(*parse_prefix("192.168.1.11/24"), *parse_ip("192.168.2.1")));
  EXPECT_TRUE(holds(*parse_prefix("10.1.200.1/18"), *parse_ip("10.1.255.1")));
  EXPECT_FALSE(holds(*parse_prefix("10.1.200.1/18"), *parse_ip("10.1.100.1")));
  EXPECT_FALSE(holds(*parse_prefix("10.1.200.1/18"), *parse_ip("fd00::1")));
}

/// A link as the kernel would describe it, by the kernel's own structures.
Bytes link_datagram(std::uint16_t type, int index, unsigned flags, std::string_view name) {
  Bytes out(sizeof(nlmsghdr) + sizeof(ifinfomsg), '\0');
  ifinfomsg info{};
  info.ifi_type = 1;
  info.ifi_index = index;
  info.ifi_flags = flags;
  std::memcpy(out.data() + sizeof(nlmsghdr), &info, sizeof(info));
  rtattr attribute{};
  attribute.rta_type = IFLA_IFNAME;
  attribute.rta_len = static_cast<unsigned short>(sizeof(attribute) + name.size() + 1);
  out.append(reinterpret_cast<const char*>(&attribute), sizeof(attribute));
  out += name;
  out.resize((out.size() + 4) & ~std::size_t{3}, '\0');
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(out.size());
  header.nlmsg_type = type;
  std::memcpy(out.data(), &header, sizeof(header));
  return out;
}

TEST(RouteMessage, reads_links) {
  constexpr unsigned up = 1;
  constexpr unsigned lower_up = 1U << 16;
  Bytes two = link_datagram(RTM_NEWLINK, 2, up | lower_up, "eth0") +
              link_datagram(RTM_DELLINK, 3, 0, "usb0");
  RouteDatagram decoded = decode_route_datagram(two);
  ASSERT_EQ(decoded.links.size(), 2U);
  EXPECT_EQ(decoded.links[0].link.name, "eth0");
  EXPECT_TRUE(decoded.links[0].link.up && decoded.links[0].link.carrier &&
              decoded.links[0].link.ethernet);
  EXPECT_FALSE(decoded.links[0].removed);
  EXPECT_TRUE(decoded.links[1].removed);
  EXPECT_FALSE(decoded.links[1].link.carrier);
}

TEST(RouteMessage, passes_over_what_is_malformed) {
  Bytes whole = link_datagram(RTM_NEWLINK, 2, 1, "eth0");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(decode_route_datagram(BytesView(whole).substr(0, size)).links.empty()) << size;
  }
  Bytes endless = whole;
  endless[sizeof(nlmsghdr) + sizeof(ifinfomsg)] = 0;  // an attribute of no size
  EXPECT_TRUE(decode_route_datagram(endless).links.empty());
}

}  // namespace
}  // namespace tripod::boards
