// The Maintenance service: alarms, the quota that raises one of them, and what a member tells about
// itself.
#include <format>

#include "firmware/etcd/server/core.h"
#include "firmware/etcd/version.h"

namespace tripod::etcd {
namespace {

constexpr std::int64_t default_quota_bytes = std::int64_t{2} * 1024 * 1024 * 1024;

std::int64_t quota_bytes(const Options& options) {
  return options.quota_backend_bytes == 0 ? default_quota_bytes : options.quota_backend_bytes;
}

std::string_view name_of(AlarmType type) {
  switch (type) {
    case AlarmType::none: return "NONE";
    case AlarmType::no_space: return "NOSPACE";
    case AlarmType::corrupt: return "CORRUPT";
  }
  return "UNKNOWN";
}

}  // namespace

// --- the quota ---

bool Member::Implementation::over_quota(std::size_t cost) {
  const std::int64_t quota = quota_bytes(options);
  return quota >= 0 && store->db().size_bytes() + static_cast<std::int64_t>(cost) >= quota;
}

grpc::Reply<void> Member::Implementation::has_room_for(const CommandRequest& request) {
  const bool allowed = std::holds_alternative<DeleteRangeRequest>(request) ||
                       std::holds_alternative<CompactionRequest>(request) ||
                       std::holds_alternative<LeaseRevokeRequest>(request) ||
                       std::holds_alternative<LeaseExpiry>(request) ||
                       std::holds_alternative<AuthCommand>(request) ||
                       std::holds_alternative<AlarmRequest>(request) ||
                       std::holds_alternative<DowngradeRequest>(request);
  if (housekeeper->no_space() && !allowed) return reject(outcome::no_space);
  const std::size_t cost = quota_cost(request);
  if (cost == 0 || !over_quota(cost)) return {};
  raise_alarm({plan.self, AlarmType::no_space});
  return reject(outcome::no_space);
}

void Member::Implementation::watch_quota() {
  if (store->take_growth() && over_quota(0)) raise_alarm({plan.self, AlarmType::no_space});
}

void Member::Implementation::raise_alarm(AlarmMember alarm) {
  if (stopping || store->alarms().active(alarm)) return;
  if (!alarms_on_their_way.emplace(alarm.alarm, alarm.member_id).second) return;
  log.error("raising an alarm", LogField("alarm", name_of(alarm.alarm)),
            LogField("member", std::format("{:x}", alarm.member_id)),
            LogField("size-bytes", store->db().size_bytes()));
  scope.spawn(propose_alarm(alarm));
}

Task<void> Member::Implementation::propose_alarm(AlarmMember alarm) {
  co_await proposals->propose(AlarmRequest{
      .action = AlarmAction::activate, .member_id = alarm.member_id, .alarm = alarm.alarm});
  alarms_on_their_way.erase({alarm.alarm, alarm.member_id});
}

// --- the service ---

std::vector<AlarmMember> Member::alarms(AlarmType type) const {
  std::vector<AlarmMember> alarms = implementation_->store->alarms().list(type);
  const AlarmMember own{id(), AlarmType::no_space};
  if (no_space() && type != AlarmType::corrupt && !implementation_->store->alarms().active(own)) {
    alarms.push_back(own);
  }
  return alarms;
}

Task<grpc::Reply<AlarmResponse>> Member::alarm(AlarmRequest request) {
  if (request.action != AlarmAction::get) {
    auto reply =
        co_await implementation_->write<AlarmResponse>(std::move(request), Credentials::board());
    if (reply) fill(reply->header);
    co_return reply;
  }
  auto confirmed = co_await implementation_->reads->confirm();
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  AlarmResponse response{.alarms = alarms(request.alarm)};
  fill(response.header);
  co_return response;
}

grpc::Reply<StatusResponse> Member::status() const {
  if (implementation_->stopped) return reject(outcome::stopped);
  Store& store = *implementation_->store;
  const raft::Status raft = implementation_->replica->raft().status();
  StatusResponse response;
  response.version = server_version;
  response.storage_version = storage_version;
  response.db_size = store.db().size_bytes();
  response.db_size_in_use = response.db_size - store.db().free_bytes();
  response.db_size_quota = quota_bytes(options());
  response.leader = raft.leader.value;
  response.is_learner = is_learner();
  response.raft_index = raft.committed.value;
  response.raft_term = raft.term.value;
  response.raft_applied_index = raft.applied.value;
  response.downgrade_info = store.downgrade();
  if (!raft.leader) response.errors.emplace_back(outcome::no_leader.text);
  for (const AlarmMember& alarm : alarms()) {
    // As protobuf's text form has it.
    std::string text;
    if (alarm.member_id != 0) text += std::format("memberID:{} ", alarm.member_id);
    response.errors.push_back(text + std::format("alarm:{} ", name_of(alarm.alarm)));
  }
  fill(response.header);
  return response;
}

}  // namespace tripod::etcd
