#pragma once
// The alarms of the cluster, and what they forbid: NOSPACE whatever makes the state larger, CORRUPT
// every change. Part of the state: raised and taken back by commands, so that every member refuses
// the same ones. Also what etcd reckons a request to need of the quota.
//
// Not thread-safe; lives on the loop thread.

#include <set>
#include <vector>

#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/mvcc/commands/command.h"
#include "firmware/etcd/mvcc/state_db/state_db.h"

namespace tripod::etcd {

/// Bytes a request may add to the state, as etcd reckons them; 0: it adds nothing.
std::size_t quota_cost(const CommandRequest& request);
std::size_t quota_cost(const PutRequest& request);
std::size_t quota_cost(const TxnRequest& request);

class AlarmBook {
 public:
  void restore(StateDb& db);

  /// What is on already stays as it is.
  void activate(const AlarmMember& alarm, StateDb& db);
  /// False: it was not on.
  bool deactivate(const AlarmMember& alarm, StateDb& db);

  bool active(AlarmType type) const;
  bool active(const AlarmMember& alarm) const {
    return alarms_.contains({alarm.alarm, alarm.member_id});
  }
  /// Of one type, or of all; by type and member.
  std::vector<AlarmMember> list(AlarmType type = AlarmType::none) const;

  /// Nullopt: the command may be applied.
  std::optional<Outcome> refuses(const CommandRequest& request) const;

 private:
  std::set<std::pair<AlarmType, MemberId>> alarms_;
};

}  // namespace tripod::etcd
