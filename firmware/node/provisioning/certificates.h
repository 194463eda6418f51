#pragma once
// The certificates of a board: who signs each, whom it names, and which keys of the configuration
// name its files. Pure.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/node/config.h"
#include "platform/pki/authority.h"

namespace tripod::node {

enum class Signer : std::uint8_t { kubernetes, etcd };

/// One key of the configuration.
struct ConfigKey {
  std::string_view section;
  std::string_view key;
};

struct CertificateUse {
  std::string_view name;  // of the file, "apiserver"
  Signer signer = Signer::kubernetes;
  ConfigKey certificate;  // where the configuration names the files
  ConfigKey key;          //
};

std::span<const CertificateUse> certificate_uses();
/// Null: there is none of that name.
const CertificateUse* find_use(std::string_view name);

/// What such a certificate of that board says; `names` are the alternative names, for uses that
/// have them.
pki::CertificateRequest certificate_request(const CertificateUse& use, const std::string& board,
                                            std::vector<std::string> names);

/// Its files, as this configuration names them.
struct CertificateFiles {
  const CertificateUse* use = nullptr;
  std::string certificate;
  std::string key;
};
/// Of the uses whose files the configuration names.
std::vector<CertificateFiles> certificate_files(const Config& config);
/// Where the configuration wants that authority's certificate, each file once.
std::vector<std::string> authority_files(const Config& config, Signer signer);

/// What this board is called and reached by.
std::vector<std::string> board_names(const Config& config);

}  // namespace tripod::node
