#pragma once
// Whose the names in a certificate are. A board may have its own; others' are what other members
// are called and reached by, and what Pods call the API: "kubernetes", kubernetes.default and
// below, and the addresses of Services. Pure.

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/apiserver/admission/service_addresses.h"
#include "firmware/etcd/api/messages.h"

namespace tripod::node {

class NamesOfOthers {
 public:
  /// For the board of that name among `members`, those that have started: who has no name yet has
  /// only asked for its place. `service_range` as [apiserver] service-cluster-ip-range.
  NamesOfOthers(const std::vector<etcd::MemberInfo>& members, const std::string& board,
                std::string_view service_range);

  /// In whatever case or way of writing. What every board calls itself (localhost) is nobody's.
  bool contains(const std::string& name) const;

 private:
  std::set<std::string> taken_;
  apiserver::AddressRange services_;
};

}  // namespace tripod::node
