#pragma once
// Who may do what, until RBAC objects exist: system:masters everything; the components of the house
// what their bootstrap roles upstream allow; every authenticated user discovery; everybody health
// and version. Pure.

#include <optional>

#include "firmware/apiserver/auth/identity.h"
#include "firmware/apiserver/request_info.h"
#include "firmware/kube/status.h"

namespace tripod::apiserver {

/// Paths by which boards join and renew their certificates (firmware/node/provisioning).
inline constexpr std::string_view provisioning_prefix = "/tripod/v1/";

/// True when even a request without identity is answered: /healthz, /livez, /readyz, /version.
bool is_public_path(std::string_view path);

bool is_allowed(const Identity& identity, const RequestInfo& info);

/// Nothing, or the 403 in upstream's words.
std::optional<kube::StatusError> authorize(const Identity& identity, const RequestInfo& info);

/// The identity a request acts under: the peer's, or the one it impersonates if it may.
kube::Outcome<Identity> effective_identity(Identity peer, const http::Headers& headers);

}  // namespace tripod::apiserver
