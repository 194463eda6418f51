#pragma once
// The kernel's network tables, asked through one rtnetlink socket: requests wait for the kernel's
// answer, link changes arrive as events. Loop thread only.

#include <functional>
#include <map>
#include <memory>

#include "platform/base/result.h"
#include "platform/boards/net/route/route_message.h"
#include "platform/boards/system/files.h"
#include "platform/linux/loop.h"

namespace tripod::boards {

class RouteSocket {
 public:
  using LinkChanged = std::function<void(const LinkEvent&)>;

  /// Events begin once listen() was called.
  static Result<std::unique_ptr<RouteSocket>> open();

  Result<> set_up(int link);
  Result<> add_address(int link, const IpPrefix& address);
  Result<> remove_address(int link, const IpPrefix& address);
  Result<> set_default_route(int link, const Ip& gateway);

  /// Calls back for each link there is, now and whenever one changes.
  Result<> listen(linux_os::Loop& loop, LinkChanged changed);

 private:
  RouteSocket(Descriptor requests, Descriptor events)
      : requests_(std::move(requests)), events_(std::move(events)) {}
  Result<> request(const Bytes& message, std::uint32_t sequence, std::string_view doing);
  void read_events();

  Descriptor requests_;
  Descriptor events_;
  std::uint32_t sequence_ = 0;
  LinkChanged changed_;
  std::unique_ptr<os::Operation> watch_;
};

}  // namespace tripod::boards
