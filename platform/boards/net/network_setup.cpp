#include "platform/boards/net/network_setup.h"

#include <algorithm>

#include "platform/base/check.h"

namespace tripod::boards {

/// One plan and the interface that it has found.
struct NetworkSetup::Managed {
  const InterfacePlan* plan = nullptr;
  int link = 0;  // 0: none yet
  std::vector<IpPrefix> addresses;
  std::vector<std::unique_ptr<AddressGuard>> guards;
  std::unique_ptr<DhcpSession> dhcp;
  std::optional<DhcpLease> lease;  // whose address is among `addresses`

  bool all_held() const {
    return std::ranges::all_of(guards, [](const auto& guard) {
      return guard->claim().state() == AddressClaim::State::held;
    });
  }
};

NetworkSetup::NetworkSetup(Options options, linux_os::Loop& loop, const Logger& log)
    : options_(std::move(options)), loop_(loop), log_(log.named("network")) {
  for (const InterfacePlan& plan : options_.plan.interfaces) {
    managed_.emplace_back().plan = &plan;
  }
}

NetworkSetup::~NetworkSetup() = default;

Result<> NetworkSetup::start() {
  auto kernel = RouteSocket::open();
  if (!kernel) return std::unexpected(kernel.error());
  kernel_ = std::move(*kernel);
  return kernel_->listen(loop_, [this](const LinkEvent& event) { on_link(event); });
}

bool NetworkSetup::ready() const {
  return std::ranges::all_of(managed_, [](const Managed& each) {
    return each.link != 0 && !each.addresses.empty() && each.all_held();
  });
}

namespace {

std::string describe_conflict(const AddressGuard& guard) {
  return std::format(
      "{}: the machine {} has this address, too; is a card there twice? Give each board its own "
      "[board] address",
      guard.address().ip.to_string(), to_string(*guard.claim().other()));
}

}  // namespace

std::vector<NetworkSetup::Interface> NetworkSetup::interfaces() const {
  std::vector<Interface> out;
  for (const Managed& each : managed_) {
    auto link = std::ranges::find(links_, each.link, &Link::index);
    bool there = each.link != 0 && link != links_.end();
    out.push_back({.link = there ? each.link : 0,
                   .name = there ? link->name : each.plan->interface,
                   .carrier = there && link->carrier,
                   .addresses = each.addresses,
                   .conflicts = {}});
    for (const auto& guard : each.guards) {
      if (guard->claim().other()) out.back().conflicts.push_back(describe_conflict(*guard));
    }
  }
  return out;
}

std::vector<std::string> NetworkSetup::nameservers() const {
  std::vector<std::string> out;
  for (const Managed& each : managed_) {
    if (!each.lease) continue;
    for (const Ip& server : each.lease->nameservers) out.push_back(server.to_string());
  }
  return out;
}

std::vector<std::string> NetworkSetup::ntp_servers() const {
  std::vector<std::string> out;
  for (const Managed& each : managed_) {
    if (!each.lease) continue;
    for (const Ip& server : each.lease->ntp_servers) out.push_back(server.to_string());
  }
  return out;
}

void NetworkSetup::on_link(const LinkEvent& event) {
  auto known = std::ranges::find(links_, event.link.index, &Link::index);
  if (event.removed) {
    if (known == links_.end()) return;
    log_.warn("interface gone", LogField("interface", event.link.name));
    links_.erase(known);
    for (Managed& each : managed_) {
      if (each.link != event.link.index) continue;
      const InterfacePlan* plan = each.plan;
      each = Managed();
      each.plan = plan;
    }
    route();
    options_.changed();
    return;
  }
  bool had_carrier = known != links_.end() && known->carrier;
  if (known == links_.end()) {
    links_.push_back(event.link);
    if (event.link.loopback) std::ignore = kernel_->set_up(event.link.index);
  } else {
    if (*known == event.link) return;
    *known = event.link;
  }
  for (std::size_t i = 0; i < managed_.size(); ++i) {
    if (managed_[i].link == 0) adopt(i);
  }
  if (had_carrier == event.link.carrier || event.link.loopback) return;
  log_.info(event.link.carrier ? "cable in" : "cable out", LogField("interface", event.link.name));
  for (Managed& each : managed_) {
    if (each.link != event.link.index) continue;
    if (event.link.carrier) {
      route();
      for (auto& guard : each.guards) guard->cable_in();
    }
    if (!each.dhcp) continue;
    if (event.link.carrier) {
      each.dhcp->cable_in();
    } else {
      each.dhcp->cable_out();
    }
  }
  options_.changed();
}

/// Looks for the plan's interface and switches it on.
void NetworkSetup::adopt(std::size_t which) {
  Managed& managed = managed_[which];
  managed.link = choose_link(options_.plan, which, links_);
  if (managed.link == 0) return;
  if (auto up = kernel_->set_up(managed.link); !up) {
    log_.error("interface stays off", LogField("error", up.error().to_string()));
  }
  configure(managed);
}

bool NetworkSetup::add(Managed& managed, const IpPrefix& address) {
  auto link = std::ranges::find(links_, managed.link, &Link::index);
  CHECK(link != links_.end());
  if (auto added = kernel_->add_address(managed.link, address); !added) {
    log_.error("address refused", LogField("interface", link->name),
               LogField("error", added.error().to_string()));
    return false;
  }
  managed.addresses.push_back(address);
  log_.info("address", LogField("interface", link->name), LogField("address", address.to_string()));
  return true;
}

void NetworkSetup::configure(Managed& managed) {
  auto link = std::ranges::find(links_, managed.link, &Link::index);
  const auto which = static_cast<std::size_t>(&managed - managed_.data());
  for (const IpPrefix& address : managed.plan->addresses) {
    if (!address.ip.v6) guard(which, *link, address);
  }
  settle(which);
  if (managed.plan->dhcp) ask_for_lease(which, *link);
  options_.changed();
}

void NetworkSetup::guard(std::size_t which, const Link& link, const IpPrefix& address) {
  AddressGuard::Options options{.link = link, .address = address, .changed = {}};
  const std::size_t index = managed_[which].guards.size();
  options.changed = [this, which, index] {
    const AddressGuard& changed = *managed_[which].guards[index];
    if (changed.claim().other()) log_.error(describe_conflict(changed));
    settle(which);
    options_.changed();
  };
  auto opened = AddressGuard::open(std::move(options), loop_);
  if (!opened) {
    log_.warn("address not asked for", LogField("error", opened.error().to_string()));
    return;
  }
  managed_[which].guards.push_back(std::move(*opened));
  if (link.carrier) managed_[which].guards.back()->cable_in();
}

void NetworkSetup::settle(std::size_t which) {
  Managed& managed = managed_[which];
  const bool taken = std::ranges::any_of(managed.guards, [](const auto& guard) {
    return guard->claim().state() == AddressClaim::State::taken;
  });
  for (const IpPrefix& address : managed.plan->addresses) {
    const bool has = std::ranges::contains(managed.addresses, address);
    if (managed.all_held() && !has) add(managed, address);
    if (taken && has) {
      std::ignore = kernel_->remove_address(managed.link, address);
      std::erase(managed.addresses, address);
    }
  }
  route();
}

void NetworkSetup::ask_for_lease(std::size_t which, const Link& link) {
  DhcpSession::Options options{
      .link = link, .hostname = options_.hostname, .draw = options_.draw, .changed = [this, which] {
        take_lease(which);
      }};
  auto session = DhcpSession::open(std::move(options), loop_);
  if (!session) {
    log_.error("no DHCP", LogField("interface", link.name),
               LogField("error", session.error().to_string()));
    return;
  }
  managed_[which].dhcp = std::move(*session);
  if (link.carrier) managed_[which].dhcp->cable_in();
}

/// The lease of before goes, the one of now comes, in the kernel's tables.
void NetworkSetup::take_lease(std::size_t which) {
  Managed& managed = managed_[which];
  const std::optional<DhcpLease>& now = managed.dhcp->lease();
  if (managed.lease && (!now || now->address != managed.lease->address)) {
    std::ignore = kernel_->remove_address(managed.link, managed.lease->address);
    std::erase(managed.addresses, managed.lease->address);
    log_.warn("address given up", LogField("address", managed.lease->address.to_string()));
  }
  managed.lease = now;
  if (now && std::ranges::find(managed.addresses, now->address) == managed.addresses.end()) {
    add(managed, now->address);
  }
  route();
  options_.changed();
}

void NetworkSetup::route() {
  std::vector<InterfaceState> states;
  for (const Managed& each : managed_) {
    states.push_back({.addresses = each.addresses,
                      .dhcp_gateway = each.lease ? each.lease->gateway : std::nullopt,
                      .waits_for_dhcp = each.plan->dhcp && !each.lease});
  }
  const DefaultRoutes chosen = choose_routes(options_.plan, states);
  std::map<Ip, std::string> told;
  for (const DefaultRoute& route : chosen.routes) {
    const int link = managed_[route.which].link;
    const auto found = std::ranges::find(links_, link, &Link::index);
    CHECK(found != links_.end());
    auto routed = kernel_->set_default_route(link, route.gateway);
    told[route.gateway] = routed ? found->name : routed.error().to_string();
    if (told_routes_[route.gateway] == told[route.gateway]) continue;
    if (routed) {
      log_.info("default route", LogField("interface", found->name),
                LogField("gateway", route.gateway.to_string()));
    } else {
      log_.warn("no route", LogField("error", routed.error().to_string()));
    }
  }
  for (const Ip& gateway : chosen.out_of_reach) {
    told[gateway] = "out of reach";
    if (told_routes_[gateway] == told[gateway]) continue;
    log_.warn("no address reaches the gateway", LogField("gateway", gateway.to_string()));
  }
  told_routes_ = std::move(told);
}

}  // namespace tripod::boards
