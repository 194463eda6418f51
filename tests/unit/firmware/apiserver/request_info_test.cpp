#include "firmware/apiserver/request_info.h"

#include <gtest/gtest.h>

#include "firmware/apiserver/auth/authorizer.h"

namespace tripod::apiserver {
namespace {

RequestInfo info_of(std::string_view method, std::string_view path, std::string_view query = {}) {
  auto info = parse_request(method, path, query);
  EXPECT_TRUE(info.has_value());
  return *info;
}

TEST(RequestInfo, reads_namespaced_resources_and_subresources) {
  const RequestInfo info = info_of("PUT", "/apis/apps/v1/namespaces/default/deployments/web/scale");
  EXPECT_TRUE(info.is_resource);
  EXPECT_EQ(info.verb, "update");
  EXPECT_EQ(info.group, "apps");
  EXPECT_EQ(info.name_space, "default");
  EXPECT_EQ(info.resource, "deployments");
  EXPECT_EQ(info.name, "web");
  EXPECT_EQ(info.subresource, "scale");
}

TEST(RequestInfo, tells_list_watch_and_collections_apart) {
  EXPECT_EQ(info_of("GET", "/api/v1/pods").verb, "list");
  EXPECT_EQ(info_of("GET", "/api/v1/pods", "watch=true").verb, "watch");
  EXPECT_EQ(info_of("GET", "/api/v1/watch/pods").verb, "watch");
  EXPECT_EQ(info_of("DELETE", "/api/v1/namespaces/a/pods").verb, "deletecollection");
  EXPECT_EQ(info_of("GET", "/api/v1/namespaces/a").resource, "namespaces");
  EXPECT_EQ(info_of("PUT", "/api/v1/namespaces/a/finalize").subresource, "finalize");
  EXPECT_FALSE(info_of("GET", "/api/v1").is_resource);
  EXPECT_FALSE(info_of("GET", "/readyz/etcd").is_resource);
}

TEST(RequestInfo, refuses_broken_escapes) {
  EXPECT_FALSE(parse_request("GET", "/api/v1/%zz", "").has_value());
}

TEST(Authorizer, lets_masters_do_everything_and_strangers_nothing) {
  const Identity admin{.user = "admin", .groups = {"system:masters"}, .authenticated = true};
  const Identity stranger{.user = "eve", .groups = {"system:authenticated"}, .authenticated = true};
  const RequestInfo pods = info_of("GET", "/api/v1/namespaces/default/pods");
  EXPECT_FALSE(authorize(admin, pods).has_value());
  const auto denied = authorize(stranger, pods);
  ASSERT_TRUE(denied.has_value());
  EXPECT_EQ(denied->code, 403);
  EXPECT_EQ(denied->message(),
            "pods is forbidden: User \"eve\" cannot list resource \"pods\" in API group \"\" in "
            "the namespace "
            "\"default\"");
  EXPECT_FALSE(authorize(stranger, info_of("GET", "/apis")).has_value());
}

TEST(Authorizer, gives_a_kubelet_secrets_by_name_and_never_a_bootstrap_token) {
  const Identity kubelet{
      .user = "system:node:a", .groups = {"system:nodes"}, .authenticated = true};
  const auto may = [&](std::string_view path, std::string_view query = {}) {
    return is_allowed(kubelet, info_of("GET", path, query));
  };
  EXPECT_TRUE(may("/api/v1/namespaces/kube-system/secrets/registry"));
  EXPECT_TRUE(may("/api/v1/namespaces/default/secrets", "fieldSelector=metadata.name%3Dpassword"));
  EXPECT_TRUE(may("/api/v1/namespaces/default/secrets",
                  "watch=true&fieldSelector=metadata.name%3Dpassword"));
  EXPECT_FALSE(may("/api/v1/secrets"));
  EXPECT_FALSE(may("/api/v1/namespaces/kube-system/secrets"));
  EXPECT_FALSE(may("/api/v1/namespaces/kube-system/secrets",
                   "fieldSelector=type%3Dbootstrap.kubernetes.io/token"));
  EXPECT_FALSE(may("/api/v1/namespaces/kube-system/secrets",
                   "fieldSelector=metadata.name%3Dx,metadata.name%21%3Dx"));
  EXPECT_FALSE(may("/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef"));
  EXPECT_FALSE(may("/api/v1/namespaces/kube-system/secrets",
                   "watch=true&fieldSelector=metadata.name%3Dbootstrap-token-abcdef"));
}

TEST(Authorizer, keeps_a_kubelet_to_its_own_node) {
  const Identity kubelet{
      .user = "system:node:a", .groups = {"system:nodes"}, .authenticated = true};
  EXPECT_TRUE(is_allowed(kubelet, info_of("PATCH", "/api/v1/nodes/a/status")));
  EXPECT_FALSE(is_allowed(kubelet, info_of("PATCH", "/api/v1/nodes/b/status")));
  EXPECT_FALSE(
      is_allowed(kubelet, info_of("POST", "/apis/apps/v1/namespaces/default/deployments")));
}

}  // namespace
}  // namespace tripod::apiserver
