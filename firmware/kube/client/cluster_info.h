#pragma once
// The ConfigMap kube-public/cluster-info: where the cluster is and which authority is its own, for
// whoever has no certificate yet. Everybody may read it, so it carries a signature for each token
// (a detached JSON Web Signature, RFC 7515 appendix F, HS256 with the token's secret): who has a
// token knows that somebody who has it, too, wrote the text. Pure.

#include <string>

#include "firmware/kube/bootstrap/token.h"

namespace tripod::kube {

/// "HEADER..SIGNATURE" of `content` by `token`.
std::string sign_detached(std::string_view content, const BootstrapToken& token);

/// The kubeconfig inside cluster-info: one cluster, nobody's credentials.
std::string cluster_kubeconfig(const std::string& server, const std::string& authority_pem);
/// A ConfigMap without signatures.
json::Value cluster_info(const std::string& kubeconfig);
/// Puts the signature of that token where it belongs; true when it was not there.
bool add_signature(json::Value& cluster_info, const BootstrapToken& token);

struct ClusterInfo {
  std::string server;  // "https://192.168.1.11:6443"
  std::string authority_pem;
};
/// Reads it for the owner of `token`. Fails with `unavailable` when it is not signed for this token
/// yet, `denied` when the signature is another, `invalid` when there is no cluster in it.
Result<ClusterInfo> read_cluster_info(const json::Value& cluster_info, const BootstrapToken& token);

}  // namespace tripod::kube
