#pragma once
// Who leads: Kubernetes' election on one shared record (client-go tools/leaderelection). Pure: the
// record as read, when this process first saw it in that state, and the time now go in; what to
// write comes out.
//
// Other boards' clocks are not trusted: a lease runs from the moment we saw its last change, by our
// monotonic clock.

#include <optional>
#include <string>

#include "platform/base/time.h"
#include "platform/json/json.h"

namespace tripod::election {

/// What all candidates share.
struct Record {
  std::string holder_identity;  // empty: released
  std::int64_t lease_duration_seconds = 0;
  std::optional<WallTime> acquire_time;
  std::optional<WallTime> renew_time;
  std::int64_t transitions = 0;

  friend bool operator==(const Record&, const Record&) = default;
};

/// A record and the moment this process first saw it so.
struct Observed {
  Record record;
  MonotonicTime at;
};

struct Candidate {
  std::string identity;
  std::chrono::seconds lease_duration{15};
};

enum class Step : std::uint8_t {
  create,   // there is no record: make `desired`
  acquire,  // free or run out: replace it by `desired`
  renew,    // ours: replace it by `desired`
  wait,     // somebody else's
};

struct Action {
  Step step = Step::wait;
  Record desired;
};

/// `current` is the record as just read, `observed` its first sighting (same record).
Action elect(const Candidate& candidate, const std::optional<Record>& current,
             const std::optional<Observed>& observed, MonotonicTime now, WallTime wall);

/// What the holder leaves behind on a clean stop, so that the next one need not wait.
Record released(const Record& held, WallTime wall);

/// Keeps `known` unless the record differs from it.
Observed observe(const std::optional<Observed>& known, const Record& record, MonotonicTime now);

/// Lease.spec to and from a record.
Record from_lease(const json::Value& lease);
void to_lease(const Record& record, json::Value& lease);
/// The annotation of the legacy Endpoints lock: control-plane.alpha.kubernetes.io/leader.
Record from_annotation(std::string_view text);
std::string to_annotation(const Record& record);

}  // namespace tripod::election
