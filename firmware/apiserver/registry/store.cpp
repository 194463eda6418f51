#include "firmware/apiserver/registry/store.h"

#include <algorithm>
#include <format>

#include "firmware/apiserver/registry/etcd_errors.h"
#include "firmware/kube/object.h"

namespace tripod::apiserver {

namespace {

/// What is stored: the storage version, without what only answers carry.
Bytes encode_stored(const Resource& resource, json::Value object) {
  if (resource.to_storage) resource.to_storage(object);
  json::erase(object, {"metadata", "resourceVersion"});
  json::erase(object, {"metadata", "selfLink"});
  return json::serialize(object);
}

void stamp(json::Value& object, etcd::Revision revision) {
  json::set(object, {"metadata", "resourceVersion"}, json::Value(std::to_string(revision)));
}

kube::Outcome<Stored> decode_stored(const Resource& resource, BytesView value,
                                    etcd::Revision revision) {
  auto object = json::parse(value);
  if (!object) return std::unexpected(kube::errors::internal_error(object.error().message));
  if (resource.from_storage) resource.from_storage(*object);
  stamp(*object, revision);
  return Stored{std::move(*object), revision};
}

etcd::Compare at_mod_revision(Bytes key, etcd::Revision revision) {
  etcd::Compare compare;
  compare.result = etcd::CompareResult::equal;
  compare.target = etcd::CompareTarget::mod;
  compare.key = std::move(key);
  compare.number = revision;
  return compare;
}

etcd::RequestOp range_op(Bytes key) {
  etcd::RangeRequest range;
  range.key = std::move(key);
  return {std::move(range)};
}

etcd::RequestOp put_op(Bytes key, Bytes value, etcd::LeaseId lease) {
  etcd::PutRequest put;
  put.key = std::move(key);
  put.value = std::move(value);
  put.lease = lease;
  return {std::move(put)};
}

etcd::RequestOp delete_op(Bytes key) {
  etcd::DeleteRangeRequest request;
  request.key = std::move(key);
  return {std::move(request)};
}

/// The object's key at `expected`, the claimed keys unclaimed; on failure both are read.
etcd::TxnRequest guarded(const Bytes& key, etcd::Revision expected, const Claims& claims) {
  etcd::TxnRequest txn;
  txn.compare.push_back(at_mod_revision(key, expected));
  txn.failure.push_back(range_op(key));
  for (const Claims::Claim& claim : claims.claims) {
    txn.compare.push_back(at_mod_revision(claim.key, 0));
    txn.success.push_back(put_op(claim.key, claim.value, 0));
    txn.failure.push_back(range_op(claim.key));
  }
  for (const Bytes& release : claims.releases) txn.success.push_back(delete_op(release));
  return txn;
}

const etcd::RangeResponse* range_of(const etcd::TxnResponse& response, std::size_t index) {
  if (index >= response.responses.size()) return nullptr;
  return std::get_if<etcd::RangeResponse>(&response.responses[index].response);
}

/// Remembers which claimed keys the failed transaction found taken. True if there were any.
bool note_taken(const etcd::TxnResponse& response, Claims& claims) {
  const std::size_t before = claims.known_taken.size();
  for (std::size_t i = 0; i < claims.claims.size(); ++i) {
    const auto* range = range_of(response, i + 1);
    if (range && !range->kvs.empty()) claims.known_taken.insert(claims.claims[i].key);
  }
  claims.claims.clear();
  claims.releases.clear();
  return claims.known_taken.size() > before;
}

}  // namespace

Task<kube::Outcome<Stored>> Store::read(const Resource* resource, std::string name_space,
                                        std::string name) {
  etcd::RangeRequest request;
  request.key = resource->key(name_space, name);
  auto response = co_await etcd_.range(std::move(request));
  if (!response)
    co_return std::unexpected(from_etcd(response.error(), resource->group_resource(), "get"));
  if (response->kvs.empty())
    co_return std::unexpected(kube::errors::not_found(resource->group_resource(), name));
  const etcd::KeyValue& kv = response->kvs.front();
  co_return decode_stored(*resource, kv.value, kv.mod_revision);
}

Task<kube::Outcome<etcd::LeaseId>> Store::lease_for(const Resource* resource) {
  if (!resource->expires) co_return etcd::LeaseId{0};
  if (lease_ != 0 && world_.clock.now() < lease_until_ &&
      lease_keys_ < limits_.keys_per_lease_max) {
    ++lease_keys_;
    co_return lease_;
  }
  // As upstream: one lease serves many events for a minute, or a twentieth of the time to live.
  const auto reuse =
      std::min<std::chrono::seconds>(std::chrono::seconds(60), limits_.event_ttl / 20);
  etcd::LeaseGrantRequest request;
  request.ttl = (limits_.event_ttl + reuse).count();
  auto granted = co_await etcd_.lease_grant(request);
  if (!granted)
    co_return std::unexpected(from_etcd(granted.error(), resource->group_resource(), "create"));
  lease_ = granted->id;
  lease_until_ = world_.clock.now() + reuse;
  lease_keys_ = 1;
  co_return lease_;
}

Task<kube::Outcome<Stored>> Store::create(const Resource* resource, json::Value object,
                                          bool dry_run) {
  const std::string name(kube::name_of(object));
  const Bytes key = resource->key(kube::namespace_of(object), name);
  if (dry_run) {
    auto existing = co_await read(resource, std::string(kube::namespace_of(object)), name);
    if (existing)
      co_return std::unexpected(kube::errors::already_exists(resource->group_resource(), name));
    if (existing.error().code != 404) co_return existing;
    Claims claims;
    if (resource->allocates) {
      if (auto done = cluster_.allocate(object, nullptr, claims); !done)
        co_return std::unexpected(done.error());
    }
    co_return Stored{std::move(object), 0};
  }
  auto lease = co_await lease_for(resource);
  if (!lease) co_return std::unexpected(lease.error());
  Claims claims;
  // Every taken key is found once, so those attempts end by themselves.
  for (int attempt = 0; attempt < limits_.attempts_max;) {
    json::Value desired = object;
    if (resource->allocates) {
      if (auto done = cluster_.allocate(desired, nullptr, claims); !done)
        co_return std::unexpected(done.error());
    }
    etcd::TxnRequest txn = guarded(key, 0, claims);
    txn.success.push_back(put_op(key, encode_stored(*resource, desired), *lease));
    auto response = co_await etcd_.txn(std::move(txn));
    if (!response)
      co_return std::unexpected(from_etcd(response.error(), resource->group_resource(), "create"));
    if (response->succeeded) {
      stamp(desired, response->header.revision);
      co_return Stored{std::move(desired), response->header.revision};
    }
    const auto* found = range_of(*response, 0);
    if (!found || !found->kvs.empty()) {
      co_return std::unexpected(kube::errors::already_exists(resource->group_resource(), name));
    }
    if (!note_taken(*response, claims)) ++attempt;
  }
  co_return std::unexpected(kube::errors::server_timeout(resource->group_resource(), "create", 1));
}

Task<kube::Outcome<Store::Current>> Store::current(const Resource* resource, std::string name_space,
                                                   std::string name, bool fresh) {
  if (!fresh) {
    Cache* cache = find_cache_(*resource);
    if (ObjectRef known = cache ? cache->find(name_space, name) : nullptr) {
      auto object = json::parse(known->json);
      CHECK(object.has_value());
      if (resource->from_storage) resource->from_storage(*object);
      co_return Current{Stored{std::move(*object), known->revision}, false};
    }
  }
  auto stored = co_await read(resource, std::move(name_space), std::move(name));
  if (!stored) co_return std::unexpected(stored.error());
  co_return Current{std::move(*stored), true};
}

Task<kube::Outcome<std::optional<Changed>>> Store::try_change(const Resource* resource, Bytes key,
                                                              Current* current, Decision decision,
                                                              Claims* claims) {
  const bool removes = decision.action == Decision::Action::remove;
  if (resource->allocates) {
    json::Value none = nullptr;
    auto done =
        cluster_.allocate(removes ? none : decision.object, &current->stored.object, *claims);
    if (!done) co_return std::unexpected(done.error());
  }
  etcd::TxnRequest txn = guarded(key, current->stored.revision, *claims);
  if (removes) {
    txn.success.push_back(delete_op(key));
  } else {
    auto lease = co_await lease_for(resource);
    if (!lease) co_return std::unexpected(lease.error());
    txn.success.push_back(put_op(key, encode_stored(*resource, decision.object), *lease));
  }
  auto response = co_await etcd_.txn(std::move(txn));
  if (!response) {
    co_return std::unexpected(
        from_etcd(response.error(), resource->group_resource(), removes ? "delete" : "update"));
  }
  if (response->succeeded) {
    const etcd::Revision revision = response->header.revision;
    stamp(decision.object, revision);
    co_return Changed{std::move(decision.object), revision, decision.action};
  }
  const auto* found = range_of(*response, 0);
  if (!found || found->kvs.empty()) {
    co_return std::unexpected(
        kube::errors::not_found(resource->group_resource(), kube::name_of(current->stored.object)));
  }
  const etcd::KeyValue& kv = found->kvs.front();
  auto newer = decode_stored(*resource, kv.value, kv.mod_revision);
  if (!newer) co_return std::unexpected(newer.error());
  *current = Current{std::move(*newer), true};
  note_taken(*response, *claims);
  co_return std::optional<Changed>{};
}

Task<kube::Outcome<Changed>> Store::change(const Resource* resource, std::string name_space,
                                           std::string name, Decide decide, bool dry_run) {
  const Bytes key = resource->key(name_space, name);
  auto at = co_await current(resource, name_space, name, false);
  if (!at) co_return std::unexpected(at.error());
  Claims claims;
  for (int attempt = 0; attempt < limits_.attempts_max; ++attempt) {
    auto decision = decide(at->stored.object);
    const bool keeps = decision && decision->action == Decision::Action::keep;
    if (!at->fresh && (!decision || keeps || dry_run)) {
      // Decided from a cache that may lag behind: only what etcd holds may refuse, or make a write
      // needless.
      at = co_await current(resource, name_space, name, true);
      if (!at) co_return std::unexpected(at.error());
      continue;
    }
    if (!decision) co_return std::unexpected(decision.error());
    if (keeps) {
      json::Value& answer = decision->object.is_object() ? decision->object : at->stored.object;
      co_return Changed{std::move(answer), at->stored.revision, decision->action};
    }
    if (dry_run)
      co_return Changed{std::move(decision->object), at->stored.revision, decision->action};
    auto done = co_await try_change(resource, key, &*at, std::move(*decision), &claims);
    if (!done) co_return std::unexpected(done.error());
    if (*done) co_return std::move(**done);
  }
  co_return std::unexpected(kube::errors::conflict(resource->group_resource(), name));
}

}  // namespace tripod::apiserver
