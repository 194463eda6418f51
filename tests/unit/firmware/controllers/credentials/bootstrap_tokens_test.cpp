#include "firmware/controllers/credentials/bootstrap_tokens.h"

#include <gtest/gtest.h>

#include "firmware/kube/client/cluster_info.h"

namespace tripod::controllers {
namespace {

const WallTime now = *parse_rfc3339("2026-11-29T21:00:00Z");

kube::ObjectPtr secret_of(kube::TokenFacts facts) {
  json::Value secret = kube::token_secret(facts);
  json::set(secret, {"metadata", "uid"}, json::Value("uid-" + facts.token.id));
  return std::make_shared<const json::Value>(std::move(secret));
}

const kube::BootstrapToken token_a{.id = "aaaaaa", .secret = "0123456789abcdef"};
const kube::BootstrapToken token_b{.id = "bbbbbb", .secret = "0123456789abcdef"};

json::Value info() {
  return kube::cluster_info(kube::cluster_kubeconfig("https://192.168.1.11:6443", "PEM"));
}

TEST(BootstrapTokens, sign_cluster_info_when_they_are_for_that) {
  const json::Value unsigned_info = info();
  const auto decision = reconcile_tokens({secret_of({.token = token_a, .usage_signing = true}),
                                          secret_of({.token = token_b, .usage_signing = false})},
                                         &unsigned_info, now);
  ASSERT_EQ(decision.writes.size(), 1U);
  EXPECT_EQ(decision.writes[0].verb, Write::Verb::update);
  EXPECT_TRUE(kube::read_cluster_info(decision.writes[0].body, token_a).has_value());
  EXPECT_FALSE(kube::read_cluster_info(decision.writes[0].body, token_b).has_value());
}

TEST(BootstrapTokens, that_are_gone_take_their_signature_with_them) {
  json::Value signed_info = info();
  kube::add_signature(signed_info, token_a);
  const auto decision = reconcile_tokens({}, &signed_info, now);
  ASSERT_EQ(decision.writes.size(), 1U);
  EXPECT_FALSE(kube::read_cluster_info(decision.writes[0].body, token_a).has_value());
}

TEST(BootstrapTokens, change_nothing_that_is_right) {
  json::Value signed_info = info();
  kube::add_signature(signed_info, token_a);
  const auto decision =
      reconcile_tokens({secret_of({.token = token_a, .usage_signing = true})}, &signed_info, now);
  EXPECT_TRUE(decision.writes.empty());
  EXPECT_FALSE(decision.again_after.has_value());
}

TEST(BootstrapTokens, are_removed_once_they_have_expired) {
  const auto ends = now + std::chrono::minutes(5);
  const auto secret = secret_of({.token = token_a, .expiration = ends, .usage_signing = true});
  const auto before = reconcile_tokens({secret}, nullptr, now);
  EXPECT_TRUE(before.writes.empty());
  EXPECT_EQ(before.again_after, std::chrono::minutes(5));
  const auto after = reconcile_tokens({secret}, nullptr, ends);
  ASSERT_EQ(after.writes.size(), 1U);
  EXPECT_EQ(after.writes[0].verb, Write::Verb::remove);
  EXPECT_EQ(after.writes[0].options.uid, "uid-aaaaaa");
}

TEST(BootstrapTokens, leave_other_secrets_alone) {
  json::Value other = kube::token_secret({.token = token_a, .expiration = now});
  json::set(other, {"type"}, json::Value("Opaque"));
  const auto decision =
      reconcile_tokens({std::make_shared<const json::Value>(other)}, nullptr, now);
  EXPECT_TRUE(decision.writes.empty());
}

}  // namespace
}  // namespace tripod::controllers
