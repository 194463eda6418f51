#include "firmware/etcd/mvcc/books/lease_book.h"

#include "platform/base/check.h"

namespace tripod::etcd {

const Lease* LeaseBook::find(LeaseId id) const {
  const auto found = leases_.find(id);
  return found == leases_.end() ? nullptr : &found->second;
}

void LeaseBook::schedule(Lease& lease, MonotonicTime expiry) {
  due_.erase({lease.revoke_retry_from, lease.id});
  lease.expiry = expiry;
  lease.revoke_retry_from = expiry;
  due_.emplace(expiry, lease.id);
}

void LeaseBook::grant(LeaseId id, std::int64_t ttl_seconds, MonotonicTime now) {
  auto [place, fresh] = leases_.try_emplace(id);
  CHECK(fresh && id != 0);
  place->second.id = id;
  place->second.ttl_seconds = ttl_seconds;
  if (primary_) schedule(place->second, now + std::chrono::seconds(ttl_seconds));
}

void LeaseBook::revoke(LeaseId id) {
  const auto found = leases_.find(id);
  CHECK(found != leases_.end());
  due_.erase({found->second.revoke_retry_from, id});
  leases_.erase(found);
}

void LeaseBook::attach(LeaseId id, BytesView key) {
  const auto found = leases_.find(id);
  CHECK(found != leases_.end());
  found->second.keys.emplace(key);
}

void LeaseBook::detach(LeaseId id, BytesView key) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return;  // being revoked
  const auto place = found->second.keys.find(key);
  if (place != found->second.keys.end()) found->second.keys.erase(place);
}

void LeaseBook::promote(MonotonicTime now, Duration extension) {
  primary_ = true;
  due_.clear();
  for (auto& [id, lease] : leases_) {
    schedule(lease, now + std::chrono::seconds(lease.ttl_seconds) + extension);
  }
}

void LeaseBook::demote() {
  primary_ = false;
  due_.clear();
}

bool LeaseBook::renew(LeaseId id, MonotonicTime now) {
  CHECK(primary_);
  const auto found = leases_.find(id);
  if (found == leases_.end() || found->second.expiry <= now) return false;
  schedule(found->second, now + std::chrono::seconds(found->second.ttl_seconds));
  return true;
}

Duration LeaseBook::remaining(LeaseId id, MonotonicTime now) const {
  const Lease* lease = find(id);
  CHECK(lease != nullptr && primary_);
  return std::max(Duration::zero(), lease->expiry - now);
}

void LeaseBook::expire(MonotonicTime now, std::vector<LeaseId>& expired) {
  std::size_t named = 0;
  while (!due_.empty() && due_.begin()->first <= now && named < expiries_per_call_max) {
    const LeaseId id = due_.begin()->second;
    due_.erase(due_.begin());
    Lease& lease = leases_.at(id);
    lease.revoke_retry_from = now + revoke_retry;
    due_.emplace(lease.revoke_retry_from, id);
    expired.push_back(id);
    ++named;
  }
}

void LeaseBook::spare(MonotonicTime now, MonotonicTime until) {
  std::vector<LeaseId> spared;
  for (const auto& [when, id] : due_) {
    if (when > now) break;
    if (leases_.at(id).expiry == when) spared.push_back(id);
  }
  for (const LeaseId id : spared) schedule(leases_.at(id), until);
}

std::optional<MonotonicTime> LeaseBook::next_expiry() const {
  return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
}

}  // namespace tripod::etcd
