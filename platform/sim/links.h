#pragma once
// How packets travel between hosts: delay, loss, duplication, and directions that are cut. Streams
// (network.h) are built on it; a harness that tests a protocol below TCP draws single deliveries
// itself.

#include <optional>
#include <set>
#include <string>

#include "platform/sim/simulation.h"

namespace tripod::sim {

struct LinkQuality {
  Duration delay_min = std::chrono::microseconds(200);
  Duration delay_max = std::chrono::milliseconds(2);
  double loss = 0;
  double duplication = 0;
};

/// Hosts are names; a host always reaches itself.
class Links {
 public:
  explicit Links(Simulation& simulation) : simulation_(simulation) {}

  void set_quality(const LinkQuality& quality) { quality_ = quality; }
  const LinkQuality& quality() const { return quality_; }
  /// One direction; call twice for both.
  void cut(const std::string& from, const std::string& to) { cut_.insert({from, to}); }
  void heal() { cut_.clear(); }
  bool connected(const std::string& from, const std::string& to) const {
    return from == to || !cut_.contains({from, to});
  }
  /// How long one packet takes; nothing when it is lost.
  std::optional<Duration> draw(const std::string& from, const std::string& to);
  bool duplicates() { return simulation_.random().chance(quality_.duplication); }

 private:
  Simulation& simulation_;
  LinkQuality quality_;
  std::set<std::pair<std::string, std::string>> cut_;
};

}  // namespace tripod::sim
