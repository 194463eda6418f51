#include "firmware/apiserver/auth/identity.h"

#include <algorithm>

namespace tripod::apiserver {

bool Identity::in_group(std::string_view group) const {
  return std::ranges::find(groups, group) != groups.end();
}

Identity identify(const http::Peer& peer) {
  Identity identity;
  if (peer.in_process) {
    identity.user = peer.in_process_user;
    identity.groups = peer.in_process_groups;
  } else if (peer.certificate) {
    identity.user = peer.certificate->common_name;
    identity.groups = peer.certificate->organizations;
  }
  identity.authenticated = !identity.user.empty();
  if (!identity.authenticated) {
    return {.user = "system:anonymous", .groups = {"system:unauthenticated"}};
  }
  if (!identity.in_group("system:authenticated"))
    identity.groups.emplace_back("system:authenticated");
  return identity;
}

kube::Outcome<std::optional<Identity>> impersonated(const http::Headers& headers) {
  Identity wanted;
  bool asks_more = false;
  for (const auto& [name, value] : headers) {
    if (name == "impersonate-user") wanted.user = value;
    if (name == "impersonate-group") wanted.groups.push_back(value);
    asks_more = asks_more || name == "impersonate-group" || name == "impersonate-uid" ||
                name.starts_with("impersonate-extra-");
  }
  if (wanted.user.empty() && !asks_more) return std::nullopt;
  if (wanted.user.empty()) {
    return std::unexpected(
        kube::errors::bad_request("requested groups, uid or extra without impersonating a user"));
  }
  wanted.authenticated = wanted.user != "system:anonymous";
  const std::string_view everyone =
      wanted.authenticated ? "system:authenticated" : "system:unauthenticated";
  if (!wanted.in_group(everyone)) wanted.groups.emplace_back(everyone);
  return wanted;
}

}  // namespace tripod::apiserver
