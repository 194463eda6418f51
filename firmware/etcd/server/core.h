#pragma once
// The inside of a Member: its parts, and the paths between them. See member.h for what it promises.

#include "firmware/etcd/member.h"
#include "firmware/etcd/mvcc/store.h"
#include "firmware/etcd/peer/transport.h"
#include "firmware/etcd/server/housekeeper.h"
#include "firmware/etcd/server/membership/bootstrap.h"
#include "firmware/etcd/server/membership/member_changes.h"
#include "firmware/etcd/server/passwords.h"
#include "firmware/etcd/server/proposals.h"
#include "firmware/etcd/server/reads.h"
#include "firmware/etcd/server/replica.h"
#include "firmware/etcd/server/snapshot_transfer.h"
#include "firmware/etcd/server/snapshots.h"
#include "firmware/etcd/server/upkeep/corruption.h"

namespace tripod::etcd {

/// What etcd gives a request before it says "request timed out".
inline Duration request_patience(const Options& options) {
  return std::chrono::seconds(5) + 2 * options.election_timeout;
}

/// etcd's minimum: one and a half election timeouts, in whole seconds.
inline std::int64_t lease_ttl_min_seconds(const Options& options) {
  return (3 * options.election_timeout.count() / 2 + 999) / 1000;
}

/// The first byte of a request between members that any of them answers: its hash.
inline constexpr char kind_hash = 16;
/// What another member answered (leases.cpp has the form).
grpc::Reply<Bytes> unpack_answer(BytesView bytes);

struct Member::Implementation final : ReplicaHost, peer::Receiver, SnapshotHost {
  Implementation(const os::World& world_in, Options options_in, Origin origin_in,
                 metrics::Registry& metrics_in);
  ~Implementation() override;

  // start.cpp
  Result<> open(PeerTls tls);
  /// What the files of a new member, or of one whose quorum is lost, begin with.
  Result<> begin_list(const raft::Recovered& recovered);
  Result<> begin_log(raft::LogStore& log_store);
  Result<> force_new_cluster(raft::LogStore& log_store);
  void make_parts(PeerTls tls);
  Result<> listen();
  /// Lets go of what a failed start had opened.
  void abandon();
  void register_metrics();

  // ReplicaHost
  void before_turn() override;
  void apply(const raft::Entry& entry) override;
  void after_apply() override;
  void on_read(std::uint64_t token, raft::LogIndex index) override;
  void on_refused(std::uint64_t token, raft::Refused reason) override;
  void on_leadership(const raft::Leadership& leadership) override;
  void on_snapshot_wanted(raft::NodeId to) override;
  void on_snapshot_message(const raft::Message& message) override;

  // peer::Receiver
  void on_message(MemberId from, BytesView message) override;
  void on_unreachable(MemberId peer) override;
  Task<Bytes> on_request(MemberId from, Bytes request) override;
  Bytes describe_cluster() override;
  bool was_removed(MemberId member) override;
  void on_removed(MemberId by) override;

  // SnapshotHost, install.cpp
  void send(raft::NodeId to, raft::MessageBody body) override;
  bool leads() const override;
  void report(raft::NodeId to, bool delivered) override;
  Task<bool> install(raft::SnapshotMeta meta, std::string path) override;
  Result<> replace_state(const std::string& path);

  // members.cpp
  void apply_change(const raft::Entry& entry);
  void follow_members();
  /// This member is not of the cluster any more; `who` says so.
  void say_removed(std::string_view who);
  /// Voters, this one among them, that were connected for so long.
  std::size_t voters_connected(Duration since) const;
  /// As strict-reconfig-check has it.
  std::optional<Outcome> strictly_refused(const MemberChange& change) const;
  Task<grpc::Reply<void>> change_members(MemberChange change);
  static Task<Result<MemberChanges::Answer>> wait_for_change(
      async::Oneshot<MemberChanges::Answer> answer);
  Task<grpc::Reply<Bytes>> promote_as_leader(MemberPromoteRequest request);

  /// Proposes and unwraps, or says why not.
  template <typename Response>
  Task<grpc::Reply<Response>> write(CommandRequest request, Credentials who);
  Outcome why_timeout(MonotonicTime started) const;
  MemberId leader() const { return replica->raft().leader().value; }
  void promote_leases_if_leading();

  // auth.cpp
  /// Who that is; waits until this member knows of the token.
  Task<grpc::Reply<OnBehalfOf>> identify(Credentials who);

  // maintenance.cpp
  /// Fails when the request needs more than the quota or the disk has, and has the alarm raised.
  grpc::Reply<void> has_room_for(const CommandRequest& request);
  void raise_alarm(AlarmMember alarm);
  Task<void> propose_alarm(AlarmMember alarm);
  bool over_quota(std::size_t cost);
  /// Entries were applied: what was on its way when the quota was passed raises the alarm too.
  void watch_quota();

  // upkeep/service.cpp
  Task<grpc::Reply<KeySpaceHash>> hash_in_slices(Revision revision);
  /// `version` is the target, as "3.5.0".
  Task<grpc::Reply<void>> check_downgrade(DowngradeAction action, std::string version);
  Task<void> compact_automatically();

  // upkeep/scheduled_snapshots.cpp
  Task<Result<std::string>> take_snapshot();
  Task<void> take_snapshots();

  // upkeep/checks.cpp: whether members hold the same data
  Task<grpc::Reply<Bytes>> answer_hash(Bytes request);
  Task<void> ask_hash(MemberId peer, Revision revision, std::vector<PeerHash>* answers);
  Task<std::vector<PeerHash>> ask_hashes(Revision revision);
  Task<grpc::Reply<void>> check_for_corruption();
  Task<void> check_periodically();

  // leases.cpp: what only the leader can answer
  static Bytes promotion_question(const MemberPromoteRequest& request);
  Task<grpc::Reply<Bytes>> ask_leader(Bytes request);
  Task<grpc::Reply<Bytes>> answer_as_leader(Bytes request);
  Task<grpc::Reply<Bytes>> renew(LeaseKeepAliveRequest request);
  Task<grpc::Reply<Bytes>> time_to_live(LeaseTimeToLiveRequest request);
  void expire_leases();
  Task<void> revoke_expired(LeaseId id);
  Task<void> publish_attributes();

  os::World world;
  Options options;
  Origin plan;
  metrics::Registry& metrics;
  Logger log;
  raft::Limits raft_limits;

  std::unique_ptr<Store> store;
  std::unique_ptr<Replica> replica;
  std::unique_ptr<Housekeeper> housekeeper;
  std::unique_ptr<peer::Transport> transport;
  std::unique_ptr<Proposals> proposals;
  std::unique_ptr<Reads> reads;
  Passwords passwords;
  std::unique_ptr<Snapshots> snapshots;
  std::unique_ptr<SnapshotSender> snapshot_sender;
  std::unique_ptr<SnapshotReceiver> snapshot_receiver;
  std::unique_ptr<MemberChanges> changes;
  Scope scope;

  raft::Leadership leadership;
  std::optional<MonotonicTime> leader_lost_at;
  MonotonicTime leader_elected_at;
  raft::Term applied_term;
  std::unique_ptr<os::Operation> lease_timer;
  std::optional<MonotonicTime> last_lease_round;
  bool leases_spared = false;  // in the last round
  std::map<std::uint64_t, std::function<void()>> leadership_observers;
  std::map<std::uint64_t, std::function<void()>> removal_observers;
  std::uint64_t next_observer = 1;
  std::shared_ptr<Implementation*> self =
      std::make_shared<Implementation*>(this);  // for observers' handles
  std::set<std::pair<AlarmType, MemberId>> alarms_on_their_way;
  std::uint64_t installed_snapshots = 0;
  bool members_changed = false;  // in this turn
  bool removed = false;          // from the cluster, for ever
  bool stopping = false;
  bool stopped = false;
};

template <typename Response>
Task<grpc::Reply<Response>> Member::Implementation::write(CommandRequest request, Credentials who) {
  if (stopping) co_return reject(outcome::stopped);
  if (auto room = has_room_for(request); !room) co_return std::unexpected(std::move(room.error()));
  OnBehalfOf caller;
  if (!who.is_board()) {
    caller.emplace();
    if (store->auth().enabled()) {
      auto identified = co_await identify(std::move(who));
      if (!identified) co_return std::unexpected(std::move(identified.error()));
      caller = std::move(*identified);
    }
  }
  auto reply = co_await proposals->propose(std::move(request), std::move(caller));
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  co_return std::get<Response>(std::move(*reply));
}

}  // namespace tripod::etcd
