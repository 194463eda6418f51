#include "firmware/node/provisioning/renewal.h"

#include <algorithm>
#include <format>

#include "platform/async/sync.h"
#include "platform/base/sha256.h"

namespace tripod::node {
namespace {

using std::chrono::seconds;

constexpr std::size_t pem_file_bytes_max = 64 * 1024;
constexpr unsigned public_mode = 0644;
constexpr seconds interval_max{60};
constexpr int looks_per_lifetime = 60;
constexpr double jitter_share = 0.1;

seconds lifetime_of(const Config& config) {
  return std::chrono::duration_cast<seconds>(
      config.values.duration("node", "certificate-lifetime"));
}

Result<pki::CertificateFacts> authority_facts(const Config& config, os::World world, Signer signer,
                                              std::string& pem) {
  const std::vector<std::string> files = authority_files(config, signer);
  if (files.empty()) return fail(ErrorCode::not_found, "no authority");
  auto text = world.storage.read_file(files.front(), pem_file_bytes_max);
  if (!text) return std::unexpected(text.error());
  pem = std::move(*text);
  return pki::describe(pem);
}

/// By the authority that this board holds the key of.
Result<> renew_here(const Config& config, os::World world, const Authorities& authorities,
                    const CertificateFiles& files, const pki::CertificateFacts& facts) {
  auto key = world.storage.read_file(files.key, pem_file_bytes_max);
  if (!key) return std::unexpected(key.error());
  auto asked = pki::make_request(*key, config.name, world.entropy);
  if (!asked) return wrap(files.key, asked.error());
  auto request = certificate_request(*files.use, config.name, facts.names);
  request.lifetime = lifetime_of(config);
  request.since_authority = true;
  request.any_key = true;  // a person may have made this board's keys
  auto certificate = authorities.get(files.use->signer)
                         ->sign(*asked, request, world.clock.wall_now(), world.entropy);
  if (!certificate) return wrap(files.certificate, certificate.error());
  return world.storage.replace_file(files.certificate, *certificate, public_mode);
}

/// By use, each signed with its key: for another board to sign.
Result<std::map<std::string, std::string>> make_requests(const Config& config, os::World world,
                                                         const std::vector<CertificateFiles>& all) {
  std::map<std::string, std::string> requests;
  for (const CertificateFiles& files : all) {
    auto key = world.storage.read_file(files.key, pem_file_bytes_max);
    if (!key) return std::unexpected(key.error());
    auto request = pki::make_request(*key, config.name, world.entropy);
    if (!request) return wrap(files.key, request.error());
    requests.emplace(files.use->name, std::move(*request));
  }
  return requests;
}

}  // namespace

Due is_due(const pki::CertificateFacts& certificate, const pki::CertificateFacts& authority,
           seconds lifetime, double jitter, WallTime now) {
  if (now < authority.not_before || now < certificate.not_before) return Due::clock_is_wrong;
  const auto whole =
      std::min<std::chrono::microseconds>(lifetime, certificate.not_after - certificate.not_before);
  const auto threshold = std::chrono::duration_cast<std::chrono::microseconds>(
      whole * (1.0 / 3 - jitter_share * jitter));
  if (certificate.not_after - now > threshold) return Due::no;
  // Whole seconds are what certificates know.
  if (authority.not_after <= certificate.not_after + seconds(1)) return Due::authority_ends;
  return Due::yes;
}

Renewal::Renewal(const Config& config, const Authorities& authorities, kube::Client* api,
                 os::World world, metrics::Registry& metrics, std::function<void()> changed)
    : config_(config),
      authorities_(authorities),
      api_(api),
      world_(world),
      metrics_(metrics),
      changed_(std::move(changed)),
      log_(world.log, "certificates"),
      jitter_(static_cast<double>(world.entropy.next() % 1000) / 1000),
      fingerprint_(fingerprint()) {}

void Renewal::say_once(std::string text) {
  if (text == said_) return;
  said_ = std::move(text);
  log_.warn(said_);
}

/// Of all files that connections are made with.
std::string Renewal::fingerprint() {
  Sha256 hash;
  const auto add = [&](const std::string& path) {
    auto text = world_.storage.read_file(path, pem_file_bytes_max);
    hash.update(path);
    if (text) hash.update(*text);
  };
  for (const CertificateFiles& pair : certificate_files(config_)) {
    add(pair.certificate);
    add(pair.key);
  }
  for (const Signer signer : {Signer::kubernetes, Signer::etcd}) {
    for (const std::string& file : authority_files(config_, signer)) add(file);
  }
  return hash.finish();
}

std::vector<Renewal::Wanted> Renewal::wanted() {
  std::vector<Wanted> out;
  for (const CertificateFiles& files : certificate_files(config_)) {
    auto pem = world_.storage.read_file(files.certificate, pem_file_bytes_max);
    if (!pem) continue;
    auto facts = pki::describe(*pem);
    std::string authority_pem;
    auto authority = authority_facts(config_, world_, files.use->signer, authority_pem);
    if (!facts || !authority || !pki::is_signed_by(*pem, authority_pem)) continue;
    metrics_
        .gauge("tripod_certificate_not_after_timestamp_seconds",
               "When a certificate of this board ends", {{"use", std::string(files.use->name)}})
        .set(static_cast<double>(
            std::chrono::floor<seconds>(facts->not_after.time_since_epoch()).count()));
    switch (is_due(*facts, *authority, lifetime_of(config_), jitter_, world_.clock.wall_now())) {
      case Due::no: break;
      case Due::yes: out.push_back({files, std::move(*facts)}); break;
      case Due::clock_is_wrong:
        say_once("the clock is before the certificates began; nothing is renewed until it is set");
        break;
      case Due::authority_ends:
        say_once(std::format("the authority \"{}\" ends on {}, and {} with it: make another one",
                             authority->common_name, to_rfc3339(authority->not_after),
                             files.certificate));
        break;
    }
  }
  return out;
}

// --- by other boards ---

Result<Caller> Renewal::own_caller() {
  std::string authority_pem;
  auto authority = authority_facts(config_, world_, Signer::kubernetes, authority_pem);
  if (!authority) return std::unexpected(authority.error());
  for (const CertificateFiles& files : certificate_files(config_)) {
    if (files.use->name != "board") continue;
    auto certificate = world_.storage.read_file(files.certificate, pem_file_bytes_max);
    if (!certificate) return std::unexpected(certificate.error());
    auto key = world_.storage.read_file(files.key, pem_file_bytes_max);
    if (!key) return std::unexpected(key.error());
    auto context = calling_context(world_, authority_pem, *certificate, *key);
    if (!context) return wrap(files.certificate, context.error());
    return Caller{.world = world_, .context = std::move(*context), .token = {}};
  }
  return fail(ErrorCode::not_found,
              "this board holds no authority's key ([node] ca-key-file, etcd-ca-key-file), and no "
              "certificate to ask other boards with ([node] client-cert-file)");
}

/// This board's own server among them: it names the others.
Task<std::vector<EtcdServer>> Renewal::others() {
  std::vector<EtcdServer> servers;
  if (api_ != nullptr) servers = co_await living_api_servers(api_);
  if (auto joined = parse_api_url(config_.values.text("node", "join"))) {
    servers.push_back(std::move(*joined));
  }
  co_return servers;
}

Task<Result<>> Renewal::renew_elsewhere(std::vector<Wanted> wanted) {
  auto caller = own_caller();
  if (!caller) co_return std::unexpected(caller.error());
  std::vector<CertificateFiles> files;
  std::vector<std::string> names = board_names(config_);
  for (const Wanted& one : wanted) {
    files.push_back(one.files);
    for (const std::string& name : one.facts.names) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  auto requests = co_await async::run_on(world_.crypto_lane,
                                         [&] { return make_requests(config_, world_, files); });
  if (!requests) co_return std::unexpected(requests.error());
  std::vector<EtcdServer> servers = co_await others();
  auto got = co_await ask_for_certificates(std::move(*caller), std::move(servers), config_.name,
                                           std::move(names), std::move(*requests));
  if (!got) co_return std::unexpected(got.error());
  for (const Wanted& one : wanted) {
    auto kept = world_.storage.replace_file(
        one.files.certificate, got->certificates.at(std::string(one.files.use->name)), public_mode);
    if (!kept) co_return kept;
  }
  co_return Result<>{};
}

Task<void> Renewal::look() {
  std::vector<Wanted> due = wanted();
  if (!due.empty()) {
    std::string uses;
    for (const Wanted& one : due)
      uses += std::format("{}{}", uses.empty() ? "" : ", ", one.files.use->name);
    Result<> renewed;
    if (authorities_.holds_all()) {
      for (const Wanted& one : due) {
        if (!renewed) break;
        renewed = co_await async::run_on(world_.crypto_lane, [&] {
          return renew_here(config_, world_, authorities_, one.files, one.facts);
        });
      }
    } else {
      renewed = co_await renew_elsewhere(std::move(due));
    }
    if (renewed) {
      log_.info("renewed", LogField("certificates", uses));
      said_.clear();
    } else {
      say_once(std::format("not renewed yet, {}: {}", uses, renewed.error().message));
    }
  }
  std::string now = fingerprint();
  if (now == fingerprint_) co_return;
  fingerprint_ = std::move(now);
  changed_();
}

Task<void> Renewal::run() {
  const seconds pause =
      std::clamp(lifetime_of(config_) / looks_per_lifetime, seconds(1), interval_max);
  do {
    co_await look();
  } while (co_await async::sleep_for(world_.clock, pause));
}

Result<> renew_ended(const Config& config, os::World world) {
  auto authorities = Authorities::load(config, world);
  if (!authorities) return std::unexpected(authorities.error());
  if (!authorities->holds_all()) return {};
  for (const CertificateFiles& files : certificate_files(config)) {
    auto pem = world.storage.read_file(files.certificate, pem_file_bytes_max);
    if (!pem) continue;  // load_credentials() says what is wrong with it
    auto facts = pki::describe(*pem);
    std::string authority_pem;
    auto authority = authority_facts(config, world, files.use->signer, authority_pem);
    if (!facts || !authority || !pki::is_signed_by(*pem, authority_pem)) continue;
    const WallTime now = world.clock.wall_now();
    if (facts->not_after > now ||
        is_due(*facts, *authority, lifetime_of(config), 0, now) != Due::yes) {
      continue;
    }
    auto renewed = renew_here(config, world, *authorities, files, *facts);
    if (!renewed) return renewed;
    Logger(world.log, "certificates")
        .info("renewed one that had ended", LogField("file", files.certificate));
  }
  return {};
}

}  // namespace tripod::node
