#pragma once
// One etcd member: Raft, its log, the key space, leases, watches and the connections to the other
// members, tied together. Every call that changes something is durable on a majority before it
// returns; every read is linearizable unless it says serializable. Answers and errors are etcd's.
//
//   auto member = etcd::Member::start(world, options, peer_tls, registry);
//   if (!member) ...                      // one clear message: wrong directory, port in use, ...
//   LocalClient client(**member);         // local_client.h, for the API server
//   rpc::ClientPort port(**member, ...);  // rpc/client_port.h, the handler of listen-client-urls
//   co_await (*member)->stop();           // hands leadership over; before it dies
//
//
// Lives on the loop thread. Calls that wait belong to the scope of the awaiting coroutine.

#include <memory>
#include <optional>
#include <span>

#include "firmware/etcd/api/auth_messages.h"
#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/auth/caller.h"
#include "firmware/etcd/options.h"
#include "platform/async/task.h"
#include "platform/base/metrics.h"
#include "platform/os/board.h"

namespace tripod::etcd {

class KeySpace;
class LeaseBook;
class WatchHub;
struct KeySpaceHash;
class SnapshotStream;
struct ClusterDescription;

class Member {
 public:
  /// Opens or founds the data directory, listens for peers, and starts. Blocks while it reads its
  /// files. Everything given outlives the member.
  /// `existing`: what find_cluster() found (join.h).
  static Result<std::unique_ptr<Member>> start(
      const os::World& world, Options options, PeerTls tls, metrics::Registry& metrics,
      std::shared_ptr<const ClusterDescription> existing = nullptr);
  /// CHECKs that stop() has ended.
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  /// Hands leadership to another member if it can within an election timeout, fails what is waiting
  /// with "etcdserver: server stopped", closes connections and files. Call once.
  Task<void> stop();

  // --- the KV, Lease, Cluster and Maintenance services, requests not yet checked ---
  // `who` must be allowed to ask, as far as authentication is on (auth/README.md).

  Task<grpc::Reply<RangeResponse>> range(RangeRequest request,
                                         Credentials who = Credentials::board());
  Task<grpc::Reply<PutResponse>> put(PutRequest request, Credentials who = Credentials::board());
  Task<grpc::Reply<DeleteRangeResponse>> delete_range(DeleteRangeRequest request,
                                                      Credentials who = Credentials::board());
  Task<grpc::Reply<TxnResponse>> txn(TxnRequest request, Credentials who = Credentials::board());
  Task<grpc::Reply<CompactionResponse>> compact(CompactionRequest request,
                                                Credentials who = Credentials::board());
  Task<grpc::Reply<LeaseGrantResponse>> lease_grant(LeaseGrantRequest request,
                                                    Credentials who = Credentials::board());
  Task<grpc::Reply<LeaseRevokeResponse>> lease_revoke(LeaseRevokeRequest request,
                                                      Credentials who = Credentials::board());
  /// ttl 0: the lease is gone.
  Task<grpc::Reply<LeaseKeepAliveResponse>> lease_keep_alive(
      LeaseKeepAliveRequest request, Credentials who = Credentials::board());
  Task<grpc::Reply<LeaseTimeToLiveResponse>> lease_time_to_live(
      LeaseTimeToLiveRequest request, Credentials who = Credentials::board());
  Task<grpc::Reply<LeaseLeasesResponse>> lease_leases(Credentials who = Credentials::board());
  Task<grpc::Reply<MemberListResponse>> member_list(MemberListRequest request,
                                                    Credentials who = Credentials::board());
  Task<grpc::Reply<MemberAddResponse>> member_add(MemberAddRequest request,
                                                  Credentials who = Credentials::board());
  Task<grpc::Reply<MemberRemoveResponse>> member_remove(MemberRemoveRequest request,
                                                        Credentials who = Credentials::board());
  Task<grpc::Reply<MemberUpdateResponse>> member_update(MemberUpdateRequest request,
                                                        Credentials who = Credentials::board());
  Task<grpc::Reply<MemberPromoteResponse>> member_promote(MemberPromoteRequest request,
                                                          Credentials who = Credentials::board());
  Task<grpc::Reply<MoveLeaderResponse>> move_leader(MoveLeaderRequest request);
  Task<grpc::Reply<AlarmResponse>> alarm(AlarmRequest request);
  Task<grpc::Reply<HashKVResponse>> hash_kv(HashKVRequest request);
  /// Of the whole replicated state, leases, users and alarms too.
  Task<grpc::Reply<HashResponse>> hash_state(HashRequest request);
  /// Gives free pages of state.db back to the file system while requests are served.
  Task<grpc::Reply<DefragmentResponse>> defragment(DefragmentRequest request);
  /// Remembers, or takes back, that the cluster is to be downgraded; nothing here has to change.
  Task<grpc::Reply<DowngradeResponse>> downgrade(DowngradeRequest request);
  grpc::Reply<StatusResponse> status() const;
  /// The state as it is now, as bytes (server/snapshots.h); to be read to its end before stop().
  Task<grpc::Reply<std::shared_ptr<SnapshotStream>>> snapshot();
  /// The revision that a linearizable read would see now.
  Task<grpc::Reply<Revision>> read_revision();

  WatchHub& watches();

  /// Compares this member's data with the others', as far as they answer within a few seconds: to
  /// be asked before clients are served. Fails with `corrupt`, naming who differs.
  Task<Result<>> check_against_others();

  // --- the Auth service ---

  /// Changes users, roles or the switch: everything but the passwords.
  Task<grpc::Reply<AuthChangeResponse>> auth_change(AuthCommand command, Credentials who);
  Task<grpc::Reply<AuthChangeResponse>> auth_user_add(AuthUserAddRequest request, Credentials who);
  Task<grpc::Reply<AuthChangeResponse>> auth_user_change_password(
      AuthUserChangePasswordRequest request, Credentials who);
  Task<grpc::Reply<AuthenticateResponse>> authenticate(AuthenticateRequest request);
  Task<grpc::Reply<AuthStatusResponse>> auth_status(Credentials who);
  Task<grpc::Reply<AuthUserGetResponse>> auth_user_get(AuthUserGetRequest request, Credentials who);
  Task<grpc::Reply<AuthUserListResponse>> auth_user_list(Credentials who);
  Task<grpc::Reply<AuthRoleGetResponse>> auth_role_get(AuthRoleGetRequest request, Credentials who);
  Task<grpc::Reply<AuthRoleListResponse>> auth_role_list(Credentials who);

  // For what is answered elsewhere: each fails unless `who` may.

  /// With the role root: what concerns the cluster and its members.
  Task<grpc::Reply<void>> require_root(Credentials who);
  /// Any user.
  Task<grpc::Reply<void>> require_user(Credentials who);
  /// To read, or watch, these keys.
  Task<grpc::Reply<void>> require_read(Bytes key, Bytes range_end, Credentials who);

  // --- facts ---

  /// Fills everything but the revision when that is set already.
  void fill(ResponseHeader& header) const;
  /// As the Cluster service answers: without a revision.
  void fill_identity(ResponseHeader& header) const;
  MemberId id() const;
  ClusterId cluster_id() const;
  const Options& options() const;
  /// 0: nobody leads, or nobody that this member hears.
  MemberId leader() const;
  bool is_leader() const;
  /// Does not vote yet; etcd's clients may then ask for little more than its status.
  bool is_learner() const;
  /// From the cluster, for ever: it can only be stopped.
  bool removed() const;
  /// Taken in since the start: this member was behind the start of the leader's log.
  std::uint64_t installed_snapshots() const;
  std::uint64_t term() const;
  std::uint64_t applied_index() const;
  Revision revision() const;
  /// True while writes are refused because this member's disk is full.
  bool no_space() const;
  /// The cluster's alarms as this member knows them, and NOSPACE of its own while its disk is full.
  std::vector<AlarmMember> alarms(AlarmType type = AlarmType::none) const;
  /// How long there has been no leader; nullopt while there is one.
  std::optional<Duration> without_leader() const;
  /// For comparing members; reads the whole table.
  grpc::Reply<KeySpaceHash> hash(Revision revision);
  /// Runs `task` beside the calls, at most until stop(): for what must be tidied up after a caller
  /// who went away. Dropped when the member is stopping.
  void run_in_background(Task<void> task);
  const os::World& world() const;
  metrics::Registry& metrics();

  /// Called whenever leader() or is_leader() changed; returns a handle that ends it.
  [[nodiscard]] std::unique_ptr<os::Operation> observe_leadership(std::function<void()> changed);
  /// The same for removed().
  [[nodiscard]] std::unique_ptr<os::Operation> observe_removal(std::function<void()> removed);

 private:
  struct Implementation;
  explicit Member(std::unique_ptr<Implementation> implementation);

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tripod::etcd
