#include "firmware/node/provisioning/certificates.h"

#include <algorithm>

#include "firmware/kube/bootstrap/token.h"

namespace tripod::node {
namespace {

constexpr CertificateUse uses[] = {
    {"apiserver",
     Signer::kubernetes,
     {"apiserver", "tls-cert-file"},
     {"apiserver", "tls-private-key-file"}},
    {"balancer",
     Signer::kubernetes,
     {"balancer", "health-check-cert-file"},
     {"balancer", "health-check-key-file"}},
    {"board", Signer::kubernetes, {"node", "client-cert-file"}, {"node", "client-key-file"}},
    {"apiserver-etcd-client",
     Signer::etcd,
     {"apiserver", "etcd-certfile"},
     {"apiserver", "etcd-keyfile"}},
    {"etcd-server", Signer::etcd, {"etcd", "cert-file"}, {"etcd", "key-file"}},
    {"etcd-peer", Signer::etcd, {"etcd", "peer-cert-file"}, {"etcd", "peer-key-file"}},
};

void add_unique(std::vector<std::string>& items, const std::string& item) {
  if (!item.empty() && std::ranges::find(items, item) == items.end()) items.push_back(item);
}

}  // namespace

std::span<const CertificateUse> certificate_uses() {
  return uses;
}

const CertificateUse* find_use(std::string_view name) {
  const auto found = std::ranges::find(uses, name, &CertificateUse::name);
  return found == std::end(uses) ? nullptr : found;
}

pki::CertificateRequest certificate_request(const CertificateUse& use, const std::string& board,
                                            std::vector<std::string> names) {
  if (use.name == "apiserver") {
    return {.common_name = "kube-apiserver", .names = std::move(names), .server = true};
  }
  if (use.name == "balancer") {
    return {.common_name = board, .organization = "system:monitoring", .client = true};
  }
  if (use.name == "board") {
    return {.common_name = std::string(kube::board_user_prefix) + board,
            .organization = std::string(kube::boards_group),
            .client = true};
  }
  if (use.name == "apiserver-etcd-client") {
    return {.common_name = "kube-apiserver-etcd-client", .client = true};
  }
  return {.common_name = board, .names = std::move(names), .server = true, .client = true};
}

std::vector<CertificateFiles> certificate_files(const Config& config) {
  std::vector<CertificateFiles> files;
  for (const CertificateUse& use : uses) {
    const std::string& certificate =
        config.values.text(use.certificate.section, use.certificate.key);
    const std::string& key = config.values.text(use.key.section, use.key.key);
    if (!certificate.empty() && !key.empty()) files.push_back({&use, certificate, key});
  }
  return files;
}

std::vector<std::string> authority_files(const Config& config, Signer signer) {
  std::vector<std::string> files;
  if (signer == Signer::kubernetes) {
    add_unique(files, config.values.text("apiserver", "client-ca-file"));
    add_unique(files, config.values.text("balancer", "health-check-ca-file"));
  } else {
    for (std::string_view key : {"trusted-ca-file", "peer-trusted-ca-file"}) {
      add_unique(files, config.values.text("etcd", key));
    }
    add_unique(files, config.values.text("apiserver", "etcd-cafile"));
  }
  return files;
}

std::vector<std::string> board_names(const Config& config) {
  std::vector<std::string> names = {config.name, "localhost", "127.0.0.1"};
  const auto add = [&](const std::string& ip) {
    if (ip != "0.0.0.0" && ip != "::") add_unique(names, ip);
  };
  if (config.has(Role::apiserver)) add(config.values.text("apiserver", "bind-address"));
  if (config.has(Role::balancer)) add(config.values.address("balancer", "listen").ip);
  if (config.has(Role::etcd)) {
    for (std::string_view key : {"listen-client-urls", "advertise-client-urls", "listen-peer-urls",
                                 "initial-advertise-peer-urls"}) {
      for (const ini::Url& url : config.values.urls("etcd", key)) add(url.address.ip);
    }
  }
  return names;
}

}  // namespace tripod::node
