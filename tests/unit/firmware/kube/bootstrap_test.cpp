#include <gtest/gtest.h>

#include "firmware/kube/client/cluster_info.h"

namespace tripod::kube {
namespace {

const WallTime now = *parse_rfc3339("2026-11-29T21:00:00Z");
const BootstrapToken token{.id = "abcdef", .secret = "0123456789abcdef"};

class CountingEntropy final : public os::Entropy {
 public:
  void fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(next_++);
  }

 private:
  unsigned next_ = 0;
};

TEST(Token, is_six_and_sixteen_small_letters_and_digits) {
  auto parsed = parse_token("abcdef.0123456789abcdef");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->text(), "abcdef.0123456789abcdef");
  for (std::string_view bad :
       {"", ".", "abcdef", "abcdef.", "abcde.0123456789abcdef", "Abcdef.0123456789abcdef",
        "abcdef.0123456789abcde", "abcdef.0123456789abcdef0", "abcdef.0123456789abcde."}) {
    auto refused = parse_token(bad);
    ASSERT_FALSE(refused.has_value()) << bad;
    EXPECT_NE(refused.error().message.find("as abcdef.0123456789abcdef"), std::string::npos);
  }
  CountingEntropy entropy;
  auto made = make_token(entropy);
  EXPECT_TRUE(parse_token(made.text()).has_value()) << made.text();
}

TEST(TokenSecret, is_read_as_it_was_written) {
  const TokenFacts facts{.token = token,
                         .description = "a board",
                         .expiration = now + std::chrono::hours(1),
                         .usage_signing = true,
                         .usage_authentication = true,
                         .groups = {std::string(boards_bootstrap_group), "system:bootstrappers:x"}};
  const json::Value secret = token_secret(facts);
  EXPECT_EQ(json::get_string(secret, "metadata", "name"), "bootstrap-token-abcdef");
  EXPECT_EQ(json::get_string(secret, "type"), "bootstrap.kubernetes.io/token");
  auto read = read_token_secret(secret);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->token.text(), token.text());
  EXPECT_EQ(read->groups, facts.groups);
  EXPECT_TRUE(read->usage_signing && read->usage_authentication);
  EXPECT_FALSE(read->expired(now));
  EXPECT_TRUE(read->expired(now + std::chrono::hours(1)));
}

TEST(TokenSecret, does_not_count_when_something_is_wrong_with_it) {
  const json::Value good = token_secret({.token = token});
  EXPECT_TRUE(read_token_secret(good).has_value());
  const auto with = [&](std::initializer_list<std::string_view> path, std::string_view value) {
    json::Value changed = good;
    json::set(changed, path, json::Value(json::String(value)));
    auto read = read_token_secret(changed);
    return read ? "" : read.error().message;
  };
  EXPECT_NE(with({"type"}, "Opaque").find("expected type"), std::string::npos);
  EXPECT_NE(with({"metadata", "name"}, "bootstrap-token-xxxxxx").find("expected the name"),
            std::string::npos);
  EXPECT_NE(with({"data", "token-secret"}, to_base64("short")).find("expected a token"),
            std::string::npos);
  EXPECT_NE(with({"data", "expiration"}, to_base64("soon")).find("expiration"), std::string::npos);
  EXPECT_NE(with({"data", "auth-extra-groups"}, to_base64("system:masters")).find("begins with"),
            std::string::npos);
}

TEST(ClusterInfo, is_believed_by_whoever_has_the_token) {
  json::Value info = cluster_info(cluster_kubeconfig("https://192.168.1.11:6443", "PEM\n"));
  EXPECT_EQ(read_cluster_info(info, token).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(add_signature(info, token));
  EXPECT_FALSE(add_signature(info, token));
  auto read = read_cluster_info(info, token);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->server, "https://192.168.1.11:6443");
  EXPECT_EQ(read->authority_pem, "PEM\n");
}

TEST(ClusterInfo, is_not_believed_when_its_text_or_its_token_is_another) {
  json::Value info = cluster_info(cluster_kubeconfig("https://192.168.1.11:6443", "PEM\n"));
  add_signature(info, token);
  EXPECT_EQ(read_cluster_info(info, {.id = "abcdef", .secret = "ffffffffffffffff"}).error().code,
            ErrorCode::denied);
  json::set(info, {"data", "kubeconfig"},
            json::Value(json::String(cluster_kubeconfig("https://6.6.6.6:6443", "PEM\n"))));
  EXPECT_EQ(read_cluster_info(info, token).error().code, ErrorCode::denied);
}

/// The example of RFC 7515 cannot be repeated with a token's secret; this one was made by Python's
/// hmac and base64.
TEST(ClusterInfo, signs_as_others_do) {
  EXPECT_EQ(sign_detached("content", token),
            "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9.."
            "psz1NayrXM3IaFzKZGsb5n_mBl7MjtlsZ1xE8MRmF_4");
}

}  // namespace
}  // namespace tripod::kube
