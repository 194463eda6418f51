#include "firmware/kube/client/cluster_info.h"

#include <format>

#include "firmware/kube/client/kubeconfig.h"
#include "platform/base/base64.h"
#include "platform/base/sha256.h"

namespace tripod::kube {
namespace {

constexpr std::string_view signature_prefix = "jws-kubeconfig-";

std::string signature_key(const BootstrapToken& token) {
  return std::format("{}{}", signature_prefix, token.id);
}

}  // namespace

std::string sign_detached(std::string_view content, const BootstrapToken& token) {
  const std::string header =
      to_base64_url(std::format("{{\"alg\":\"HS256\",\"kid\":\"{}\"}}", token.id));
  const std::string signature =
      hmac_sha256(token.secret, std::format("{}.{}", header, to_base64_url(content)));
  return std::format("{}..{}", header, to_base64_url(signature));
}

std::string cluster_kubeconfig(const std::string& server, const std::string& authority_pem) {
  return std::format(
      "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {}\n    server: {}\n"
      "  name: \"\"\ncontexts: null\ncurrent-context: \"\"\nkind: Config\npreferences: {{}}\n"
      "users: null\n",
      to_base64(authority_pem), server);
}

json::Value cluster_info(const std::string& kubeconfig) {
  json::Object object;
  object["apiVersion"] = "v1";
  object["kind"] = "ConfigMap";
  object["metadata"] = json::Object{{"name", "cluster-info"}, {"namespace", "kube-public"}};
  object["data"] = json::Object{{"kubeconfig", kubeconfig}};
  return object;
}

bool add_signature(json::Value& cluster_info, const BootstrapToken& token) {
  const std::string wanted =
      sign_detached(json::get_string(cluster_info, "data", "kubeconfig"), token);
  const std::string key = signature_key(token);
  if (json::get_string(cluster_info, "data", key) == wanted) return false;
  json::set(cluster_info, {"data", key}, json::Value(json::String(wanted)));
  return true;
}

Result<ClusterInfo> read_cluster_info(const json::Value& cluster_info,
                                      const BootstrapToken& token) {
  const std::string_view kubeconfig = json::get_string(cluster_info, "data", "kubeconfig");
  const std::string_view signature = json::get_string(cluster_info, "data", signature_key(token));
  if (signature.empty()) {
    return fail(ErrorCode::unavailable,
                std::format("cluster-info is not signed for token {}; expected one that `tripod "
                            "token create` made and that has not expired",
                            token.id));
  }
  // A signature names its own header, as other writers order its fields otherwise.
  const std::string_view header = signature.substr(0, signature.find('.'));
  const std::string wanted =
      std::format("{}..{}", header,
                  to_base64_url(hmac_sha256(
                      token.secret, std::format("{}.{}", header, to_base64_url(kubeconfig)))));
  if (!equal_in_constant_time(signature, wanted)) {
    return fail(ErrorCode::denied,
                std::format("the signature of cluster-info for token {} is wrong: the secret of "
                            "the token is another, or this is another cluster",
                            token.id));
  }
  auto document = parse_simple_yaml(kubeconfig);
  if (!document) return wrap("cluster-info", document.error());
  const json::Array* clusters = json::get_array(*document, "clusters");
  if (clusters == nullptr || clusters->size() != 1) {
    return fail(ErrorCode::invalid, "cluster-info: expected one cluster");
  }
  const json::Value& cluster = clusters->front();
  auto authority = from_base64(json::get_string(cluster, "cluster", "certificate-authority-data"));
  ClusterInfo info{.server = std::string(json::get_string(cluster, "cluster", "server")),
                   .authority_pem = authority.value_or("")};
  if (info.server.empty() || info.authority_pem.empty()) {
    return fail(ErrorCode::invalid, "cluster-info: expected a server and an authority");
  }
  return info;
}

}  // namespace tripod::kube
