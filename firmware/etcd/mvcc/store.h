#pragma once
// The state machine behind Raft: applies commands to the key space, the leases, the users and the
// list of members, in log order, and hands their events to the watches. Deterministic
// (key_space.h).
//
// Lives on the loop thread.

#include <map>
#include <memory>

#include "firmware/etcd/auth/auth_book.h"
#include "firmware/etcd/mvcc/alarm_book.h"
#include "firmware/etcd/mvcc/applied_once.h"
#include "firmware/etcd/mvcc/command.h"
#include "firmware/etcd/mvcc/watch_hub.h"

namespace tripod::etcd {

using CommandResponse = std::variant<PutResponse, DeleteRangeResponse, TxnResponse,
                                     CompactionResponse, LeaseGrantResponse, LeaseRevokeResponse,
                                     AuthenticateResponse, AlarmResponse, std::monostate>;
using CommandReply = grpc::Reply<CommandResponse>;

class Store {
 public:
  /// Opens state.db at `path`. `later` as of WatchHub. `lease_ttl_min_seconds` is what the election
  /// timeout allows.
  static Result<std::unique_ptr<Store>> open(const std::string& path, const std::string& vfs,
                                             std::int64_t lease_ttl_min_seconds,
                                             std::function<void()> later);

  /// Applies one Raft entry of `term`; `done` hears of each command in it that was not applied
  /// before. Ends the process on an entry that it cannot read.
  void apply(std::uint64_t index, std::uint64_t term, BytesView data, MonotonicTime now,
             const std::function<void(CommandId, CommandReply)>& done);
  /// Of the last entry applied; durable only as far as a checkpoint took it.
  std::uint64_t applied_index() const { return applied_index_; }
  /// Commits state.db with the applied index in it.
  void commit();

  KeySpace& space() { return *space_; }
  const KeySpace& space() const { return *space_; }
  LeaseBook& leases() { return leases_; }
  const LeaseBook& leases() const { return leases_; }
  WatchHub& watches() { return *watches_; }
  AuthBook& auth() { return auth_; }
  const AuthBook& auth() const { return auth_; }
  const AlarmBook& alarms() const { return alarms_; }
  /// Whether a command applied since the last call made the state larger.
  bool take_growth() { return std::exchange(grew_, false); }
  StateDb& db() { return db_; }
  /// What members told about themselves.
  const std::map<MemberId, MemberAttributes>& members() const { return members_; }

 private:
  explicit Store(StateDb db) : db_(std::move(db)) {}
  CommandReply run(CommandRequest request, std::uint64_t term, MonotonicTime now, Events& events);
  CommandReply change_auth(AuthCommand command, MonotonicTime now);
  CommandReply grant(const LeaseGrantRequest& request, MonotonicTime now);
  CommandReply revoke(LeaseId id, Events& events);
  CommandReply change_alarms(const AlarmRequest& request);
  void remember(const MemberAttributes& attributes);

  StateDb db_;
  LeaseBook leases_;
  AuthBook auth_;
  std::unique_ptr<KeySpace> space_;
  std::unique_ptr<WatchHub> watches_;
  std::map<MemberId, MemberAttributes> members_;
  AlarmBook alarms_;
  AppliedOnce once_;
  std::uint64_t applied_index_ = 0;
  std::int64_t lease_ttl_min_seconds_ = 1;
  bool grew_ = false;
};

}  // namespace tripod::etcd
