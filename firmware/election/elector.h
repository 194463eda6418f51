#pragma once
// Runs one elected component: waits for the lease, runs the work while it is held, stops the work
// before the lease can be anyone else's, releases it on a clean stop.
//
//   Elector elector(client, world, config, log);
//   // Until the scope is cancelled; then releases and returns.
//   scope.spawn(elector.run(controllers));
//
// A standby tries every retry_period, as client-go does, and beyond that watches the record, so
// that it takes a released lease at once and knows to the moment when a silent holder's runs out.
//
// Work is stopped renew_deadline after the last renewal began, lease_duration - renew_deadline
// before anyone else may lead. Whoever writes asks may_write() in the same turn, so that a process
// that slept through its lease writes nothing. Loop thread only.

#include <memory>

#include "firmware/election/elect.h"
#include "firmware/kube/client/client.h"
#include "firmware/kube/client/event_recorder.h"
#include "platform/async/sync.h"
#include "platform/base/log.h"
#include "platform/os/clock.h"

namespace tripod::election {

/// The work of a leader.
class Elected {
 public:
  virtual ~Elected() = default;
  /// Runs until its scope is cancelled; started anew each time the lease is won. Ends soon after
  /// being cancelled.
  virtual Task<void> lead() = 0;
};

enum class Lock : std::uint8_t { leases, endpoints };

struct Config {
  bool leader_elect = true;  // false: lead at once, alone
  std::chrono::milliseconds lease_duration{15'000};
  std::chrono::milliseconds renew_deadline{10'000};
  std::chrono::milliseconds retry_period{2'000};
  Lock resource_lock = Lock::leases;
  std::string resource_namespace = "kube-system";
  std::string resource_name;  // "kube-controller-manager"
  std::string identity;       // make_identity()

  /// How long a holder leaves its lease alone. client-go renews every retry_period; each renewal is
  /// a durable write on every board, so while all goes well half of the deadline has to do. After a
  /// failure it is retry_period again.
  std::chrono::milliseconds renew_period() const {
    return std::max(retry_period, renew_deadline / 2);
  }
  /// As client-go checks it: lease_duration > renew_deadline > 1.2 * retry_period.
  Result<> validate() const;
};

/// "node-1_550e8400-e29b-41d4-a716-446655440000".
std::string make_identity(std::string_view host, os::Entropy& entropy);

class Elector {
 public:
  /// `client` is this elector's own: its writes must not queue behind the work's. Borrowed like
  /// everything else.
  Elector(kube::Client& client, os::Entropy& entropy, Logger logger, Config config);

  /// `events` may be null. Until the caller's scope is cancelled.
  Task<void> run(Elected& work, kube::EventRecorder* events);

  bool leading() const { return leading_; }
  /// True while this process may act as the leader, by its own clock.
  bool may_write() const;
  /// Who holds the lease, as last seen.
  std::string leader() const {
    return observed_ ? observed_->record.holder_identity : std::string();
  }
  /// Fails when the lease should have been renewed long ago and the work has not stopped: for
  /// /healthz.
  Result<> healthy() const;

 private:
  Task<bool> acquire();
  Task<bool> stand_by();
  Task<void> watch_for_release();
  Task<void> follow_record();
  Duration until_next_try();
  Task<void> hold(Elected& work);
  Task<void> keep_renewing();
  Task<Result<bool>> attempt();
  Task<Result<bool>> write(Action action);
  Task<void> release();
  Task<void> release_now();
  void remember(json::Value object, MonotonicTime now);
  json::Value blank() const;
  kube::Resource resource() const;
  Record record_of(const json::Value& object) const;
  void set_record(json::Value& object, const Record& record) const;
  void tell(std::string_view what);

  kube::Client& client_;
  os::Clock& clock_;
  os::Entropy& entropy_;
  Logger logger_;
  Config config_;
  Candidate candidate_;
  kube::EventRecorder* events_ = nullptr;
  std::optional<json::Value> object_;  // as last read or written
  std::optional<Observed> observed_;
  async::Signal released_;  // seen by watch_for_release()
  bool leading_ = false;
  MonotonicTime renewed_at_{};  // when the last successful attempt began
};

}  // namespace tripod::election
