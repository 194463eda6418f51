#pragma once
// Who asks with "Authorization: Bearer TOKEN": the owner of a bootstrap token, as its Secret in
// kube-system says. Other kinds of tokens are not known here.

#include <optional>

#include "firmware/apiserver/auth/identity.h"
#include "firmware/apiserver/watch_cache/cache.h"

namespace tripod::apiserver {

/// Nothing without such a header; 401 for a token that is unknown, wrong, expired, or not meant for
/// this; 503 while that is not known yet. `secrets` are those of the cluster.
kube::Outcome<std::optional<Identity>> identify_bearer(const http::Headers& headers,
                                                       const Cache& secrets, WallTime now);

}  // namespace tripod::apiserver
