#pragma once
// Keeps the board's interfaces as its plan says: switched on, addressed and routed as soon as they
// are there, and again when a cable comes back. Static addresses stay while the cable is out, so
// that the server goes on listening; a DHCP lease is asked for anew. A static IPv4 address that
// another machine uses is not taken, nor those beside it. Loop thread only.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "platform/base/log.h"
#include "platform/boards/net/address/address_guard.h"
#include "platform/boards/net/dhcp/dhcp_session.h"
#include "platform/boards/net/network_plan.h"
#include "platform/boards/net/route/route_socket.h"

namespace tripod::boards {

class NetworkSetup {
 public:
  struct Options {
    NetworkPlan plan;
    std::string hostname;                 // what DHCP servers are told
    std::function<std::uint32_t()> draw;  // a random number
    std::function<void()> changed;        // addresses or cables
  };

  /// `loop` and `log` outlive it.
  NetworkSetup(Options options, linux_os::Loop& loop, const Logger& log);
  ~NetworkSetup();

  Result<> start();
  /// Every plan has found its interface and has an address, and all its static ones.
  bool ready() const;

  struct Interface {
    int link = 0;  // 0: not there (yet)
    std::string name;
    bool carrier = false;
    std::vector<IpPrefix> addresses;
    std::vector<std::string> conflicts;  // for people: who else uses an address of this board
  };
  /// For people: those the plan speaks of, in its order.
  std::vector<Interface> interfaces() const;
  /// What DHCP servers said, the first interface's first.
  std::vector<std::string> nameservers() const;
  std::vector<std::string> ntp_servers() const;

 private:
  struct Managed;

  void on_link(const LinkEvent& event);
  void adopt(std::size_t which);
  void configure(Managed& managed);
  void ask_for_lease(std::size_t which, const Link& link);
  void take_lease(std::size_t which);
  bool add(Managed& managed, const IpPrefix& address);
  /// Asks whether somebody else has the address.
  void guard(std::size_t which, const Link& link, const IpPrefix& address);
  /// Static addresses come once all of IPv4 are this board's, and go when one is another's: whoever
  /// has one of them has the whole card.
  void settle(std::size_t which);
  /// Asks for the default routes that there should be now. (The kernel forgets them with a cable.)
  void route();

  Options options_;
  linux_os::Loop& loop_;
  Logger log_;
  std::unique_ptr<RouteSocket> kernel_;
  std::vector<Link> links_;
  std::vector<Managed> managed_;           // one a plan
  std::map<Ip, std::string> told_routes_;  // gateway -> interface or trouble, as last logged
};

}  // namespace tripod::boards
