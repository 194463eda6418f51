#pragma once
// What the API server of a board does for other boards, under /tripod/v1/boards/NAME:
//
//   POST .../certificates  {"names": [...], "requests": {"etcd-peer": PEM, ...}}
//     -> {"certificates": {"etcd-peer": PEM, ...}, "authorities": {"ca": PEM, "etcd-ca": PEM}}
//   POST .../member        {"peerURLs": [...]} -> {"id": "8e9e05c52164694d", "initialCluster": ...}
//   DELETE /tripod/v1/boards/NAME -> {"id": ..., "members": [NAME, ...]}
//
// Each may be repeated. Errors are metav1.Status; one of reason NoAuthority names in
// details.servers who else may be asked. README.md says who may.
//
// Lives on the loop thread; requests are read and certificates signed on the crypto lane.

#include "firmware/apiserver/server.h"
#include "firmware/etcd/member.h"
#include "firmware/kube/client/client.h"
#include "firmware/kube/status.h"
#include "firmware/node/provisioning/authorities.h"
#include "firmware/node/provisioning/names.h"

namespace tripod::node {

class ProvisioningService final : public apiserver::Extension {
 public:
  /// `member` is null with an external etcd. What is given outlives the service; `api` speaks for
  /// this board, to the API server that it extends.
  ProvisioningService(const Config& config, const Authorities& authorities, etcd::Member* member,
                      kube::Client& api, os::World world);

  Task<Answer> answer(Request request) override;

 private:
  struct Asked {
    std::string user;
    std::string board;
    std::string what;  // "certificates", "member"; empty: the board itself
    json::Value body;
    bool by_itself = false;
    bool by_token = false;
  };
  /// A certificate to sign, with all that the lane needs.
  struct Order {
    std::string use;
    const pki::Authority* authority = nullptr;
    std::string request_pem;
    pki::CertificateRequest request;
  };
  using Document = kube::Outcome<json::Value>;

  kube::Outcome<Asked> read(const Request& request) const;
  Task<Document> dispatch(Asked asked, std::string method);
  Task<Document> sign(Asked asked);
  kube::Outcome<std::vector<std::string>> names_for(const Asked& asked,
                                                    const NamesOfOthers* others) const;
  kube::Outcome<std::vector<Order>> orders_of(const Asked& asked,
                                              const std::vector<std::string>& names) const;
  Task<Document> sign_all(std::vector<Order> orders);
  Task<Document> add(Asked asked);
  Task<Document> remove(Asked asked);
  /// As a majority knows them now; 501 with an external etcd.
  Task<kube::Outcome<std::vector<etcd::MemberInfo>>> members() const;
  Task<Document> elsewhere();
  std::vector<std::string> own_api_names() const;

  const Config& config_;
  const Authorities& authorities_;
  etcd::Member* member_;
  kube::Client& api_;
  os::World world_;
  Logger log_;
};

}  // namespace tripod::node
