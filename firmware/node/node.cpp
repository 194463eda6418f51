#include "firmware/node/node.h"

#include <list>

#include "firmware/apiserver/server.h"
#include "firmware/balancer/balancer.h"
#include "firmware/controllers/manager.h"
#include "firmware/etcd/join.h"
#include "firmware/etcd/local_client.h"
#include "firmware/etcd/member.h"
#include "firmware/etcd/remote/prefixed_client.h"
#include "firmware/etcd/remote/remote_client.h"
#include "firmware/etcd/rpc/client_port.h"
#include "firmware/node/credentials.h"
#include "firmware/node/local_http.h"
#include "firmware/node/probes.h"
#include "firmware/node/provisioning/renewal.h"
#include "firmware/node/provisioning/service.h"
#include "firmware/node/settings.h"
#include "firmware/scheduler/scheduler.h"
#include "firmware/update/door.h"
#include "platform/async/sync.h"
#include "platform/http/in_process.h"
#include "platform/http/server.h"
#include "platform/tls/stream.h"

namespace tripod::node {
namespace {

constexpr std::chrono::seconds drain_timeout{5};
constexpr std::chrono::milliseconds local_drain_timeout{200};

constexpr std::string_view registry_prefix = "/registry";  // what the API server calls its keys

constexpr Duration promotion_interval = std::chrono::seconds(1);

/// A server-side TLS functor, as the HTTP server and the peer transport take it.
auto accept_with(os::World world, Credentials::Context context) {
  return [world, context](std::unique_ptr<os::Stream> lower) {
    return tls::accept(world, context->now, std::move(lower));
  };
}

etcd::PeerTls peer_tls(os::World world, const Credentials& credentials) {
  if (!credentials.peer_server) return {};
  return {accept_with(world, credentials.peer_server),
          [world, context = credentials.peer_client](std::unique_ptr<os::Stream> lower,
                                                     std::string host) {
            return tls::connect(world, context->now, std::move(lower), std::move(host));
          }};
}

}  // namespace

/// In the order they are started; destroyed in the opposite one.
struct Node::Parts {
  Parts(os::World given, Config read, Credentials loaded, Authorities held, bool chacha20_first)
      : world(given),
        config(std::move(read)),
        credentials(std::move(loaded)),
        authorities(std::move(held)),
        prefer_chacha20(chacha20_first),
        log(given.log, "node"),
        components(given.executor) {}

  os::World world;
  Config config;
  Credentials credentials;
  Authorities authorities;
  bool prefer_chacha20;
  Logger log;
  metrics::Registry metrics;

  std::unique_ptr<etcd::Member> member;
  std::unique_ptr<os::Operation> removal;
  std::unique_ptr<etcd::LocalClient> local_etcd;
  std::unique_ptr<etcd::RemoteClient> remote_etcd;
  std::unique_ptr<etcd::PrefixedClient> prefixed_etcd;
  std::unique_ptr<etcd::rpc::ClientPort> client_port;
  std::unique_ptr<http::Server> etcd_http;
  std::list<std::unique_ptr<http::Server>> etcd_metrics_http;  // one a URL
  std::unique_ptr<kube::Client> board_api;                     // for the two below
  std::unique_ptr<ProvisioningService> provisioning;
  std::unique_ptr<Renewal> renewal;
  std::unique_ptr<apiserver::Server> api;
  update::Slots* slots = nullptr;
  std::unique_ptr<update::Door> door;  // in front of it
  std::unique_ptr<http::Server> api_http;
  std::list<http::InProcessTransport> transports;
  std::unique_ptr<controllers::ControllerManager> controller_manager;
  std::unique_ptr<scheduler::Scheduler> scheduler;
  Scope components;  // the elected ones
  std::unique_ptr<Probes> probes;
  std::unique_ptr<balancer::Balancer> balancer;
  bool started = false;
  std::string waits_for;  // while it starts
  std::unique_ptr<LocalHttp> local;
  std::unique_ptr<http::Server> local_http;

  std::unique_ptr<http::Server> serve(http::Handler& handler, std::string_view name,
                                      http::TlsAccept accept) {
    return std::make_unique<http::Server>(world.executor, world.clock, handler, http::Limits{},
                                          log.named(name), std::move(accept));
  }

  Task<void> drain(http::Server* server, Duration limit) {
    if (server != nullptr) co_await server->drain(world.clock.now() + limit);
  }
};

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::create(os::World world, Config config, bool prefer_chacha20) {
  auto credentials = load_credentials(config, world, prefer_chacha20);
  if (!credentials) return std::unexpected(credentials.error());
  auto authorities = Authorities::load(config, world);
  if (!authorities) return std::unexpected(authorities.error());
  auto parts = std::make_unique<Parts>(world, std::move(config), std::move(*credentials),
                                       std::move(*authorities), prefer_chacha20);
  register_process_metrics(parts->metrics, world.board);
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

void Node::use_slots(update::Slots& slots) {
  parts_->slots = &slots;
}

Task<Result<>> Node::start() {
  if (auto listening = start_local_http(); !listening) co_return listening;
  using Start = Task<Result<>> (Node::*)();
  const std::pair<Role, Start> steps[] = {{Role::etcd, &Node::start_etcd},
                                          {Role::apiserver, &Node::start_apiserver},
                                          {Role::apiserver, &Node::start_components},
                                          {Role::balancer, &Node::start_balancer}};
  for (auto [role, start_role] : steps) {
    if (!parts_->config.has(role)) continue;
    if (auto started = co_await (this->*start_role)(); !started) co_return started;
  }
  start_renewal();
  parts_->started = true;
  parts_->log.info("started", LogField("board", parts_->config.name));
  co_return Result<>{};
}

Task<Result<>> Node::start_etcd() {
  Parts& p = *parts_;
  const etcd::Options options = etcd_options(p.config);
  auto existing = co_await etcd::find_cluster(p.world, options, peer_tls(p.world, p.credentials));
  if (!existing) co_return std::unexpected(existing.error());
  auto member = etcd::Member::start(p.world, options, peer_tls(p.world, p.credentials), p.metrics,
                                    std::move(*existing));
  if (!member) co_return std::unexpected(member.error());
  p.member = std::move(*member);
  p.removal = p.member->observe_removal([this] { end_for_removal(); });
  if (p.config.joins()) {
    if (auto promoted = co_await become_voter(); !promoted) co_return promoted;
  }
  if (p.config.values.boolean("etcd", "experimental-initial-corrupt-check")) {
    auto equal = co_await p.member->check_against_others();
    if (!equal) co_return equal;
  }
  p.local_etcd = std::make_unique<etcd::LocalClient>(*p.member);
  p.client_port = std::make_unique<etcd::rpc::ClientPort>(*p.member);
  http::TlsAccept accept;
  const auto urls = p.config.values.urls("etcd", "listen-client-urls");
  if (std::ranges::any_of(urls, &ini::Url::tls)) {
    accept = accept_with(p.world, p.credentials.etcd_server);
  }
  p.etcd_http = p.serve(p.client_port->handler(), "etcd", std::move(accept));
  for (const ini::Url& url : urls) {
    auto bound = p.etcd_http->listen(p.world.network, url.address);
    if (!bound) co_return wrap(p.config.values.where("etcd", "listen-client-urls"), bound.error());
  }
  co_return serve_etcd_metrics();
}

/// A board that joined asks for its vote until it has it; which takes as long as it lacks data.
Task<Result<>> Node::become_voter() {
  Parts& p = *parts_;
  std::string said;
  while (p.member->is_learner()) {
    if (p.member->removed()) {
      co_return fail(ErrorCode::denied, "the member of this board was removed while it joined");
    }
    p.waits_for = "joining: catches up with the other boards";
    if (p.member->leader() != 0) {
      auto promoted = co_await p.member->member_promote({.id = p.member->id()});
      if (!promoted && promoted.error().message != said) {
        said = promoted.error().message;
        p.log.info("asked for a vote", LogField("answer", said));
      }
    }
    if (auto slept = co_await async::sleep_for(p.world.clock, promotion_interval); !slept) {
      co_return slept;
    }
  }
  p.waits_for.clear();
  co_return Result<>{};
}

Result<> Node::serve_etcd_metrics() {
  Parts& p = *parts_;
  for (const ini::Url& url : p.config.values.urls("etcd", "listen-metrics-urls")) {
    http::TlsAccept accept;
    if (url.tls) accept = accept_with(p.world, p.credentials.etcd_server);
    auto& server = p.etcd_metrics_http.emplace_back(
        p.serve(p.client_port->metrics_handler(), "etcd", std::move(accept)));
    auto bound = server->listen(p.world.network, url.address);
    if (!bound) return wrap(p.config.values.where("etcd", "listen-metrics-urls"), bound.error());
  }
  return {};
}

etcd::Client& Node::store() {
  Parts& p = *parts_;
  if (p.config.external_etcd()) {
    auto secure = [world = p.world, context = p.credentials.etcd_client](
                      std::unique_ptr<os::Stream> lower, std::string host) {
      return tls::connect(world, context->now, std::move(lower), std::move(host));
    };
    p.remote_etcd = std::make_unique<etcd::RemoteClient>(
        p.world, etcd_remote_options(p.config, p.world.entropy, std::move(secure)));
  }
  etcd::Client* client = p.remote_etcd.get();
  if (client == nullptr) client = p.local_etcd.get();
  const std::string& prefix = p.config.values.text("apiserver", "etcd-prefix");
  if (prefix == registry_prefix) return *client;
  p.prefixed_etcd =
      std::make_unique<etcd::PrefixedClient>(*client, Bytes(registry_prefix) + '/', prefix + '/');
  return *p.prefixed_etcd;
}

Task<Result<>> Node::start_apiserver() {
  Parts& p = *parts_;
  p.api =
      std::make_unique<apiserver::Server>(apiserver_options(p.config), store(), p.world, p.metrics);
  http::Transport& own =
      p.transports.emplace_back(p.world.executor, *p.api, "system:tripod",
                                std::vector<std::string>{"system:masters", "system:authenticated"});
  p.board_api = std::make_unique<kube::Client>(
      own, p.world.clock, kube::Client::Options{.user_agent = "tripod/board", .may_write = {}});
  p.provisioning = std::make_unique<ProvisioningService>(p.config, p.authorities, p.member.get(),
                                                         *p.board_api, p.world);
  p.api->extend(*p.provisioning);
  if (auto started = co_await p.api->start(); !started) co_return started;
  update::Door::Options door{
      .name = p.config.name,
      .ready = [this] { return parts_->started && ready().has_value(); },
      .leads = [this] { return parts_->member && parts_->member->is_leader(); },
      .slots = p.slots};
  p.door = std::make_unique<update::Door>(std::move(door), *p.api, p.world);
  p.api_http = p.serve(*p.door, "apiserver", accept_with(p.world, p.credentials.apiserver));
  os::Address address{
      p.config.values.text("apiserver", "bind-address"),
      static_cast<std::uint16_t>(p.config.values.integer("apiserver", "secure-port"))};
  auto bound = p.api_http->listen(p.world.network, address);
  if (!bound) co_return wrap(p.config.values.where("apiserver", "secure-port"), bound.error());
  co_return Result<>{};
}

Task<Result<>> Node::start_components() {
  Parts& p = *parts_;
  auto transport_of = [&](std::string user) -> http::Transport& {
    return p.transports.emplace_back(p.world.executor, *p.api, std::move(user),
                                     std::vector<std::string>{"system:authenticated"});
  };
  if (p.config.has(Role::controller_manager)) {
    p.controller_manager = std::make_unique<controllers::ControllerManager>(
        transport_of("system:kube-controller-manager"), p.world,
        controller_options(p.config, p.world.entropy,
                           p.credentials.apiserver->now->options().authority_pem),
        &p.metrics);
    p.components.spawn(p.controller_manager->run());
  }
  if (p.config.has(Role::scheduler)) {
    p.scheduler = std::make_unique<scheduler::Scheduler>(
        transport_of("system:kube-scheduler"), p.world,
        scheduler_options(p.config, p.world.entropy), &p.metrics);
    p.components.spawn(p.scheduler->run());
  }
  co_return Result<>{};
}

void Node::start_renewal() {
  Parts& p = *parts_;
  p.renewal = std::make_unique<Renewal>(p.config, p.authorities, p.board_api.get(), p.world,
                                        p.metrics, [this] { take_new_certificates(); });
  p.components.spawn(p.renewal->run());
}

void Node::take_new_certificates() {
  Parts& p = *parts_;
  auto fresh = load_credentials(p.config, p.world, p.prefer_chacha20);
  if (!fresh) {
    p.log.error("certificates stay as they were", LogField("why", fresh.error().message));
    return;
  }
  p.credentials.take(*fresh);
  p.log.info("new connections use the certificates that are in the files now");
}

Task<Result<>> Node::start_balancer() {
  Parts& p = *parts_;
  p.probes = std::make_unique<Probes>(p.world, p.credentials.health_check,
                                      p.config.values.text("balancer", "health-check-path"));
  p.balancer = std::make_unique<balancer::Balancer>(
      balancer_options(p.config),
      [probes = p.probes.get()](os::Address backend) { return probes->probe(backend); }, p.world,
      p.metrics);
  auto started = p.balancer->start();
  if (!started) co_return wrap(p.config.values.where("balancer", "listen"), started.error());
  co_return Result<>{};
}

Result<> Node::start_local_http() {
  Parts& p = *parts_;
  p.local = std::make_unique<LocalHttp>(p.metrics, [this] { return ready(); });
  p.local_http = p.serve(*p.local, "metrics", {});
  auto bound = p.local_http->listen(p.world.network, p.config.values.address("metrics", "listen"));
  if (!bound) return wrap(p.config.values.where("metrics", "listen"), bound.error());
  return {};
}

void Node::end_for_removal() {
  if (on_end_) {
    on_end_({ErrorCode::denied,
             std::format("etcd: the member of this board has been permanently removed from the "
                         "cluster; remove the data in {} before it is added anew",
                         parts_->member->options().data_dir)});
  }
}

Result<> Node::ready() const {
  const Parts& p = *parts_;
  if (p.member && p.member->removed()) {
    return fail(ErrorCode::unavailable, "the etcd member was removed from the cluster");
  }
  if (p.member && p.member->leader() == 0)
    return fail(ErrorCode::unavailable, "etcd has no leader");
  if (p.config.has(Role::apiserver) && (!p.api || !p.api->ready())) {
    return fail(ErrorCode::unavailable, "the API server is not ready");
  }
  return {};
}

boards::Heartbeat Node::health() const {
  const Parts& p = *parts_;
  if (!p.started && !p.waits_for.empty()) return {boards::Health::waiting, p.waits_for};
  if (!p.started) return {boards::Health::starting, "starting"};
  if (p.member && p.member->leader() == 0) {
    return {boards::Health::waiting, "etcd has no leader: too few other boards are there"};
  }
  // An etcd elsewhere may be gone; one of our own has a leader, so that nothing is missing.
  if (auto now = ready(); !now) {
    const bool own = p.member != nullptr && !p.member->no_space();
    return {own ? boards::Health::sick : boards::Health::waiting, now.error().message};
  }
  if (!p.member) return {boards::Health::ready, "serves"};
  return {boards::Health::ready, p.member->is_leader()
                                     ? std::string("serves, leads etcd")
                                     : std::format("serves, follows etcd member {:x}",
                                                   static_cast<std::uint64_t>(p.member->leader()))};
}

Task<void> Node::stop() {
  Parts& p = *parts_;
  p.log.info("stopping");
  p.removal.reset();
  if (p.api) p.api->begin_shutdown();
  // The elected components release their leases through the API server, which needs etcd: both go
  // later.
  p.components.cancel();
  co_await p.components.join();
  if (p.balancer) co_await p.balancer->stop();
  if (p.probes) co_await p.probes->drain();
  for (http::InProcessTransport& transport : p.transports) co_await transport.drain();
  if (p.api) co_await p.api->stop();
  co_await p.drain(p.api_http.get(), drain_timeout);
  if (p.remote_etcd) co_await p.remote_etcd->stop();
  co_await p.drain(p.etcd_http.get(), local_drain_timeout);
  for (auto& server : p.etcd_metrics_http) co_await p.drain(server.get(), local_drain_timeout);
  if (p.member) co_await p.member->stop();
  co_await p.drain(p.local_http.get(), local_drain_timeout);
  p.log.info("stopped");
}

}  // namespace tripod::node
