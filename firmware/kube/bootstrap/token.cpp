#include "firmware/kube/bootstrap/token.h"

#include <algorithm>
#include <format>

#include "platform/base/base64.h"

namespace tripod::kube {
namespace {

constexpr std::size_t id_characters = 6;
constexpr std::size_t secret_characters = 16;
constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

bool made_of_alphabet(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return alphabet.contains(c); });
}

std::string draw(std::size_t characters, os::Entropy& entropy) {
  // A byte of 252 or more would make some characters likelier than others.
  constexpr unsigned fair = 256 / alphabet.size() * alphabet.size();
  std::string out;
  while (out.size() < characters) {
    const auto byte = static_cast<unsigned>(entropy.next() & 0xff);
    if (byte < fair) out += alphabet[byte % alphabet.size()];
  }
  return out;
}

std::string data_of(const json::Value& secret, std::string_view key) {
  return from_base64(json::get_string(secret, "data", key)).value_or("");
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (comma != 0) items.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return items;
}

}  // namespace

Result<BootstrapToken> parse_token(std::string_view text) {
  BootstrapToken token;
  const std::size_t dot = text.find('.');
  token.id = text.substr(0, dot);
  if (dot != std::string_view::npos) token.secret = text.substr(dot + 1);
  if (token.id.size() != id_characters || token.secret.size() != secret_characters ||
      !made_of_alphabet(token.id) || !made_of_alphabet(token.secret)) {
    return fail(ErrorCode::invalid,
                "expected a token of six and sixteen of a-z and 0-9, as abcdef.0123456789abcdef");
  }
  return token;
}

BootstrapToken make_token(os::Entropy& entropy) {
  return {.id = draw(id_characters, entropy), .secret = draw(secret_characters, entropy)};
}

json::Value token_secret(const TokenFacts& facts) {
  json::Object data;
  const auto put = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) data[key] = to_base64(value);
  };
  put("token-id", facts.token.id);
  put("token-secret", facts.token.secret);
  put("description", facts.description);
  if (facts.expiration) put("expiration", to_rfc3339(*facts.expiration));
  put("usage-bootstrap-signing", facts.usage_signing ? "true" : "");
  put("usage-bootstrap-authentication", facts.usage_authentication ? "true" : "");
  std::string groups;
  for (const std::string& group : facts.groups) groups += (groups.empty() ? "" : ",") + group;
  put("auth-extra-groups", groups);
  json::Object secret;
  secret["apiVersion"] = "v1";
  secret["kind"] = "Secret";
  secret["metadata"] =
      json::Object{{"name", std::format("{}{}", token_secret_prefix, facts.token.id)},
                   {"namespace", "kube-system"}};
  secret["type"] = token_secret_type;
  secret["data"] = std::move(data);
  return secret;
}

Result<TokenFacts> read_token_secret(const json::Value& secret) {
  const std::string name(json::get_string(secret, "metadata", "name"));
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorCode::invalid, std::format("secret \"{}\": {}", name, what));
  };
  if (json::get_string(secret, "type") != token_secret_type) {
    return wrong(std::format("expected type {}", token_secret_type));
  }
  auto token = parse_token(data_of(secret, "token-id") + "." + data_of(secret, "token-secret"));
  if (!token) return wrong(token.error().message);
  if (name != std::format("{}{}", token_secret_prefix, token->id)) {
    return wrong(std::format("expected the name {}{}", token_secret_prefix, token->id));
  }
  TokenFacts facts{.token = std::move(*token), .description = data_of(secret, "description")};
  if (const std::string text = data_of(secret, "expiration"); !text.empty()) {
    auto time = parse_rfc3339(text);
    if (!time) return wrong(std::format("expiration \"{}\": {}", text, time.error().message));
    facts.expiration = *time;
  }
  facts.usage_signing = data_of(secret, "usage-bootstrap-signing") == "true";
  facts.usage_authentication = data_of(secret, "usage-bootstrap-authentication") == "true";
  for (std::string& group : split(data_of(secret, "auth-extra-groups"))) {
    if (!group.starts_with(std::format("{}:", bootstrappers_group))) {
      return wrong(std::format("group \"{}\": expected one that begins with {}:", group,
                               bootstrappers_group));
    }
    facts.groups.push_back(std::move(group));
  }
  return facts;
}

}  // namespace tripod::kube
