#include "firmware/apiserver/server.h"

#include <format>
#include <map>
#include <vector>

#include "firmware/apiserver/admission/service_addresses.h"
#include "firmware/apiserver/auth/authorizer.h"
#include "firmware/apiserver/auth/bearer.h"
#include "firmware/apiserver/bootstrap.h"
#include "firmware/apiserver/discovery/discovery.h"
#include "firmware/apiserver/health.h"
#include "firmware/apiserver/request_metrics.h"
#include "firmware/apiserver/resources/dispatch.h"
#include "firmware/apiserver/resources/subresources.h"
#include "firmware/apiserver/resources/watches.h"
#include "firmware/apiserver/version.h"
#include "firmware/kube/protobuf/protobuf.h"

namespace tripod::apiserver {

namespace {

constexpr std::size_t extension_body_bytes_max = 256 * 1024;

/// Counts a request while it is under way.
class Inflight {
 public:
  Inflight(int& count, metrics::Gauge& gauge) : count_(count), gauge_(gauge) {
    ++count_;
    gauge_.add(1);
  }
  ~Inflight() {
    --count_;
    gauge_.add(-1);
  }
  Inflight(const Inflight&) = delete;
  Inflight& operator=(const Inflight&) = delete;

 private:
  int& count_;
  metrics::Gauge& gauge_;
};

Task<Result<kube::Outcome<Reply>>> as_result(Task<kube::Outcome<Reply>> task) {
  co_return co_await std::move(task);
}

/// A protobuf body becomes the JSON that everything behind this point reads.
kube::Outcome<> read_protobuf(Call& call) {
  if (call.body.empty() || media_type(call.content_type) != kube::protobuf::media_type) return {};
  auto document = kube::protobuf::decode(call.body);
  if (!document) return std::unexpected(kube::errors::bad_request(document.error().message));
  call.body = json::serialize(*document);
  call.content_type = "application/json";
  return {};
}

Task<Result<etcd::Revision>> read_revision(etcd::Client* etcd) {
  auto revision = co_await etcd->read_revision();
  if (!revision) co_return fail(ErrorCode::unavailable, revision.error().message);
  co_return *revision;
}

}  // namespace

class Server::Impl {
 public:
  Impl(Options options, etcd::Client& etcd, os::World world, metrics::Registry& metrics)
      : options_(std::move(options)),
        etcd_(etcd),
        world_(world),
        metrics_(metrics),
        log_(world.log, "apiserver"),
        scope_(world.executor),
        requests_(metrics),
        discovery_(std::format("{}:{}", options_.advertise_address, options_.secure_port)),
        health_(health_checks()) {}

  Task<Result<>> start();
  Task<void> stop();
  void begin_shutdown() { shutting_down_ = true; }
  bool ready() const { return started_ && !shutting_down_ && caches_ready() && bootstrap_->done(); }
  void extend(Extension& extension) { extension_ = &extension; }
  Task<void> handle(std::unique_ptr<http::Exchange> exchange);

 private:
  std::vector<HealthCheck> health_checks();
  Task<Result<>> check_etcd();
  Task<Result<>> check_condition(bool holds);
  bool caches_ready() const;
  Cache* cache_of(const Resource& resource);

  /// Nothing when the exchange was answered already (watches).
  Task<std::optional<Reply>> answer(http::Exchange* exchange, const RequestInfo* info,
                                    const Identity* identity);
  Task<kube::Outcome<Reply>> answer_path(http::Exchange* exchange, const RequestInfo* info,
                                         const Identity* identity);
  Task<kube::Outcome<Reply>> answer_extension(http::Exchange* exchange, const RequestInfo* info,
                                              const Identity* identity);
  kube::Outcome<Identity> identity_of(const http::Exchange& exchange);
  Task<kube::Outcome<Reply>> answer_resource(http::Exchange* exchange, Call* call);
  Task<kube::Outcome<bool>> answer_watch(http::Exchange* exchange, Call* call);
  kube::Outcome<Call> make_call(const http::Exchange& exchange, const RequestInfo& info,
                                const Identity& identity);
  bool too_busy(const RequestInfo& info, const Identity& identity) const;

  Options options_;
  etcd::Client& etcd_;
  os::World world_;
  metrics::Registry& metrics_;
  Logger log_;
  Scope scope_;
  RequestMetrics requests_;
  Discovery discovery_;
  Health health_;
  std::map<std::string_view, std::unique_ptr<Cache>> caches_;  // by storage prefix
  std::unique_ptr<ServiceAddresses> addresses_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Bootstrap> bootstrap_;
  int reads_ = 0;
  int writes_ = 0;
  int watches_ = 0;
  Extension* extension_ = nullptr;
  bool started_ = false;
  bool shutting_down_ = false;
};

Cache* Server::Impl::cache_of(const Resource& resource) {
  const auto found = caches_.find(resource.storage_prefix);
  return found == caches_.end() ? nullptr : found->second.get();
}

bool Server::Impl::caches_ready() const {
  for (const auto& [prefix, cache] : caches_) {
    if (!cache->ready()) return false;
  }
  return true;
}

Task<Result<>> Server::Impl::start() {
  auto range = AddressRange::parse(options_.service_cluster_ip_range);
  if (!range) co_return std::unexpected(range.error());
  if (options_.service_node_port_first > options_.service_node_port_last ||
      options_.service_node_port_first == 0) {
    co_return fail(ErrorCode::invalid,
                   std::format("service-node-port-range {}-{}: expected first <= last, not 0",
                               options_.service_node_port_first, options_.service_node_port_last));
  }
  Cache::Limits limits;
  limits.events_max = options_.watch_cache_events_max;
  for (const Resource& row : all_resources()) {
    if (row.is_view()) continue;
    caches_.emplace(row.storage_prefix,
                    std::make_unique<Cache>(row, etcd_, world_, metrics_, limits));
  }
  ServiceAddresses::Options addresses{*range, options_.service_node_port_first,
                                      options_.service_node_port_last};
  addresses_ = std::make_unique<ServiceAddresses>(
      std::move(addresses), *cache_of(*find_resource("", "v1", "services")), world_);
  const auto find_cache = [this](const Resource& resource) { return cache_of(resource); };
  Store::Limits store_limits;
  store_limits.event_ttl = options_.event_ttl;
  store_ = std::make_unique<Store>(etcd_, world_, find_cache, *addresses_, store_limits);
  backend_ = std::make_unique<Backend>(Backend{*store_, etcd_, world_, find_cache});
  Bootstrap::Options bootstrap{options_.advertise_address, options_.secure_port,
                               addresses_->first_address(), options_.etcd_compaction_interval};
  bootstrap_ = std::make_unique<Bootstrap>(std::move(bootstrap), *backend_);
  started_ = true;
  for (const auto& [prefix, cache] : caches_) scope_.spawn(cache->run());
  scope_.spawn(bootstrap_->run());
  scope_.spawn(bootstrap_->compact());
  co_return Result<>{};
}

Task<void> Server::Impl::stop() {
  shutting_down_ = true;
  scope_.cancel();
  for (const auto& [prefix, cache] : caches_) cache->end_watchers();
  co_await scope_.join();
  if (bootstrap_) co_await bootstrap_->withdraw();
}

Task<Result<>> Server::Impl::check_etcd() {
  auto revision =
      co_await async::with_timeout(world_.clock, std::chrono::seconds(2), read_revision(&etcd_));
  if (!revision) co_return std::unexpected(revision.error());
  co_return Result<>{};
}

Task<Result<>> Server::Impl::check_condition(bool holds) {
  if (!holds) co_return fail(ErrorCode::unavailable, "not yet");
  co_return Result<>{};
}

std::vector<HealthCheck> Server::Impl::health_checks() {
  std::vector<HealthCheck> checks;
  checks.push_back({"ping", true, [this] { return check_condition(true); }});
  checks.push_back({"log", true, [this] { return check_condition(true); }});
  checks.push_back({"etcd", true, [this] { return check_etcd(); }});
  checks.push_back(
      {"informer-sync", false, [this] { return check_condition(started_ && caches_ready()); }});
  checks.push_back({"poststarthook/start-system-namespaces-controller", true,
                    [this] { return check_condition(bootstrap_ && bootstrap_->done()); }});
  checks.push_back({"shutdown", false, [this] { return check_condition(!shutting_down_); }});
  return checks;
}

bool Server::Impl::too_busy(const RequestInfo& info, const Identity& identity) const {
  if (info.is_watch() || !info.is_resource || identity.in_group("system:masters")) return false;
  return info.is_mutating() ? writes_ >= options_.max_mutating_requests_inflight
                            : reads_ >= options_.max_requests_inflight;
}

Task<kube::Outcome<Reply>> Server::Impl::answer_extension(http::Exchange* exchange,
                                                          const RequestInfo* info,
                                                          const Identity* identity) {
  auto body = co_await http::read_all(*exchange, extension_body_bytes_max);
  if (!body) co_return std::unexpected(kube::errors::bad_request(body.error().message));
  auto answer = co_await extension_->answer({.method = exchange->request().method,
                                             .path = info->path,
                                             .user = identity->user,
                                             .groups = identity->groups,
                                             .body = std::move(*body)});
  co_return json_reply(answer.document, answer.status);
}

/// The connection's certificate counts; without one, a bearer token does.
kube::Outcome<Identity> Server::Impl::identity_of(const http::Exchange& exchange) {
  const http::Headers& headers = exchange.request().headers;
  Identity peer = identify(exchange.peer());
  if (!peer.authenticated) {
    auto bearer = identify_bearer(headers, *cache_of(*find_resource("", "v1", "secrets")),
                                  world_.clock.wall_now());
    if (!bearer) return std::unexpected(bearer.error());
    if (*bearer) peer = std::move(**bearer);
  }
  return effective_identity(std::move(peer), headers);
}

Task<kube::Outcome<Reply>> Server::Impl::answer_path(http::Exchange* exchange,
                                                     const RequestInfo* info,
                                                     const Identity* identity) {
  if (Health::is_health_path(info->path)) co_return co_await health_.serve(info);
  if (extension_ != nullptr && info->path.starts_with(provisioning_prefix)) {
    co_return co_await answer_extension(exchange, info, identity);
  }
  const auto& headers = exchange->request().headers;
  if (info->verb != "get" && info->verb != "head") {
    const bool known = info->path == "/metrics" || info->path.starts_with("/api") ||
                       info->path.starts_with("/version");
    co_return std::unexpected(known ? kube::errors::method_not_allowed()
                                    : kube::errors::unknown_path());
  }
  if (info->path == "/version" || info->path == "/version/") {
    Reply reply = json_reply(nullptr);
    reply.body = pretty_print(version_info());
    co_return reply;
  }
  if (info->path == "/metrics")
    co_return text_reply(metrics_.expose(), 200, "text/plain; version=0.0.4; charset=utf-8");
  if (info->path == "/") {
    json::Array paths;
    for (std::string_view path : std::initializer_list<std::string_view>{
             "/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2",
             "/openapi/v3", "/readyz", "/version"}) {
      paths.emplace_back(json::String(path));
    }
    co_return json_reply(json::Object{{"paths", std::move(paths)}});
  }
  auto found = discovery_.serve(info->path, headers.get("accept"), headers.get("if-none-match"),
                                info->query.has("hash"));
  if (!found) co_return std::unexpected(kube::errors::unknown_path());
  co_return std::move(*found);
}

kube::Outcome<Call> Server::Impl::make_call(const http::Exchange& exchange, const RequestInfo& info,
                                            const Identity& identity) {
  Call call;
  call.info = info;
  call.identity = identity;
  call.row = find_resource(info.group, info.version, info.resource);
  const bool legacy_binding =
      info.group.empty() && info.version == "v1" && info.resource == "bindings";
  if (legacy_binding) {
    call.row = find_resource("", "v1", "pods");
    call.info.subresource = "binding";
  }
  if (!call.row) return std::unexpected(kube::errors::unknown_path());
  if (!call.row->namespaced && !info.name_space.empty() && call.row->kind.kind != "Namespace") {
    return std::unexpected(kube::errors::unknown_path());
  }
  if (call.row->kind.kind == "Namespace") call.info.name_space.clear();
  auto accepted = negotiate(exchange.request().headers.get("accept"));
  if (!accepted) return std::unexpected(accepted.error());
  auto include = parse_include_object(info.query.get("includeObject"));
  if (!include) return std::unexpected(include.error());
  call.render = {.accepted = *accepted, .include = *include, .now = world_.clock.wall_now()};
  call.content_type = exchange.request().headers.get("content-type");
  return call;
}

Task<kube::Outcome<Reply>> Server::Impl::answer_resource(http::Exchange* exchange, Call* call) {
  if (call->info.is_mutating()) {
    auto body = co_await http::read_all(*exchange, options_.max_request_body_bytes);
    if (!body && body.error() == ErrorCode::too_large) {
      co_return std::unexpected(
          kube::errors::too_large(std::format("limit is {}", options_.max_request_body_bytes)));
    }
    if (!body) co_return std::unexpected(kube::errors::bad_request(body.error().message));
    call->body = std::move(*body);
    if (auto read = read_protobuf(*call); !read) co_return std::unexpected(read.error());
  }
  if (call->info.resource == "bindings") {
    if (call->info.verb != "create") co_return std::unexpected(kube::errors::method_not_allowed());
    co_return co_await bind(backend_.get(), call);
  }
  co_return co_await dispatch(backend_.get(), call);
}

Task<kube::Outcome<bool>> Server::Impl::answer_watch(http::Exchange* exchange, Call* call) {
  if (!call->info.subresource.empty())
    co_return std::unexpected(kube::errors::method_not_allowed());
  const Inflight counted(watches_, requests_.watches());
  // Spread over twice the minimum, so that clients do not all come back at once.
  const auto base = static_cast<std::uint64_t>(options_.min_request_timeout.count());
  const std::chrono::seconds timeout(base + world_.entropy.next() % (base + 1));
  auto done = co_await watch(backend_.get(), call, exchange, timeout);
  if (!done) co_return std::unexpected(done.error());
  co_return true;
}

Task<std::optional<Reply>> Server::Impl::answer(http::Exchange* exchange, const RequestInfo* info,
                                                const Identity* identity) {
  if (!identity->authenticated && !is_allowed(*identity, *info)) {
    co_return error_reply(kube::errors::unauthorized());
  }
  if (auto denied = authorize(*identity, *info)) co_return error_reply(*denied);
  if (!started_) co_return error_reply(kube::errors::service_unavailable("the server is starting"));
  if (too_busy(*info, *identity)) {
    requests_.drop();
    co_return error_reply(
        kube::errors::too_many_requests("Too many requests, please try again later.", 1));
  }
  std::optional<Call> call;
  if (info->is_resource) {
    auto made = make_call(*exchange, *info, *identity);
    if (!made) co_return error_reply(made.error());
    call = std::move(*made);
  }
  if (call && info->is_watch()) {
    auto done = co_await answer_watch(exchange, &*call);
    if (!done) co_return error_reply(done.error());
    co_return std::nullopt;
  }
  const bool writes = info->is_mutating();
  const Inflight counted(writes ? writes_ : reads_, requests_.inflight(writes));
  auto work = call ? answer_resource(exchange, &*call) : answer_path(exchange, info, identity);
  auto reply = co_await async::with_timeout(world_.clock, options_.request_timeout,
                                            as_result(std::move(work)));
  if (!reply) {
    co_return error_reply(kube::errors::timeout(
        "request did not complete within requested timeout - context deadline exceeded"));
  }
  co_return *reply ? std::move(**reply) : error_reply(reply->error());
}

Task<void> Server::Impl::handle(std::unique_ptr<http::Exchange> exchange) {
  const MonotonicTime begun = world_.clock.now();
  const http::RequestHead& head = exchange->request();
  auto info = parse_request(head.method, head.path, head.query);
  if (!info) {
    co_await send_reply(exchange.get(),
                        error_reply(kube::errors::bad_request(info.error().message)));
    co_return;
  }
  auto identity = started_ ? identity_of(*exchange)
                           : effective_identity(identify(exchange->peer()), head.headers);
  std::optional<Reply> reply;
  if (identity) {
    reply = co_await answer(exchange.get(), &*info, &*identity);
  } else {
    reply = error_reply(identity.error());
  }
  const Resource* row =
      info->is_resource ? find_resource(info->group, info->version, info->resource) : nullptr;
  requests_.observe(*info, row, reply ? reply->status : 200, world_.clock.now() - begun);
  if (log_.enabled(LogLevel::debug)) {
    log_.debug("request", LogField("verb", info->verb), LogField("path", info->path),
               LogField("user", identity ? identity->user : ""),
               LogField("code", reply ? reply->status : 200));
  }
  if (reply) co_await send_reply(exchange.get(), std::move(*reply));
}

Server::Server(Options options, etcd::Client& etcd, os::World world, metrics::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), etcd, world, metrics)) {}
Server::~Server() = default;

Task<Result<>> Server::start() {
  return impl_->start();
}
void Server::begin_shutdown() {
  impl_->begin_shutdown();
}
Task<void> Server::stop() {
  return impl_->stop();
}
bool Server::ready() const {
  return impl_->ready();
}
void Server::extend(Extension& extension) {
  impl_->extend(extension);
}
Task<void> Server::handle(std::unique_ptr<http::Exchange> exchange) {
  return impl_->handle(std::move(exchange));
}

}  // namespace tripod::apiserver
