#include "firmware/apiserver/auth/bearer.h"

#include <format>

#include "firmware/kube/bootstrap/token.h"
#include "platform/base/sha256.h"

namespace tripod::apiserver {
namespace {

constexpr std::string_view scheme = "Bearer ";

std::unexpected<kube::StatusError> refused() {
  return std::unexpected(kube::errors::unauthorized());
}

}  // namespace

kube::Outcome<std::optional<Identity>> identify_bearer(const http::Headers& headers,
                                                       const Cache& secrets, WallTime now) {
  const std::string_view header = headers.get("authorization");
  if (!header.starts_with(scheme)) return std::nullopt;
  const auto token = kube::parse_token(header.substr(scheme.size()));
  if (!token) return refused();
  if (!secrets.ready()) {
    return std::unexpected(kube::errors::service_unavailable("the server is starting"));
  }
  const ObjectRef stored =
      secrets.find("kube-system", std::format("{}{}", kube::token_secret_prefix, token->id));
  if (!stored) return refused();
  const auto document = json::parse(stored->json);
  if (!document || json::find(*document, "metadata", "deletionTimestamp") != nullptr) {
    return refused();
  }
  const auto facts = kube::read_token_secret(*document);
  if (!facts || !facts->usage_authentication || facts->expired(now) ||
      !equal_in_constant_time(facts->token.secret, token->secret)) {
    return refused();
  }
  Identity identity{.user = std::format("system:bootstrap:{}", token->id),
                    .groups = facts->groups,
                    .authenticated = true};
  identity.groups.emplace_back(kube::bootstrappers_group);
  identity.groups.emplace_back("system:authenticated");
  return identity;
}

}  // namespace tripod::apiserver
