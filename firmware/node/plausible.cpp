#include "firmware/node/plausible.h"

#include <algorithm>
#include <format>

#include "firmware/node/board_settings.h"
#include "platform/ini/problems.h"

namespace tripod::node {
namespace {

class PlausibilityCheck {
 public:
  PlausibilityCheck(const Config& config, const BoardSettings& settings)
      : config_(config), values_(config.values), settings_(settings) {
    for (const boards::InterfacePlan& each : settings.network.interfaces) {
      own_.insert(own_.end(), each.addresses.begin(), each.addresses.end());
    }
  }

  Result<> check() {
    for (const boards::IpPrefix& address : own_) {
      if (auto good = boards::check_host(address); !good) {
        wrong("board", "address", good.error().message);
      }
    }
    if (auto good = boards::check_gateways(settings_.network); !good) {
      wrong("board", "gateway", good.error().message);
    }
    check_names();
    if (config_.has(Role::apiserver)) check_services();
    if (config_.has(Role::etcd)) check_member();
    // What DHCP will give, nobody knows yet.
    if (!settings_.network.has_dhcp()) check_listeners();
    if (problems_.any()) return problems_.error();
    return {};
  }

 private:
  void wrong(std::string_view section, std::string_view key, std::string_view what) {
    problems_.add(std::format("{}: {}", values_.where(section, key), what));
  }

  bool in_hosts(std::string_view name) const {
    return std::ranges::any_of(settings_.hosts, [&](const std::string& line) {
      return line.ends_with(std::format(" {}", name));
    });
  }

  void check_names() {
    if (settings_.network.has_dhcp() || !settings_.nameservers.empty()) return;
    for (const std::string& server : settings_.ntp_servers) {
      if (boards::parse_ip(server) || in_hosts(server)) continue;
      wrong(
          "board", "ntp-servers",
          std::format("\"{}\": nobody is there to ask for a name; expected an address, or [board] "
                      "nameservers",
                      server));
    }
  }

  void check_services() {
    const std::string& range = values_.text("apiserver", "service-cluster-ip-range");
    const auto services = boards::parse_prefix(range);
    for (const boards::IpPrefix& own : own_) {
      if (!services || !boards::holds(*services, own.ip)) continue;
      wrong("board", "address",
            std::format("{} is among the addresses of Services, {}; expected another network, or "
                        "another [apiserver] service-cluster-ip-range",
                        own.ip.to_string(), range));
    }
  }

  void check_member() {
    std::vector<std::string> places;
    for (const std::string& item : values_.list("etcd", "initial-cluster")) {
      const std::string place = item.substr(item.find('=') + 1);
      if (std::ranges::contains(places, place)) {
        wrong("etcd", "initial-cluster",
              std::format("two members at {}; expected a place of its own for each", place));
      }
      places.push_back(place);
    }
    if (!values_.boolean("etcd", "client-cert-auth")) return;
    for (const ini::Url& url : values_.urls("etcd", "listen-client-urls")) {
      const auto ip = boards::parse_ip(url.address.ip);
      if (url.tls || (ip && ip->is_loopback())) continue;
      wrong("etcd", "client-cert-auth",
            std::format("contradicts {}: whoever connects there shows no certificate; expected "
                        "https://, or false",
                        values_.where("etcd", "listen-client-urls")));
      return;
    }
  }

  void check_listeners() {
    if (config_.has(Role::etcd)) {
      for (std::string_view key : {"listen-client-urls", "listen-peer-urls"}) {
        for (const ini::Url& url : values_.urls("etcd", key)) {
          check_own("etcd", key, url.address.ip);
        }
      }
    }
    if (config_.has(Role::apiserver)) {
      check_own("apiserver", "bind-address", values_.text("apiserver", "bind-address"));
    }
    if (config_.has(Role::balancer)) {
      check_own("balancer", "listen", values_.address("balancer", "listen").ip);
    }
  }

  void check_own(std::string_view section, std::string_view key, std::string_view text) {
    const auto ip = boards::parse_ip(text);
    if (!ip || ip->is_zero() || ip->is_loopback()) return;
    if (std::ranges::contains(own_, *ip, &boards::IpPrefix::ip)) return;
    std::string addresses;
    for (const boards::IpPrefix& own : own_) {
      addresses += (addresses.empty() ? "" : ", ") + own.ip.to_string();
    }
    wrong(section, key,
          std::format("{} is none of the board's addresses; expected one of {}, as {}", text,
                      addresses, values_.where("board", "address")));
  }

  const Config& config_;
  const ini::Values& values_;
  const BoardSettings& settings_;
  std::vector<boards::IpPrefix> own_;
  ini::Problems problems_;
};

}  // namespace

Result<> check_plausible(const Config& config) {
  auto settings = read_board_settings(config.values);
  if (!settings) return std::unexpected(settings.error());
  return PlausibilityCheck(config, *settings).check();
}

}  // namespace tripod::node
