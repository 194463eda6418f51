#include "tools/hollow-node/kubelet.h"

#include "platform/async/sync.h"

namespace tripod::hollow {
namespace {

using kube::ApiResult;
namespace resources = kube::resources;

constexpr std::chrono::seconds lease_duration{40};
constexpr std::chrono::seconds lease_period{10};
constexpr std::chrono::minutes status_period{5};
constexpr std::chrono::milliseconds end_latency{200};
constexpr std::string_view lease_namespace = "kube-node-lease";
constexpr int workers = 4;

void keep_what_matters(json::Value& pod) {
  kube::prune_metadata(pod);
  json::erase(pod, {"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"});
}

}  // namespace

Kubelet::Kubelet(kube::Client& client, os::Entropy& entropy, Logger logger, NodeConfig config)
    : client_(client),
      clock_(client.clock()),
      entropy_(entropy),
      logger_(std::move(logger)),
      config_(std::move(config)),
      pods_(client, entropy, logger_, resources::pods,
            {.ns = {},
             .label_selector = {},
             .field_selector = "spec.nodeName=" + config_.name,
             .prune = keep_what_matters}),
      queue_(clock_, config_.name, nullptr,
             {.base = std::chrono::milliseconds(50), .max = std::chrono::seconds(5)}) {
  pods_.store().add_handler([this](const kube::Change& change) {
    const std::string uid(kube::uid_of(change.latest()));
    const bool replaced = change.before && change.now && kube::uid_of(*change.before) != uid;
    if (!change.now || replaced) {
      const std::string gone(kube::uid_of(*change.before));
      if (auto address = addresses_.extract(gone)) addresses_in_use_.erase(address.mapped());
      start_at_.erase(gone);
      end_at_.erase(gone);
    }
    if (!change.now) return;
    if (std::string ip(json::get_string(*change.now, "status", "podIP"));
        !ip.empty() && !addresses_.contains(uid)) {
      addresses_in_use_.insert(ip);
      addresses_[uid] = std::move(ip);
    }
    queue_.add(kube::key_of(*change.now));
  });
}

Duration Kubelet::jitter(Duration period) {
  return period + period * static_cast<std::int64_t>(entropy_.next() % 40) / 1000;
}

Task<void> Kubelet::run() {
  async::ScopeCore& outer = co_await async::current_scope();
  Scope scope(outer.executor());
  {
    async::detail::CancelLink link(outer, scope);
    scope.spawn(register_node());
    scope.spawn(renew_lease());
    scope.spawn(pods_.run());
    for (int i = 0; i < workers; ++i) scope.spawn(work());
    co_await scope.join();
  }
}

/// Registers, and from then on reports; a Node that someone deleted is registered again, as with
/// real kubelets.
Task<void> Kubelet::register_node() {
  async::ScopeCore& scope = co_await async::current_scope();
  while (!scope.cancelled()) {
    auto made =
        co_await client_.create(resources::nodes, {}, make_node(config_, clock_.wall_now()));
    if (made) {
      node_uid_ = kube::uid_of(*made);
      logger_.info("registered", LogField("node", config_.name));
    } else if (!made.error().already_exists()) {
      logger_.warn("not registered", LogField("node", config_.name),
                   LogField("error", made.error().to_string()));
      (void)co_await async::sleep_for(clock_, jitter(std::chrono::seconds(1)));
      continue;
    }
    co_await report_status();
  }
}

/// Until the Node object is gone, or the scope is cancelled.
Task<void> Kubelet::report_status() {
  async::ScopeCore& scope = co_await async::current_scope();
  MonotonicTime posted = MonotonicTime{};
  while (!scope.cancelled()) {
    auto node = co_await client_.get(resources::nodes, {}, config_.name);
    if (!node && node.error().is_not_found()) co_return;
    if (node) {
      node_uid_ = kube::uid_of(*node);
      const bool said_otherwise = kube::condition_status(*node, "Ready") != "True";
      const bool due = posted == MonotonicTime{} || clock_.now() >= posted + status_period;
      if (said_otherwise || due) {
        auto done = co_await post_status();
        if (done) posted = clock_.now();
      }
    }
    if (!co_await async::sleep_for(clock_, jitter(lease_period))) co_return;
  }
}

Task<ApiResult<>> Kubelet::post_status() {
  json::Value wanted = make_node(config_, clock_.wall_now());
  json::Object body;
  body["status"] = *json::find(wanted, "status");
  auto done = co_await client_.patch(resources::nodes, {}, config_.name, kube::PatchType::strategic,
                                     std::move(body), "status");
  if (!done) co_return std::unexpected(done.error());
  co_return ApiResult<>{};
}

Task<void> Kubelet::renew_lease() {
  async::ScopeCore& scope = co_await async::current_scope();
  std::optional<json::Value> lease;
  while (!scope.cancelled()) {
    json::Value wanted = json::Object();
    if (lease) {
      wanted = *lease;
    } else {
      wanted.as_object()["apiVersion"] = resources::leases.api_version();
      wanted.as_object()["kind"] = resources::leases.kind;
      json::set(wanted, {"metadata", "name"}, json::Value(config_.name));
      json::set(wanted, {"metadata", "namespace"}, json::Value(lease_namespace));
      if (!node_uid_.empty()) {
        kube::OwnerReference owner{
            .api_version = "v1", .kind = "Node", .name = config_.name, .uid = node_uid_};
        json::ensure_array(wanted, {"metadata", "ownerReferences"}).push_back(owner.to_json());
      }
    }
    json::Object& spec = json::ensure_object(wanted, {"spec"});
    spec["holderIdentity"] = config_.name;
    spec["leaseDurationSeconds"] = lease_duration.count();
    spec["renewTime"] = to_rfc3339_micro(clock_.wall_now());
    ApiResult<json::Value> answer;
    if (lease) {
      answer = co_await client_.update(resources::leases, std::move(wanted));
    } else {
      answer = co_await client_.create(resources::leases, std::string(lease_namespace),
                                       std::move(wanted));
    }
    Duration wait = jitter(lease_period);
    if (answer) {
      lease = std::move(*answer);
    } else {
      lease.reset();
      if (answer.error().code == 409) {
        auto read =
            co_await client_.get(resources::leases, std::string(lease_namespace), config_.name);
        if (read) lease = std::move(*read);
      } else if (!scope.cancelled()) {
        logger_.debug("lease not renewed", LogField("node", config_.name),
                      LogField("error", answer.error().to_string()));
      }
      wait = jitter(std::chrono::seconds(1));
    }
    if (!co_await async::sleep_for(clock_, wait)) co_return;
  }
}

Task<void> Kubelet::work() {
  async::ScopeCore& scope = co_await async::current_scope();
  while (!scope.cancelled()) {
    auto key = co_await queue_.get();
    if (!key) co_return;
    auto done = co_await sync(*key);
    if (done || done.error().is_not_found()) {
      queue_.forget(*key);
    } else if (!scope.cancelled()) {
      logger_.debug("retrying", LogField("pod", *key), LogField("error", done.error().to_string()));
      queue_.add_rate_limited(*key);
    }
    queue_.done(*key);
  }
}

Task<ApiResult<>> Kubelet::sync(std::string key) {
  kube::ObjectPtr pod = pods_.store().get(key);
  if (!pod) co_return ApiResult<>{};
  const std::string uid(kube::uid_of(*pod));
  const MonotonicTime now = clock_.now();
  if (kube::is_deleting(*pod)) {
    auto [when, fresh] = end_at_.try_emplace(uid, now + end_latency);
    if (now >= when->second) co_return co_await end_pod(pod);
    queue_.add_after(key, when->second - now);
    co_return ApiResult<>{};
  }
  const bool runs = json::get_string(*pod, "status", "phase") == "Running" &&
                    !json::get_string(*pod, "status", "podIP").empty();
  const bool wants_ready = kube::annotation(*pod, "hollow.tripod.dev/ready") != "false";
  if (kube::is_pod_finished(*pod) || (runs && kube::is_pod_ready(*pod) == wants_ready))
    co_return ApiResult<>{};
  auto [when, fresh] = start_at_.try_emplace(uid, now + config_.startup_latency);
  if (now >= when->second) co_return co_await start_pod(pod);
  queue_.add_after(key, when->second - now);
  co_return ApiResult<>{};
}

std::string Kubelet::address_for(const std::string& uid) {
  std::string& address = addresses_[uid];
  for (int host = 2; address.empty() && host < 255; ++host) {
    std::string candidate = std::format("10.200.{}.{}", config_.number % 256, host);
    if (addresses_in_use_.insert(candidate).second) address = std::move(candidate);
  }
  return address;
}

Task<ApiResult<>> Kubelet::patch_status(kube::ObjectPtr pod, json::Value status) {
  json::Value body = json::Object();
  json::set(body, {"metadata", "uid"}, json::Value(kube::uid_of(*pod)));
  body.as_object()["status"] = std::move(status);
  auto done = co_await client_.patch(resources::pods, std::string(kube::namespace_of(*pod)),
                                     std::string(kube::name_of(*pod)), kube::PatchType::strategic,
                                     std::move(body), "status");
  if (!done) co_return std::unexpected(done.error());
  pods_.observe_written(std::move(*done));
  co_return ApiResult<>{};
}

Task<ApiResult<>> Kubelet::start_pod(kube::ObjectPtr pod) {
  const std::string address = address_for(std::string(kube::uid_of(*pod)));
  co_return co_await patch_status(
      pod, running_status(*pod, address, host_ip_of(config_), clock_.wall_now()));
}

/// As a kubelet: the containers have ended, then the object may go at once.
Task<ApiResult<>> Kubelet::end_pod(kube::ObjectPtr pod) {
  if (!kube::is_pod_finished(*pod) && json::get_string(*pod, "status", "phase") == "Running") {
    auto told = co_await patch_status(pod, ended_status(*pod, clock_.wall_now()));
    if (!told) co_return told;
  }
  kube::DeleteOptions options;
  options.grace_period_seconds = 0;
  options.uid = kube::uid_of(*pod);
  auto removed = co_await client_.remove(resources::pods, std::string(kube::namespace_of(*pod)),
                                         std::string(kube::name_of(*pod)), std::move(options));
  if (!removed && !removed.error().is_not_found()) co_return std::unexpected(removed.error());
  co_return ApiResult<>{};
}

}  // namespace tripod::hollow
