#include "firmware/balancer/backends.h"

#include <algorithm>
#include <tuple>

#include "platform/base/check.h"

namespace tripod::balancer {

Backends::Backends(std::vector<os::Address> addresses, HealthRule rule) : rule_(rule) {
  CHECK(rule.rise > 0 && rule.fall > 0);
  for (os::Address& address : addresses) backends_.push_back({.address = std::move(address)});
}

bool Backends::probed(Index index, bool good) {
  CHECK(index < backends_.size());
  Backend& backend = backends_[index];
  if (good == backend.up) {
    backend.streak = 0;
    return false;
  }
  int needed = backend.up ? rule_.fall : backend.ever_up ? rule_.rise : 1;
  if (++backend.streak < needed) return false;
  backend.up = good;
  backend.ever_up = backend.ever_up || good;
  backend.streak = 0;
  return true;
}

std::optional<Backends::Index> Backends::choose(std::span<const Index> tried) {
  std::optional<Index> best;
  auto rank = [&](Index i) {
    const Backend& b = backends_[i];
    return std::tuple(!b.up, b.connections, b.chosen_at);
  };
  for (Index i = 0; i < backends_.size(); ++i) {
    if (std::ranges::find(tried, i) != tried.end()) continue;
    if (!best || rank(i) < rank(*best)) best = i;
  }
  if (best) backends_[*best].chosen_at = ++choices_;
  return best;
}

void Backends::closed(Index index) {
  CHECK(backends_[index].connections > 0);
  --backends_[index].connections;
}

}  // namespace tripod::balancer
