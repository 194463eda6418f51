#pragma once
// The lease book: which leases exist, which keys hang on them, and, on the leader alone, when they
// run out. Pure: time arrives in calls; expiry leaves as ids to propose for revocation, so every
// member drops the same keys at the same log index.
//
// Not thread-safe; lives on the loop thread.

#include <map>
#include <set>
#include <vector>

#include "firmware/etcd/api/messages.h"
#include "platform/base/time.h"

namespace tripod::etcd {

struct Lease {
  LeaseId id = 0;
  std::int64_t ttl_seconds = 0;
  std::set<Bytes, std::less<>> keys;
  MonotonicTime expiry;             // meaningful while the book is primary
  MonotonicTime revoke_retry_from;  // a proposed revocation is not repeated before
};

class LeaseBook {
 public:
  static constexpr std::int64_t ttl_max_seconds = 9'000'000'000;
  static constexpr std::size_t expiries_per_call_max = 500;
  static constexpr std::chrono::seconds revoke_retry{3};

  const Lease* find(LeaseId id) const;
  std::size_t size() const { return leases_.size(); }
  /// All of them, by id.
  const std::map<LeaseId, Lease>& all() const { return leases_; }

  /// `id` must be free.
  void grant(LeaseId id, std::int64_t ttl_seconds, MonotonicTime now);
  void revoke(LeaseId id);
  void attach(LeaseId id, BytesView key);
  void detach(LeaseId id, BytesView key);

  /// This member became leader: every lease gets its whole time and `extension`, for keepalives may
  /// have been lost.
  void promote(MonotonicTime now, Duration extension);
  void demote();
  bool primary() const { return primary_; }

  /// Gives the lease its whole time again. Only while primary. False when it does not exist or has
  /// run out.
  bool renew(LeaseId id, MonotonicTime now);
  /// Time left, zero when run out; of an existing lease, while primary.
  Duration remaining(LeaseId id, MonotonicTime now) const;
  /// Appends leases that ran out by `now`, oldest first, and will not name them again for
  /// `revoke_retry`.
  void expire(MonotonicTime now, std::vector<LeaseId>& expired);
  /// What ran out by `now` lives on until `until`, unless expire() has named it: nobody could renew
  /// it in time.
  void spare(MonotonicTime now, MonotonicTime until);
  /// When expire() may next have something to say; nullopt without leases or while not primary.
  std::optional<MonotonicTime> next_expiry() const;

 private:
  void schedule(Lease& lease, MonotonicTime expiry);

  std::map<LeaseId, Lease> leases_;
  std::set<std::pair<MonotonicTime, LeaseId>>
      due_;  // by revoke_retry_from; empty while not primary
  bool primary_ = false;
};

}  // namespace tripod::etcd
