#include "platform/boards/net/route/route_message.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <cstring>

namespace tripod::boards {
namespace {

constexpr unsigned lower_up = 1U << 16;  // IFF_LOWER_UP, which <net/if.h> does not have

constexpr std::size_t aligned(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

template <typename T>
void append(Bytes& out, const T& value) {
  Bytes raw(sizeof(T), '\0');
  std::memcpy(raw.data(), &value, sizeof(T));
  out += raw;
}

void append_attribute(Bytes& out, unsigned short type, BytesView value) {
  rtattr header{};
  header.rta_len = static_cast<unsigned short>(sizeof(header) + value.size());
  header.rta_type = type;
  append(out, header);
  out += value;
  out.resize(aligned(out.size()), '\0');
}

template <typename Body>
Bytes message(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, const Body& body,
              BytesView attributes) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof(header) + sizeof(body) + attributes.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = sequence;
  Bytes out;
  append(out, header);
  append(out, body);
  out += attributes;
  return out;
}

/// A fixed structure at the beginning of `bytes`, which are cut behind it; false when they are too
/// short.
template <typename T>
bool take(BytesView& bytes, T& out) {
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(&out, bytes.data(), sizeof(T));
  bytes.remove_prefix(std::min(aligned(sizeof(T)), bytes.size()));
  return true;
}

void decode_link_attributes(BytesView attributes, Link& link) {
  while (attributes.size() >= sizeof(rtattr)) {
    rtattr header{};
    std::memcpy(&header, attributes.data(), sizeof(header));
    if (header.rta_len < sizeof(header) || header.rta_len > attributes.size()) return;
    BytesView value = attributes.substr(sizeof(header), header.rta_len - sizeof(header));
    if (header.rta_type == IFLA_IFNAME) link.name = value.substr(0, value.find('\0'));
    if (header.rta_type == IFLA_ADDRESS && value.size() == link.hardware_address.size()) {
      std::memcpy(link.hardware_address.data(), value.data(), value.size());
    }
    attributes.remove_prefix(std::min(aligned(header.rta_len), attributes.size()));
  }
}

void decode_link(BytesView body, bool removed, std::vector<LinkEvent>& links) {
  ifinfomsg info{};
  if (!take(body, info)) return;
  LinkEvent event{.link = {}, .removed = removed};
  event.link.index = info.ifi_index;
  event.link.ethernet = info.ifi_type == ARPHRD_ETHER;
  event.link.loopback = (info.ifi_flags & IFF_LOOPBACK) != 0;
  event.link.up = (info.ifi_flags & IFF_UP) != 0;
  event.link.carrier = (info.ifi_flags & lower_up) != 0;
  decode_link_attributes(body, event.link);
  if (!event.link.name.empty()) links.push_back(std::move(event));
}

Bytes address_message(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, int link,
                      const IpPrefix& address) {
  ifaddrmsg body{};
  body.ifa_family = address.ip.v6 ? AF_INET6 : AF_INET;
  body.ifa_prefixlen = static_cast<std::uint8_t>(address.bits);
  body.ifa_index = static_cast<std::uint32_t>(link);
  if (address.ip.v6) body.ifa_flags = IFA_F_NODAD;
  Bytes attributes;
  append_attribute(attributes, IFA_LOCAL, address.ip.bytes());
  append_attribute(attributes, IFA_ADDRESS, address.ip.bytes());
  return message(type, flags, sequence, body, attributes);
}

}  // namespace

RouteDatagram decode_route_datagram(BytesView datagram) {
  RouteDatagram out;
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, datagram.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > datagram.size()) break;
    BytesView body = datagram.substr(sizeof(header), header.nlmsg_len - sizeof(header));
    if (header.nlmsg_type == RTM_NEWLINK || header.nlmsg_type == RTM_DELLINK) {
      decode_link(body, header.nlmsg_type == RTM_DELLINK, out.links);
    } else if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) {
      std::int32_t error = 0;
      take(body, error);
      out.outcomes.push_back({header.nlmsg_seq, error < 0 ? -error : 0});
    }
    datagram.remove_prefix(std::min(aligned(header.nlmsg_len), datagram.size()));
  }
  return out;
}

Bytes list_links_message(std::uint32_t sequence) {
  return message(RTM_GETLINK, NLM_F_DUMP, sequence, ifinfomsg{}, {});
}

Bytes link_up_message(std::uint32_t sequence, int link) {
  ifinfomsg body{};
  body.ifi_index = link;
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  return message(RTM_NEWLINK, NLM_F_ACK, sequence, body, {});
}

Bytes add_address_message(std::uint32_t sequence, int link, const IpPrefix& address) {
  return address_message(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sequence, link,
                         address);
}

Bytes remove_address_message(std::uint32_t sequence, int link, const IpPrefix& address) {
  return address_message(RTM_DELADDR, NLM_F_ACK, sequence, link, address);
}

Bytes default_route_message(std::uint32_t sequence, int link, const Ip& gateway) {
  rtmsg body{};
  body.rtm_family = gateway.v6 ? AF_INET6 : AF_INET;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  Bytes attributes;
  append_attribute(attributes, RTA_GATEWAY, gateway.bytes());
  Bytes index(sizeof(link), '\0');
  std::memcpy(index.data(), &link, sizeof(link));
  append_attribute(attributes, RTA_OIF, index);
  return message(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sequence, body,
                 attributes);
}

}  // namespace tripod::boards
