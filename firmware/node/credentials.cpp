#include "firmware/node/credentials.h"

#include <algorithm>
#include <format>

#include "platform/ini/problems.h"
#include "platform/pki/authority.h"

namespace tripod::node {
namespace {

constexpr std::size_t pem_file_bytes_max = 64 * 1024;

/// One side's files, by the keys that name them.
struct Files {
  std::string_view section;
  std::string_view certificate;
  std::string_view key;
  std::string_view authority;
};

class Loader {
 public:
  Loader(const Config& config, os::World world, bool prefer_chacha20)
      : values_(config.values), world_(world), prefer_chacha20_(prefer_chacha20) {}

  Result<Credentials::Context> open(tls::Context::Side side, const Files& files,
                                    tls::PeerCertificates peers, std::vector<std::string> alpn) {
    tls::Options options{
        .peers = peers, .alpn = std::move(alpn), .prefer_chacha20 = prefer_chacha20_};
    ini::Problems problems;
    for (auto [key, out] : {std::pair(files.certificate, &options.certificate_pem),
                            std::pair(files.key, &options.key_pem),
                            std::pair(files.authority, &options.authority_pem)}) {
      auto content = world_.storage.read_file(values_.text(files.section, key), pem_file_bytes_max);
      if (content) {
        *out = std::move(*content);
      } else {
        problems.add(wrong(files.section, key, content.error()).error().message);
      }
    }
    if (problems.any()) return problems.error();
    if (auto valid = check_dates(files, options); !valid) return std::unexpected(valid.error());
    auto context = tls::Context::open(side, std::move(options), world_.entropy);
    if (!context) {
      return fail(context.error().code,
                  std::format("{}: {} ({}); expected a certificate and its own key in PEM",
                              values_.where(files.section, files.certificate),
                              context.error().message, values_.where(files.section, files.key)));
    }
    return std::make_shared<Credentials::Current>(std::move(*context));
  }

 private:
  std::unexpected<Error> wrong(std::string_view section, std::string_view key, const Error& error) {
    return fail(error.code, std::format("{}: {}; expected a readable PEM file",
                                        values_.where(section, key), error.message));
  }

  /// An expired certificate would only fail every handshake; say so before anything starts. One
  /// that is not valid yet may be a clock that is not set yet, which the handshakes will tell.
  Result<> check_dates(const Files& files, const tls::Options& options) {
    ini::Problems problems;
    for (auto [key, pem] : {std::pair(files.certificate, &options.certificate_pem),
                            std::pair(files.authority, &options.authority_pem)}) {
      auto facts = pki::describe(*pem);
      if (!facts) {
        problems.add(wrong(files.section, key, facts.error()).error().message);
      } else if (facts->not_after < world_.clock.wall_now()) {
        problems.add(std::format("{}: the certificate expired on {}; expected one that is valid",
                                 values_.where(files.section, key), to_rfc3339(facts->not_after)));
      }
    }
    if (problems.any()) return problems.error();
    return {};
  }

  const ini::Values& values_;
  os::World world_;
  bool prefer_chacha20_;
};

bool any_tls(const Config& config, std::string_view key) {
  return std::ranges::any_of(config.values.urls("etcd", key),
                             [](const ini::Url& url) { return url.tls; });
}

}  // namespace

void Credentials::take(const Credentials& fresh) {
  for (const auto& [own, other] :
       {std::pair(etcd_server, fresh.etcd_server), std::pair(peer_server, fresh.peer_server),
        std::pair(peer_client, fresh.peer_client), std::pair(etcd_client, fresh.etcd_client),
        std::pair(apiserver, fresh.apiserver), std::pair(health_check, fresh.health_check)}) {
    if (own && other) own->now = other->now;
  }
}

Result<Credentials> load_credentials(const Config& config, os::World world, bool prefer_chacha20) {
  using enum tls::Context::Side;
  using enum tls::PeerCertificates;
  struct Wanted {
    bool needed;
    Credentials::Context Credentials::* out;
    tls::Context::Side side;
    Files files;
    tls::PeerCertificates peers;
    std::vector<std::string> alpn;
  };
  bool etcd = config.has(Role::etcd);
  Files peer{"etcd", "peer-cert-file", "peer-key-file", "peer-trusted-ca-file"};
  const Wanted wanted[] = {
      {etcd && (any_tls(config, "listen-client-urls") || any_tls(config, "listen-metrics-urls")),
       &Credentials::etcd_server,
       server,
       {"etcd", "cert-file", "key-file", "trusted-ca-file"},
       required,
       {"h2", "http/1.1"}},
      {etcd && any_tls(config, "listen-peer-urls"),
       &Credentials::peer_server,
       server,
       peer,
       required,
       {"tripod-raft/1"}},
      {etcd && any_tls(config, "listen-peer-urls"),
       &Credentials::peer_client,
       client,
       peer,
       required,
       {"tripod-raft/1"}},
      {config.external_etcd() && !config.values.text("apiserver", "etcd-cafile").empty(),
       &Credentials::etcd_client,
       client,
       {"apiserver", "etcd-certfile", "etcd-keyfile", "etcd-cafile"},
       required,
       {"h2"}},
      {config.has(Role::apiserver),
       &Credentials::apiserver,
       server,
       {"apiserver", "tls-cert-file", "tls-private-key-file", "client-ca-file"},
       optional,
       {"h2", "http/1.1"}},
      {config.has(Role::balancer),
       &Credentials::health_check,
       client,
       {"balancer", "health-check-cert-file", "health-check-key-file", "health-check-ca-file"},
       required,
       {"http/1.1"}},
  };
  Credentials credentials;
  ini::Problems problems;
  Loader loader(config, world, prefer_chacha20);
  for (const Wanted& one : wanted) {
    if (!one.needed) continue;
    auto context = loader.open(one.side, one.files, one.peers, one.alpn);
    if (context) {
      credentials.*one.out = std::move(*context);
    } else {
      problems.add(context.error().message);
    }
  }
  if (problems.any()) return problems.error();
  return credentials;
}

}  // namespace tripod::node
