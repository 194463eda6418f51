#include "firmware/apiserver/bootstrap.h"

#include <format>
#include <set>

#include "firmware/apiserver/registry/etcd_errors.h"
#include "firmware/apiserver/resources/writes.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver {

namespace {

constexpr std::string_view lease_prefix = "/registry/masterleases/";
constexpr std::string_view compact_key = "compact_rev_key";
constexpr std::chrono::seconds lease_ttl{45};
constexpr Duration announce_interval = std::chrono::seconds(20);
constexpr Duration publish_interval = std::chrono::seconds(10);

Identity own_identity() {
  return {.user = "system:apiserver",
          .groups = {"system:masters", "system:authenticated"},
          .authenticated = true};
}

json::Value named(std::string_view api_version, std::string_view kind, std::string_view name_space,
                  std::string_view name) {
  json::Object metadata;
  metadata["name"] = name;
  if (!name_space.empty()) metadata["namespace"] = name_space;
  json::Object object;
  object["kind"] = kind;
  object["apiVersion"] = api_version;
  object["metadata"] = std::move(metadata);
  return object;
}

}  // namespace

json::Value Bootstrap::service() const {
  json::Value object = named("v1", "Service", "default", "kubernetes");
  json::set(object, {"metadata", "labels"},
            json::Object{{"component", "apiserver"}, {"provider", "kubernetes"}});
  json::set(object, {"spec"},
            json::Object{{"type", "ClusterIP"},
                         {"clusterIP", options_.service_address},
                         {"sessionAffinity", "None"},
                         {"ports", json::Array{json::Object{{"name", "https"},
                                                            {"protocol", "TCP"},
                                                            {"port", 443},
                                                            {"targetPort", options_.port}}}}});
  return object;
}

/// True when the object is there afterwards.
Task<bool> Bootstrap::ensure(const char* group, const char* plural, json::Value object) {
  const Resource* row = find_resource(group, "v1", plural);
  Cache* cache = backend_.cache_of(*row);
  if (cache->ready() && cache->find(kube::namespace_of(object), kube::name_of(object)))
    co_return true;
  const std::string name(kube::name_of(object));
  auto created = co_await create_object(&backend_, row, std::move(object), own_identity(), false);
  if (created || created.error().code == 409) co_return true;
  log_.debug("not created yet", LogField("resource", plural), LogField("name", name),
             LogField("why", created.error().message()));
  co_return false;
}

Task<bool> Bootstrap::create_basics() {
  static constexpr std::string_view names[] = {"kube-system", "kube-public", "kube-node-lease",
                                               "default"};
  for (std::string_view name : names) {
    if (!co_await ensure("", "namespaces", named("v1", "Namespace", {}, name))) co_return false;
  }
  co_return co_await ensure("", "services", service());
}

Task<void> Bootstrap::run() {
  auto& scope = co_await async::current_scope();
  while (!scope.cancelled() && !done_) {
    done_ = co_await create_basics();
    if (!done_) co_await async::sleep_for(backend_.world.clock, std::chrono::milliseconds(250));
  }
  while (!scope.cancelled()) {
    co_await create_basics();  // again, when somebody deleted them
    if (!options_.advertise_address.empty()) {
      co_await announce();
      co_await publish();
    }
    co_await async::sleep_for(backend_.world.clock, publish_interval);
  }
}

/// A key under a lease says that this server is alive. The lease is renewed, which writes nothing,
/// and replaced only once it is gone.
Task<void> Bootstrap::announce() {
  const MonotonicTime now = backend_.world.clock.now();
  if (lease_ != 0 && now - announced_ < announce_interval) co_return;
  if (lease_ != 0) {
    etcd::LeaseKeepAliveRequest renewal;
    renewal.id = lease_;
    auto renewed = co_await backend_.etcd.lease_keep_alive(renewal);
    if (!renewed) co_return;  // asked again in time, several times before the lease runs out
    announced_ = now;
    if (renewed->ttl > 0) co_return;
  }
  etcd::LeaseGrantRequest grant;
  grant.ttl = lease_ttl.count();
  auto granted = co_await backend_.etcd.lease_grant(grant);
  if (!granted) co_return;
  json::Value record = named("v1", "Endpoints", {}, options_.advertise_address);
  json::set(record, {"subsets"},
            json::Array{json::Object{
                {"addresses", json::Array{json::Object{{"ip", options_.advertise_address}}}}}});
  etcd::PutRequest put;
  put.key = std::format("{}{}", lease_prefix, options_.advertise_address);
  put.value = json::serialize(record);
  put.lease = granted->id;
  if (!co_await backend_.etcd.put(std::move(put))) co_return;
  lease_ = granted->id;
  announced_ = now;
}

Task<void> Bootstrap::withdraw() {
  if (lease_ == 0) co_return;
  etcd::LeaseRevokeRequest request;
  request.id = std::exchange(lease_, 0);
  co_await backend_.etcd.lease_revoke(request);
}

Task<void> Bootstrap::settle(const char* group, const char* plural, json::Value wanted) {
  const Resource* row = find_resource(group, "v1", plural);
  const auto decide = [&](const json::Value& current) -> kube::Outcome<Decision> {
    json::Value desired = current;
    for (std::string_view key : {"subsets", "endpoints", "ports", "addressType"}) {
      if (const json::Value* value = json::find(wanted, key)) json::set(desired, {key}, *value);
    }
    if (json::equal(desired, current)) return Decision{};
    return Decision{Decision::Action::write, std::move(desired)};
  };
  // The cache may lag; a needless look at etcd is avoided when it already shows what is wanted.
  Cache* cache = backend_.cache_of(*row);
  if (ObjectRef known = cache->find("default", "kubernetes")) {
    const auto document = json::parse(known->json);
    const auto decision = decide(*document);
    if (decision && decision->action == Decision::Action::keep) co_return;
  }
  auto changed = co_await backend_.store.change(row, "default", "kubernetes", decide, false);
  if (changed || changed.error().code != 404) co_return;
  // Not through validation: it refuses loopback addresses from clients, but a cluster on one
  // machine has no others.
  std::array<std::byte, 16> random{};
  backend_.world.entropy.fill(random);
  const Identity self = own_identity();
  fill_new(*row, wanted, make_uuid(random),
           {.user = self, .now = backend_.world.clock.wall_now(), .subresource = {}});
  auto created = co_await backend_.store.create(row, std::move(wanted), false);
  if (!created) {
    log_.debug("endpoints not published", LogField("resource", plural),
               LogField("why", created.error().message()));
  }
}

Task<void> Bootstrap::publish() {
  etcd::RangeRequest request;
  request.key = Bytes(lease_prefix);
  request.range_end = prefix_end(lease_prefix);
  request.keys_only = true;
  request.serializable = true;
  auto leases = co_await backend_.etcd.range(std::move(request));
  if (!leases) co_return;
  std::set<std::string> alive;
  for (const etcd::KeyValue& kv : leases->kvs) alive.insert(kv.key.substr(lease_prefix.size()));
  // Somebody deleted the key; a read that is a little old does not count.
  const bool missing = lease_ != 0 && !alive.contains(options_.advertise_address) &&
                       backend_.world.clock.now() - announced_ >= publish_interval;
  if (missing) lease_ = 0;
  if (alive.empty()) co_return;
  json::Array addresses;
  json::Array slice_endpoints;
  for (const std::string& ip : alive) {
    addresses.push_back(json::Object{{"ip", ip}});
    slice_endpoints.push_back(json::Object{{"addresses", json::Array{json::String(ip)}},
                                           {"conditions", json::Object{{"ready", true}}}});
  }
  const json::Array ports{
      json::Object{{"name", "https"}, {"port", options_.port}, {"protocol", "TCP"}}};
  json::Value endpoints = named("v1", "Endpoints", "default", "kubernetes");
  json::set(endpoints, {"metadata", "labels"},
            json::Object{{"endpointslice.kubernetes.io/skip-mirror", "true"}});
  json::set(endpoints, {"subsets"},
            json::Array{json::Object{{"addresses", std::move(addresses)}, {"ports", ports}}});
  co_await settle("", "endpoints", std::move(endpoints));
  json::Value slice = named("discovery.k8s.io/v1", "EndpointSlice", "default", "kubernetes");
  json::set(slice, {"metadata", "labels"},
            json::Object{{"kubernetes.io/service-name", "kubernetes"}});
  json::set(slice, {"addressType"}, "IPv4");
  json::set(slice, {"endpoints"}, std::move(slice_endpoints));
  json::set(slice, {"ports"}, ports);
  co_await settle("discovery.k8s.io", "endpointslices", std::move(slice));
}

Task<void> Bootstrap::compact() {
  auto& scope = co_await async::current_scope();
  std::int64_t version = 0;
  etcd::Revision revision = 0;
  while (!scope.cancelled()) {
    if (!co_await async::sleep_for(backend_.world.clock, options_.compaction_interval)) co_return;
    // Whoever still finds the version it saw last may compact; the others learn the new one.
    etcd::TxnRequest txn;
    etcd::Compare compare;
    compare.target = etcd::CompareTarget::version;
    compare.key = Bytes(compact_key);
    compare.number = version;
    txn.compare.push_back(std::move(compare));
    etcd::PutRequest put;
    put.key = Bytes(compact_key);
    put.value = std::to_string(revision);
    txn.success.push_back({std::move(put)});
    etcd::RangeRequest range;
    range.key = Bytes(compact_key);
    txn.failure.push_back({std::move(range)});
    auto response = co_await backend_.etcd.txn(std::move(txn));
    if (!response) continue;
    const etcd::Revision now = response->header.revision;
    if (response->succeeded) {
      ++version;
      if (revision > 0) {
        etcd::CompactionRequest request;
        request.revision = revision;
        auto compacted = co_await backend_.etcd.compact(request);
        if (compacted) log_.debug("compacted", LogField("revision", revision));
      }
    } else if (!response->responses.empty()) {
      const auto* found = std::get_if<etcd::RangeResponse>(&response->responses.front().response);
      if (found && !found->kvs.empty()) version = found->kvs.front().version;
    }
    revision = now;
  }
}

}  // namespace tripod::apiserver
