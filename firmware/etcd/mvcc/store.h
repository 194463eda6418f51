#pragma once
// The state machine behind Raft: applies commands to the key space, the leases, the users and the
// list of members, in log order, and hands their events to the watches. Deterministic
// (key_space/key_space.h).
//
// Lives on the loop thread.

#include <memory>

#include "firmware/etcd/auth/auth_book.h"
#include "firmware/etcd/mvcc/books/alarm_book.h"
#include "firmware/etcd/mvcc/books/applied_once.h"
#include "firmware/etcd/mvcc/books/member_book.h"
#include "firmware/etcd/mvcc/watch_hub.h"

namespace tripod::etcd {

using CommandResponse =
    std::variant<PutResponse, DeleteRangeResponse, TxnResponse, CompactionResponse,
                 LeaseGrantResponse, LeaseRevokeResponse, AuthenticateResponse, AlarmResponse,
                 DowngradeResponse, std::monostate>;
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
  /// Applies a configuration entry of `term`, whose context `change` is.
  void apply(std::uint64_t index, std::uint64_t term, const MemberChange& change);
  /// Of the last entry applied; durable only as far as a checkpoint took it.
  std::uint64_t applied_index() const { return applied_index_; }
  std::uint64_t applied_term() const { return applied_term_; }
  /// Lets go of state.db, without a last commit, and takes another one in its place: watches go on
  /// where they were, or end when that was compacted there. Between the two nothing else is called.
  void close();
  Result<> reopen(const std::string& path, const std::string& vfs);
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
  /// The downgrade that was asked for and not taken back. It changes nothing about this member.
  const DowngradeInfo& downgrade() const { return downgrade_; }
  /// Whether a command applied since the last call made the state larger.
  bool take_growth() { return std::exchange(grew_, false); }
  StateDb& db() { return db_; }
  MemberBook& members() { return members_; }
  const MemberBook& members() const { return members_; }

 private:
  explicit Store(StateDb db) : db_(std::move(db)) {}
  void restore();
  void advance(std::uint64_t index, std::uint64_t term);
  CommandReply run(CommandRequest request, std::uint64_t term, MonotonicTime now, Events& events);
  CommandReply change_auth(AuthCommand command, MonotonicTime now);
  CommandReply grant(const LeaseGrantRequest& request, MonotonicTime now);
  CommandReply revoke(LeaseId id, Events& events);
  CommandReply change_alarms(const AlarmRequest& request);
  CommandReply change_downgrade(const DowngradeRequest& request);

  StateDb db_;
  LeaseBook leases_;
  AuthBook auth_;
  std::unique_ptr<KeySpace> space_;
  std::unique_ptr<WatchHub> watches_;
  MemberBook members_;
  AlarmBook alarms_;
  DowngradeInfo downgrade_;
  AppliedOnce once_;
  std::uint64_t applied_index_ = 0;
  std::uint64_t applied_term_ = 0;
  std::int64_t lease_ttl_min_seconds_ = 1;
  bool grew_ = false;
};

}  // namespace tripod::etcd
