#include "firmware/etcd/server/membership/bootstrap.h"

#include <algorithm>
#include <format>
#include <map>

#include "firmware/etcd/server/sha1.h"
#include "platform/base/check.h"

namespace tripod::etcd {

Result<os::Address> parse_url(std::string_view url) {
  const auto invalid = [&] {
    return fail(
        ErrorCode::invalid,
        std::format("URL \"{}\": expected https://ADDRESS:PORT with a numeric address", url));
  };
  std::string_view rest = url;
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (rest.starts_with(scheme)) {
      rest.remove_prefix(scheme.size());
      if (rest.ends_with('/')) rest.remove_suffix(1);
      auto address = os::parse_address(rest);
      if (!address) return invalid();
      return address;
    }
  }
  return invalid();
}

MemberId member_id_of(std::vector<std::string> peer_urls, std::string_view token) {
  std::ranges::sort(peer_urls);
  Bytes input;
  for (const std::string& url : peer_urls) input += url;
  return sha1_id(input.append(token));
}

namespace {

std::unexpected<Error> bad_cluster(const Options& options, std::string_view why) {
  return fail(ErrorCode::invalid,
              std::format("initial-cluster = \"{}\": {}; expected NAME=URL[,NAME=URL...]",
                          options.initial_cluster, why));
}

Result<std::map<std::string, std::vector<std::string>>> split(const Options& options) {
  std::map<std::string, std::vector<std::string>> urls;
  std::string_view rest = options.initial_cluster;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view part = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return bad_cluster(options, std::format("\"{}\" has no name", part));
    }
    urls[std::string(part.substr(0, equals))].emplace_back(part.substr(equals + 1));
  }
  return urls;
}

}  // namespace

Result<ClusterPlan> plan_cluster(const Options& options) {
  auto urls = split(options);
  if (!urls) return std::unexpected(urls.error());
  ClusterPlan plan;
  std::vector<std::string> seen;
  for (auto& [name, list] : *urls) {
    std::ranges::sort(list);
    PlannedMember member{.id = member_id_of(list, options.initial_cluster_token),
                         .name = name,
                         .peer_urls = list,
                         .addresses = {}};
    for (const std::string& url : list) {
      auto address = parse_url(url);
      if (!address) return bad_cluster(options, address.error().message);
      if (std::ranges::contains(seen, url)) return bad_cluster(options, url + " is there twice");
      seen.push_back(url);
      member.addresses.push_back(*address);
    }
    if (name == options.name) plan.self = member.id;
    plan.members.push_back(std::move(member));
  }
  if (plan.members.size() > 32) return bad_cluster(options, "more than 32 members");
  if (plan.self == 0) {
    return bad_cluster(options,
                       std::format("it does not name this member, name = \"{}\"", options.name));
  }
  std::ranges::sort(plan.members, {}, &PlannedMember::id);
  Bytes ids;
  for (const PlannedMember& member : plan.members) {
    for (int shift = 56; shift >= 0; shift -= 8)
      ids.push_back(static_cast<char>((member.id >> shift) & 0xFFU));
  }
  plan.cluster = sha1_id(ids);
  std::vector<std::string> advertised = options.initial_advertise_peer_urls;
  std::ranges::sort(advertised);
  const auto own = std::ranges::find(plan.members, plan.self, &PlannedMember::id);
  CHECK(own != plan.members.end());
  if (!advertised.empty() && advertised != own->peer_urls) {
    return fail(
        ErrorCode::invalid,
        std::format("initial-advertise-peer-urls differ from what initial-cluster says of \"{}\"",
                    options.name));
  }
  return plan;
}

}  // namespace tripod::etcd
