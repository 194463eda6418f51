#pragma once
// Cluster IPs and node ports of Services: one etcd key per address, claimed in the transaction that
// writes the Service (upstream's IPAddress layout, /registry/ipaddresses/<ip>), so that no two API
// servers hand out the same one and none leaks.
//
// The pick is made from the local cache and may be stale; the transaction decides, and the store
// tries again.

#include <cstdint>
#include <functional>
#include <string>

#include "firmware/apiserver/registry/resource.h"
#include "firmware/apiserver/watch_cache/cache.h"
#include "platform/os/board.h"

namespace tripod::apiserver {

/// An IPv4 range: "10.96.0.0/16".
struct AddressRange {
  std::uint32_t base = 0;
  std::uint32_t size = 0;
  std::string text;

  static Result<AddressRange> parse(std::string_view cidr);
  bool contains(std::uint32_t address) const { return address > base && address < base + size - 1; }
};

std::string ipv4_text(std::uint32_t address);
std::optional<std::uint32_t> parse_ipv4(std::string_view text);

class ServiceAddresses final : public ClusterView {
 public:
  struct Options {
    AddressRange cluster_ips;
    std::uint16_t node_port_first = 30000;
    std::uint16_t node_port_last = 32767;
  };

  /// `services` is the cache of Services.
  ServiceAddresses(Options options, const Cache& services, os::World world)
      : options_(std::move(options)), services_(services), world_(world) {}

  kube::Outcome<> allocate(json::Value& object, const json::Value* old, Claims& claims) override;

  /// What the `kubernetes` Service has: the first of the range.
  std::string first_address() const { return ipv4_text(options_.cluster_ips.base + 1); }

 private:
  struct Taken {
    std::set<std::uint32_t> addresses;
    std::set<std::int64_t> ports;
  };
  /// What one Service holds.
  struct Holding {
    std::string address;  // empty: none
    std::set<std::int64_t> ports;
  };

  Taken taken(const Claims& claims) const;
  static Holding holding_of(const json::Value* service);
  kube::Outcome<> settle_address(json::Value& service, const Holding& old, const Claims& claims,
                                 const Taken& taken);
  kube::Outcome<> settle_ports(json::Value& service, const Holding& old, const Claims& claims,
                               Taken& taken);
  std::uint64_t random() { return world_.entropy.next(); }
  void diff(const json::Value& service, const Holding& before, const Holding& after,
            Claims& claims);

  Options options_;
  const Cache& services_;
  os::World world_;
};

}  // namespace tripod::apiserver
