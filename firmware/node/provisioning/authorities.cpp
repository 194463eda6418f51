#include "firmware/node/provisioning/authorities.h"

#include <format>

#include "platform/ini/problems.h"

namespace tripod::node {
namespace {

constexpr std::size_t pem_file_bytes_max = 64 * 1024;

Result<std::optional<pki::Authority>> open(const Config& config, os::World world,
                                           std::string_view key, Signer signer) {
  const std::string& file = config.values.text("node", key);
  if (file.empty()) return std::nullopt;
  const auto wrong = [&](const Error& error, std::string_view expected) {
    return fail(error.code, std::format("{}: {}; expected {}", config.values.where("node", key),
                                        error.message, expected));
  };
  const std::vector<std::string> certificates = authority_files(config, signer);
  if (certificates.empty()) {
    return fail(ErrorCode::invalid,
                std::format("{}: no key of the configuration names its certificate",
                            config.values.where("node", key)));
  }
  auto key_pem = world.storage.read_file(file, pem_file_bytes_max);
  if (!key_pem) return wrong(key_pem.error(), "a readable PEM file");
  auto certificate_pem = world.storage.read_file(certificates.front(), pem_file_bytes_max);
  if (!certificate_pem) return wrong(certificate_pem.error(), "a readable PEM file");
  auto authority =
      pki::Authority::open({std::move(*certificate_pem), std::move(*key_pem)}, world.entropy);
  if (!authority) {
    return wrong(authority.error(), std::format("the key of {}", certificates.front()));
  }
  return std::move(*authority);
}

}  // namespace

Result<Authorities> Authorities::load(const Config& config, os::World world) {
  Authorities out;
  auto kubernetes = open(config, world, "ca-key-file", Signer::kubernetes);
  auto etcd = open(config, world, "etcd-ca-key-file", Signer::etcd);
  ini::Problems problems;
  if (!kubernetes) problems.add(kubernetes.error().message);
  if (!etcd) problems.add(etcd.error().message);
  if (problems.any()) return problems.error();
  out.kubernetes_ = std::move(*kubernetes);
  out.etcd_ = std::move(*etcd);
  return out;
}

}  // namespace tripod::node
