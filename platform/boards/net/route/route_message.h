#pragma once
// Rtnetlink messages (rtnetlink(7), RFC 3549): what process 1 asks the kernel about links,
// addresses and routes, and what the kernel says about links. Encoding and decoding only;
// route_socket.h sends them.

#include <vector>

#include "platform/boards/net/ip.h"

namespace tripod::boards {

/// One network interface as the kernel described it last.
struct Link {
  int index = 0;
  std::string name;
  bool ethernet = false;
  bool loopback = false;
  bool up = false;       // somebody switched it on
  bool carrier = false;  // and a cable is in
  std::array<std::uint8_t, 6> hardware_address{};

  friend bool operator==(const Link&, const Link&) = default;
};

struct LinkEvent {
  Link link;
  bool removed = false;
};

/// What one datagram of the kernel holds: links, and the outcomes of requests.
struct RouteDatagram {
  std::vector<LinkEvent> links;
  struct Outcome {
    std::uint32_t sequence = 0;
    int error = 0;  // 0, or an errno
  };
  std::vector<Outcome> outcomes;
};

/// Never fails: what is malformed or unknown is passed over.
RouteDatagram decode_route_datagram(BytesView datagram);

Bytes list_links_message(std::uint32_t sequence);
Bytes link_up_message(std::uint32_t sequence, int link);
/// Adds (or updates) an address; IPv6 ones are usable at once, without waiting for duplicates to
/// answer.
Bytes add_address_message(std::uint32_t sequence, int link, const IpPrefix& address);
Bytes remove_address_message(std::uint32_t sequence, int link, const IpPrefix& address);
/// The default route of the gateway's family over `link`, in place of one that is there.
Bytes default_route_message(std::uint32_t sequence, int link, const Ip& gateway);

}  // namespace tripod::boards
