#include "firmware/election/elect.h"

#include "firmware/kube/object.h"

namespace tripod::election {

Action elect(const Candidate& candidate, const std::optional<Record>& current,
             const std::optional<Observed>& observed, MonotonicTime now, WallTime wall) {
  Record desired{.holder_identity = candidate.identity,
                 .lease_duration_seconds = candidate.lease_duration.count(),
                 .acquire_time = wall,
                 .renew_time = wall,
                 .transitions = 0};
  if (!current) return {Step::create, std::move(desired)};
  const bool ours = current->holder_identity == candidate.identity;
  if (ours) {
    desired.acquire_time = current->acquire_time;
    desired.transitions = current->transitions;
    return {Step::renew, std::move(desired)};
  }
  const bool valid =
      observed && observed->at + std::chrono::seconds(current->lease_duration_seconds) > now;
  if (!current->holder_identity.empty() && valid) return {Step::wait, {}};
  desired.transitions = current->transitions + 1;
  return {Step::acquire, std::move(desired)};
}

Record released(const Record& held, WallTime wall) {
  return {.holder_identity = {},
          .lease_duration_seconds = 1,
          .acquire_time = wall,
          .renew_time = wall,
          .transitions = held.transitions};
}

Observed observe(const std::optional<Observed>& known, const Record& record, MonotonicTime now) {
  if (known && known->record == record) return *known;
  return {record, now};
}

Record from_lease(const json::Value& lease) {
  return {
      .holder_identity = std::string(json::get_string(lease, "spec", "holderIdentity")),
      .lease_duration_seconds = json::get_int(lease, "spec", "leaseDurationSeconds").value_or(0),
      .acquire_time = kube::time_at(lease, {"spec", "acquireTime"}),
      .renew_time = kube::time_at(lease, {"spec", "renewTime"}),
      .transitions = json::get_int(lease, "spec", "leaseTransitions").value_or(0)};
}

void to_lease(const Record& record, json::Value& lease) {
  json::Object& spec = json::ensure_object(lease, {"spec"});
  spec["holderIdentity"] = record.holder_identity;
  spec["leaseDurationSeconds"] = record.lease_duration_seconds;
  if (record.acquire_time) spec["acquireTime"] = to_rfc3339_micro(*record.acquire_time);
  if (record.renew_time) spec["renewTime"] = to_rfc3339_micro(*record.renew_time);
  spec["leaseTransitions"] = record.transitions;
}

Record from_annotation(std::string_view text) {
  auto document = json::parse(text);
  if (!document) return {};
  return {.holder_identity = std::string(json::get_string(*document, "holderIdentity")),
          .lease_duration_seconds = json::get_int(*document, "leaseDurationSeconds").value_or(0),
          .acquire_time = kube::time_at(*document, {"acquireTime"}),
          .renew_time = kube::time_at(*document, {"renewTime"}),
          .transitions = json::get_int(*document, "leaderTransitions").value_or(0)};
}

std::string to_annotation(const Record& record) {
  json::Object document;
  document["holderIdentity"] = record.holder_identity;
  document["leaseDurationSeconds"] = record.lease_duration_seconds;
  if (record.acquire_time) document["acquireTime"] = to_rfc3339(*record.acquire_time);
  if (record.renew_time) document["renewTime"] = to_rfc3339(*record.renew_time);
  document["leaderTransitions"] = record.transitions;
  return json::serialize(document);
}

}  // namespace tripod::election
