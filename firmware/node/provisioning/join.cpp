#include "firmware/node/provisioning/join.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/join.h"
#include "firmware/kube/client/cluster_info.h"
#include "firmware/node/provisioning/certificates.h"
#include "firmware/node/provisioning/renewal.h"
#include "firmware/node/provisioning/requests.h"
#include "platform/async/sync.h"

namespace tripod::node {
namespace {

constexpr std::size_t pem_file_bytes_max = 64 * 1024;
constexpr unsigned public_mode = 0644;
constexpr unsigned private_mode = 0600;
constexpr Duration pause_min = std::chrono::seconds(1);
constexpr Duration pause_max = std::chrono::seconds(15);
constexpr Duration look_interval = std::chrono::seconds(2);
constexpr Duration reminder_interval = std::chrono::seconds(60);

bool only_a_person_helps(const Error& error) {
  return error == ErrorCode::denied || error == ErrorCode::exists || error == ErrorCode::invalid ||
         error == ErrorCode::io || error == ErrorCode::no_space;
}

class Preparation {
 public:
  Preparation(os::World world, Config& config, std::function<void(std::string)> tell)
      : world_(world),
        config_(config),
        tell_(std::move(tell)),
        log_(world.log, "join"),
        files_(certificate_files(config)) {}

  Task<Result<>> join();
  Task<Result<>> wait_for_certificates();
  /// Not one of the files that others give to a board.
  bool has_nothing() const;

 private:
  using Step = Task<Result<>> (Preparation::*)();

  bool exists(const std::string& path) const { return world_.storage.exists(path); }
  Result<> write(const std::string& path, std::string_view text, unsigned mode);
  Result<> make_keys();
  bool complete() const;
  Result<Caller> own_caller();
  Task<Result<Caller>> token_caller();
  Task<Result<Caller>> caller();
  Task<Result<>> fetch_certificates();
  Result<> keep(const SignedCertificates& got);
  Task<Result<>> fetch_place();
  /// Until it is done, or only a person can help.
  Task<Result<>> repeat(Step step, std::string_view doing);
  void say(std::string text);
  EtcdServer server() const;
  Error explained(Error error) const;

  os::World world_;
  Config& config_;
  std::function<void(std::string)> tell_;
  Logger log_;
  std::vector<CertificateFiles> files_;
  std::string said_;
  bool placed_ = false;  // its data are those of a member
};

void Preparation::say(std::string text) {
  if (text == said_) return;
  said_ = text;
  log_.warn(said_);
  tell_(std::move(text));
}

EtcdServer Preparation::server() const {
  auto parsed = parse_api_url(config_.values.text("node", "join"));
  CHECK(parsed.has_value(), "load_config() has read it");
  return std::move(*parsed);
}

Result<> Preparation::write(const std::string& path, std::string_view text, unsigned mode) {
  auto made = world_.storage.make_directories(path.substr(0, path.rfind('/')), 0700);
  if (!made) return made;
  return world_.storage.replace_file(path, text, mode);
}

Result<> Preparation::make_keys() {
  for (const CertificateFiles& pair : files_) {
    if (exists(pair.key)) continue;
    auto key = pki::make_key(world_.entropy);
    if (!key) return std::unexpected(key.error());
    if (auto kept = write(pair.key, *key, private_mode); !kept) return kept;
    log_.info("made a key", LogField("file", pair.key));
  }
  return {};
}

bool Preparation::complete() const {
  for (const Signer signer : {Signer::kubernetes, Signer::etcd}) {
    for (const std::string& file : authority_files(config_, signer)) {
      if (!exists(file)) return false;
    }
  }
  return std::ranges::all_of(
      files_, [&](const CertificateFiles& pair) { return exists(pair.certificate); });
}

bool Preparation::has_nothing() const {
  for (const Signer signer : {Signer::kubernetes, Signer::etcd}) {
    for (const std::string& file : authority_files(config_, signer)) {
      if (exists(file)) return false;
    }
  }
  return !files_.empty() && std::ranges::none_of(files_, [&](const CertificateFiles& pair) {
    return exists(pair.certificate);
  });
}

// --- who this board is to the others ---

/// By its own certificate; `not_found` when it has none yet.
Result<Caller> Preparation::own_caller() {
  const auto own = std::ranges::find_if(
      files_, [](const CertificateFiles& pair) { return pair.use->name == "board"; });
  CHECK(own != files_.end(), "load_config() wants it");
  const std::vector<std::string> authorities = authority_files(config_, Signer::kubernetes);
  std::string pems[3];
  const std::string* paths[] = {&authorities.front(), &own->certificate, &own->key};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!exists(*paths[i])) return fail(ErrorCode::not_found, *paths[i]);
    auto pem = world_.storage.read_file(*paths[i], pem_file_bytes_max);
    if (!pem) return std::unexpected(pem.error());
    pems[i] = std::move(*pem);
  }
  auto context = calling_context(world_, pems[0], pems[1], pems[2]);
  if (!context) return wrap(own->certificate, context.error());
  return Caller{.world = world_, .context = std::move(*context), .token = {}};
}

/// By the token, to a cluster that has proven to be the right one.
Task<Result<Caller>> Preparation::token_caller() {
  auto token = kube::parse_token(config_.values.text("node", "join-token"));
  CHECK(token.has_value(), "load_config() has read it");
  auto anybody = calling_context(world_, {});
  if (!anybody) co_return std::unexpected(anybody.error());
  auto answer =
      co_await call_api({.world = world_, .context = *anybody, .token = {}}, server(), "GET",
                        "/api/v1/namespaces/kube-public/configmaps/cluster-info", {});
  if (!answer) co_return std::unexpected(answer.error());
  if (!answer->ok()) {
    co_return fail(ErrorCode::unavailable,
                   std::format("the cluster shows no cluster-info ({}); `tripod token create` "
                               "makes it",
                               json::get_string(answer->document, "message")));
  }
  auto info = kube::read_cluster_info(answer->document, *token);
  if (!info) co_return std::unexpected(info.error());
  auto pin = pki::public_key_pin(info->authority_pem);
  if (!pin) co_return wrap("cluster-info", pin.error());
  if (*pin != config_.values.text("node", "join-ca-hash")) {
    co_return fail(ErrorCode::denied,
                   std::format("{}: the authority of {} has {}: this is another cluster, or "
                               "somebody is in between",
                               config_.values.where("node", "join-ca-hash"),
                               config_.values.text("node", "join"), *pin));
  }
  auto proven = calling_context(world_, info->authority_pem);
  if (!proven) co_return std::unexpected(proven.error());
  co_return Caller{.world = world_, .context = std::move(*proven), .token = token->text()};
}

/// By the token until this board is a member, however often the power is cut before; from then on
/// by its own certificate, for the token's name is taken.
Task<Result<Caller>> Preparation::caller() {
  if (placed_) {
    auto own = own_caller();
    if (own || own.error() != ErrorCode::not_found) co_return own;
  }
  co_return co_await token_caller();
}

/// What a person can do about a token that is nobody's.
Error Preparation::explained(Error error) const {
  const bool token = error == ErrorCode::denied && error.message.contains(": 401 ");
  if (!token) return error;
  return {ErrorCode::denied, std::format("{}: the cluster does not know this token, or it has "
                                         "expired; expected a new one of `tripod token create`",
                                         config_.values.where("node", "join-token"))};
}

// --- the steps ---

Task<Result<>> Preparation::fetch_certificates() {
  auto asking = co_await caller();
  if (!asking) co_return std::unexpected(asking.error());
  std::map<std::string, std::string> requests;
  for (const CertificateFiles& pair : files_) {
    if (exists(pair.certificate)) continue;
    auto key = world_.storage.read_file(pair.key, pem_file_bytes_max);
    if (!key) co_return std::unexpected(key.error());
    auto request = pki::make_request(*key, config_.name, world_.entropy);
    if (!request) co_return wrap(pair.key, request.error());
    requests.emplace(pair.use->name, std::move(*request));
  }
  auto got = co_await ask_for_certificates(std::move(*asking), {server()}, config_.name,
                                           board_names(config_), std::move(requests));
  if (!got) co_return std::unexpected(explained(got.error()));
  co_return keep(*got);
}

Result<> Preparation::keep(const SignedCertificates& got) {
  for (const auto& [signer, pem] : {std::pair(Signer::kubernetes, &got.authority_pem),
                                    std::pair(Signer::etcd, &got.etcd_authority_pem)}) {
    for (const std::string& file : authority_files(config_, signer)) {
      if (exists(file)) continue;
      if (auto kept = write(file, *pem, public_mode); !kept) return kept;
    }
  }
  for (const CertificateFiles& pair : files_) {
    const auto found = got.certificates.find(std::string(pair.use->name));
    if (found == got.certificates.end()) continue;
    if (auto kept = write(pair.certificate, found->second, public_mode); !kept) return kept;
  }
  log_.info("has its certificates", LogField("board", config_.name));
  return {};
}

Task<Result<>> Preparation::fetch_place() {
  auto asking = co_await caller();
  if (!asking) co_return std::unexpected(asking.error());
  json::Array urls;
  for (const ini::Url& url : config_.values.urls("etcd", "initial-advertise-peer-urls")) {
    urls.emplace_back(json::String(url.to_string()));
  }
  json::Object body;
  body["peerURLs"] = std::move(urls);
  auto answer = co_await ask_boards(std::move(*asking), {server()}, "POST",
                                    std::format("/tripod/v1/boards/{}/member", config_.name),
                                    json::Value(std::move(body)));
  if (!answer) co_return std::unexpected(explained(answer.error()));
  config_.joined_cluster = json::get_string(*answer, "initialCluster");
  log_.info("has a place as a learner", LogField("member", json::get_string(*answer, "id")),
            LogField("initial-cluster", config_.joined_cluster));
  co_return Result<>{};
}

Task<Result<>> Preparation::repeat(Step step, std::string_view doing) {
  Duration pause = pause_min;
  for (;;) {
    auto done = co_await (this->*step)();
    if (done || done.error() == ErrorCode::cancelled) co_return done;
    if (only_a_person_helps(done.error())) {
      co_return fail(done.error().code,
                     std::format("cannot join, {}: {}", doing, done.error().message));
    }
    say(std::format("joining, {}: {}", doing, done.error().message));
    if (auto slept = co_await async::sleep_for(world_.clock, pause); !slept) co_return slept;
    pause = std::min(2 * pause, pause_max);
  }
}

Task<Result<>> Preparation::join() {
  if (auto made = make_keys(); !made) co_return made;
  auto placed = etcd::knows_its_place(world_, etcd_data_dir(config_));
  if (!placed) co_return std::unexpected(placed.error());
  placed_ = *placed;
  if (!complete()) {
    tell_("joining: asks for its certificates");
    auto got = co_await repeat(&Preparation::fetch_certificates, "asking for certificates");
    if (!got) co_return got;
  }
  if (placed_) co_return Result<>{};
  tell_("joining: asks for its place in the cluster");
  co_return co_await repeat(&Preparation::fetch_place, "asking for a place in the cluster");
}

Task<Result<>> Preparation::wait_for_certificates() {
  if (auto made = make_keys(); !made) co_return made;
  MonotonicTime reminded = world_.clock.now() - reminder_interval;
  while (!complete()) {
    if (world_.clock.now() - reminded >= reminder_interval) {
      reminded = world_.clock.now();
      said_.clear();
      say(
          std::format("waits for certificates: there is no {}, and none of the others. Put pki/ "
                      "beside tripod.ini, as `tripod init` makes it, or join a cluster that runs "
                      "by the [node] lines that `tripod token create` prints",
                      files_.front().certificate));
    }
    if (auto slept = co_await async::sleep_for(world_.clock, look_interval); !slept) {
      co_return slept;
    }
  }
  co_return Result<>{};
}

}  // namespace

Task<Result<>> prepare(os::World world, Config* config, std::function<void(std::string)> tell) {
  Preparation preparation(world, *config, std::move(tell));
  Result<> ready;
  if (config->joins()) {
    ready = co_await preparation.join();
  } else if (preparation.has_nothing()) {
    ready = co_await preparation.wait_for_certificates();
  }
  if (!ready) co_return ready;
  co_return renew_ended(*config, world);
}

}  // namespace tripod::node
