#pragma once
// Bootstrap tokens (kubernetes.io, "Authenticating with Bootstrap Tokens"), as
// "abcdef.0123456789abcdef", kept as Secret kube-system/bootstrap-token-abcdef of a type of its
// own. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/time.h"
#include "platform/json/json.h"
#include "platform/os/clock.h"

namespace tripod::kube {

inline constexpr std::string_view token_secret_type = "bootstrap.kubernetes.io/token";
inline constexpr std::string_view token_secret_prefix = "bootstrap-token-";
/// Everybody with a token; further groups of a token begin with this and ':'.
inline constexpr std::string_view bootstrappers_group = "system:bootstrappers";
/// Of tokens by which a board joins: a member of etcd, an API server. A node's token is less.
inline constexpr std::string_view boards_bootstrap_group = "system:bootstrappers:tripod:boards";
/// Of boards, by their certificates; their users are "system:board:NAME".
inline constexpr std::string_view boards_group = "system:boards";
inline constexpr std::string_view board_user_prefix = "system:board:";

struct BootstrapToken {
  std::string id;      // six of a-z, 0-9: no secret
  std::string secret;  // sixteen of them

  std::string text() const { return id + "." + secret; }
};

/// Fails with `invalid` and what a token looks like, without repeating the text.
Result<BootstrapToken> parse_token(std::string_view text);
BootstrapToken make_token(os::Entropy& entropy);

/// What the Secret of a token says.
struct TokenFacts {
  BootstrapToken token = {};
  std::string description = {};
  std::optional<WallTime> expiration = {};
  bool usage_signing = false;
  bool usage_authentication = false;
  std::vector<std::string> groups = {};  // further ones

  bool expired(WallTime now) const { return expiration && *expiration <= now; }
};

json::Value token_secret(const TokenFacts& facts);
/// Fails with `invalid`, saying what of the Secret is wrong: it counts as no token then.
Result<TokenFacts> read_token_secret(const json::Value& secret);

}  // namespace tripod::kube
