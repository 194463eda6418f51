#pragma once
// Which backend takes a client: the healthy one with the fewest connections. Pure: probe results
// and connection counts go in, choices come out. A backend changes sides after `rise` good or
// `fall` bad probes in a row, as HAProxy counts.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "platform/os/network.h"

namespace tripod::balancer {

struct HealthRule {
  int rise = 2;
  int fall = 2;
};

class Backends {
 public:
  using Index = std::size_t;

  /// All start as down: nobody is sent to a server that has not answered yet. The first good probe
  /// is enough for the first rise.
  Backends(std::vector<os::Address> addresses, HealthRule rule);

  std::size_t size() const { return backends_.size(); }
  const os::Address& address(Index index) const { return backends_[index].address; }
  bool up(Index index) const { return backends_[index].up; }
  std::size_t connections(Index index) const { return backends_[index].connections; }

  /// True when the backend changed sides.
  bool probed(Index index, bool good);
  /// A client's connection to it failed: counts as one bad probe.
  bool connect_failed(Index index) { return probed(index, false); }

  /// The healthy backend with the fewest connections that is not in `tried`; when none is healthy,
  /// one that is down, for a refused connection says more than silence. Ties go to the one chosen
  /// longest ago. nullopt: all were tried.
  std::optional<Index> choose(std::span<const Index> tried);
  void opened(Index index) { ++backends_[index].connections; }
  void closed(Index index);

 private:
  struct Backend {
    os::Address address;
    bool up = false;
    bool ever_up = false;
    int streak = 0;  // probes in a row that speak against `up`
    std::size_t connections = 0;
    std::uint64_t chosen_at = 0;
  };

  std::vector<Backend> backends_;
  HealthRule rule_;
  std::uint64_t choices_ = 0;
};

}  // namespace tripod::balancer
