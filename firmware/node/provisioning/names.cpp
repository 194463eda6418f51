#include "firmware/node/provisioning/names.h"

#include <algorithm>

#include "firmware/node/config.h"
#include "platform/pki/authority.h"

namespace tripod::node {
namespace {

constexpr std::string_view api_name = "kubernetes";
constexpr std::string_view api_full_name = "kubernetes.default";

/// Where clients and other members reach it.
std::vector<std::string> hosts_of(const etcd::MemberInfo& member) {
  std::vector<std::string> hosts;
  for (const auto* urls : {&member.peer_urls, &member.client_urls}) {
    for (const std::string& url : *urls) {
      if (auto endpoint = parse_endpoint(url)) hosts.push_back(pki::comparable(endpoint->host));
    }
  }
  return hosts;
}

}  // namespace

NamesOfOthers::NamesOfOthers(const std::vector<etcd::MemberInfo>& members, const std::string& board,
                             std::string_view service_range) {
  if (auto range = apiserver::AddressRange::parse(service_range)) services_ = std::move(*range);
  const etcd::MemberInfo* own = nullptr;
  for (const etcd::MemberInfo& member : members) {
    if (member.name.empty()) continue;
    if (member.name == board) {
      own = &member;
      continue;
    }
    taken_.insert(pki::comparable(member.name));
    for (std::string& host : hosts_of(member)) taken_.insert(std::move(host));
  }
  // Two members on one machine share its address.
  for (const std::string& host : own != nullptr ? hosts_of(*own) : std::vector<std::string>()) {
    taken_.erase(host);
  }
  for (const char* self : {"localhost", "127.0.0.1", "::1"}) taken_.erase(pki::comparable(self));
}

bool NamesOfOthers::contains(const std::string& name) const {
  const std::string plain = pki::comparable(name);
  if (taken_.contains(plain) || plain == api_name) return true;
  if (plain.starts_with(api_full_name) &&
      (plain.size() == api_full_name.size() || plain[api_full_name.size()] == '.')) {
    return true;
  }
  const auto address = apiserver::parse_ipv4(plain);
  return address && services_.contains(*address);
}

}  // namespace tripod::node
