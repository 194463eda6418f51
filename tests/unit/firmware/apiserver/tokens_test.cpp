#include "firmware/kube/bootstrap/token.h"
#include "tests/unit/firmware/apiserver/fixture.h"

namespace tripod::test {
namespace {

constexpr std::string_view secrets = "/api/v1/namespaces/kube-system/secrets";
constexpr const char* text = "abcdef.0123456789abcdef";

class TokenTest : public ApiServerTest {
 protected:
  TokenTest() : nobody_(loop_, server_, "", {}) {}
  void TearDown() override {
    run(nobody_.drain());
    ApiServerTest::TearDown();
  }

  void keep(kube::TokenFacts facts) {
    facts.token = *kube::parse_token(text);
    EXPECT_EQ(post(std::string(secrets), json::serialize(kube::token_secret(facts))).code, 201);
    settle();
  }
  Answer ask(std::string path, std::string token = text) {
    return send_as(nobody_, {.path = std::move(path), .token = std::move(token)});
  }

  http::InProcessTransport nobody_;
};

TEST_F(TokenTest, says_who_asks) {
  EXPECT_EQ(ask("/api").code, 401);
  keep({.usage_authentication = true});
  EXPECT_EQ(ask("/api").code, 200);
  const Answer denied = ask(std::string(secrets));
  EXPECT_EQ(denied.code, 403);
  EXPECT_NE(denied.message().find("User \"system:bootstrap:abcdef\" cannot list resource"),
            std::string_view::npos);
}

TEST_F(TokenTest, is_refused_with_another_secret) {
  keep({.usage_authentication = true});
  EXPECT_EQ(ask("/api", "abcdef.0123456789abcdee").code, 401);
  EXPECT_EQ(ask("/api", "abcdeg.0123456789abcdef").code, 401);
  EXPECT_EQ(ask("/api", "abcdef").code, 401);
  EXPECT_EQ(ask("/api", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln").code, 401);
}

TEST_F(TokenTest, is_refused_once_it_has_expired) {
  keep({.expiration = world_.world.clock.wall_now() + std::chrono::seconds(10),
        .usage_authentication = true});
  EXPECT_EQ(ask("/api").code, 200);
  loop_.run_for(std::chrono::seconds(11));
  EXPECT_EQ(ask("/api").code, 401);
}

TEST_F(TokenTest, is_refused_when_it_is_for_signatures_only) {
  keep({.usage_signing = true});
  EXPECT_EQ(ask("/api").code, 401);
}

TEST_F(TokenTest, is_refused_once_it_is_deleted) {
  keep({.usage_authentication = true});
  remove(std::format("{}/bootstrap-token-abcdef", secrets));
  settle();
  EXPECT_EQ(ask("/api").code, 401);
}

TEST_F(TokenTest, comes_nowhere_near_provisioning_without_its_group) {
  keep({.usage_authentication = true});
  // No extension is there: whoever is let in meets a path that is not known.
  EXPECT_EQ(ask("/tripod/v1/boards/x/member").code, 404);
  EXPECT_EQ(send({.path = "/tripod/v1/boards/x/member", .as = "eve"}).code, 403);
  EXPECT_EQ(send_as(nobody_, {.path = "/tripod/v1/boards/x/member"}).code, 401);
}

TEST_F(TokenTest, is_not_needed_to_find_the_cluster) {
  EXPECT_EQ(
      send_as(nobody_, {.path = "/api/v1/namespaces/kube-public/configmaps/cluster-info"}).code,
      404);
  EXPECT_EQ(send_as(nobody_, {.path = "/api/v1/namespaces/kube-public/configmaps/other"}).code,
            401);
  EXPECT_EQ(send_as(nobody_, {.path = "/api/v1/namespaces/default/configmaps/cluster-info"}).code,
            401);
  EXPECT_EQ(send_as(nobody_, {.method = "DELETE",
                              .path = "/api/v1/namespaces/kube-public/configmaps/cluster-info"})
                .code,
            401);
}

}  // namespace
}  // namespace tripod::test
