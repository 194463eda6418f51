#pragma once
// Who asks: from the certificate of the connection (common name = user, organizations = groups), or
// from what an in-process caller states.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/kube/status.h"
#include "platform/http/message.h"

namespace tripod::apiserver {

struct Identity {
  std::string user;
  std::vector<std::string> groups;
  bool authenticated = false;

  bool in_group(std::string_view group) const;
};

/// Without a certificate: system:anonymous in system:unauthenticated.
Identity identify(const http::Peer& peer);

/// Who the request's Impersonate-* headers ask to be; nothing without them. A request with groups
/// but no user is 400.
kube::Outcome<std::optional<Identity>> impersonated(const http::Headers& headers);

}  // namespace tripod::apiserver
