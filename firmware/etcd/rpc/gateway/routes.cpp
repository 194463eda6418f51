#include "firmware/etcd/rpc/gateway/routes.h"

#include <algorithm>

#include "firmware/etcd/api/auth_messages.h"
#include "firmware/etcd/api/coordination_messages.h"
#include "firmware/etcd/api/messages.h"

namespace tripod::etcd::rpc {
namespace {

template <typename Request, typename Response>
constexpr Route route(std::string_view path, std::string_view method, Flow flow = Flow::unary) {
  return {path, method, flow, &shape_of<Request>, &shape_of<Response>};
}

constexpr Route routes[] = {
    route<RangeRequest, RangeResponse>("/v3/kv/range", "/etcdserverpb.KV/Range"),
    route<PutRequest, PutResponse>("/v3/kv/put", "/etcdserverpb.KV/Put"),
    route<DeleteRangeRequest, DeleteRangeResponse>("/v3/kv/deleterange",
                                                   "/etcdserverpb.KV/DeleteRange"),
    route<TxnRequest, TxnResponse>("/v3/kv/txn", "/etcdserverpb.KV/Txn"),
    route<CompactionRequest, CompactionResponse>("/v3/kv/compaction", "/etcdserverpb.KV/Compact"),

    route<WatchRequest, WatchResponse>("/v3/watch", "/etcdserverpb.Watch/Watch", Flow::bidi_stream),

    route<LeaseGrantRequest, LeaseGrantResponse>("/v3/lease/grant",
                                                 "/etcdserverpb.Lease/LeaseGrant"),
    route<LeaseRevokeRequest, LeaseRevokeResponse>("/v3/lease/revoke",
                                                   "/etcdserverpb.Lease/LeaseRevoke"),
    route<LeaseRevokeRequest, LeaseRevokeResponse>("/v3/kv/lease/revoke",
                                                   "/etcdserverpb.Lease/LeaseRevoke"),
    route<LeaseKeepAliveRequest, LeaseKeepAliveResponse>(
        "/v3/lease/keepalive", "/etcdserverpb.Lease/LeaseKeepAlive", Flow::bidi_stream),
    route<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse>("/v3/lease/timetolive",
                                                           "/etcdserverpb.Lease/LeaseTimeToLive"),
    route<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse>("/v3/kv/lease/timetolive",
                                                           "/etcdserverpb.Lease/LeaseTimeToLive"),
    route<LeaseLeasesRequest, LeaseLeasesResponse>("/v3/lease/leases",
                                                   "/etcdserverpb.Lease/LeaseLeases"),
    route<LeaseLeasesRequest, LeaseLeasesResponse>("/v3/kv/lease/leases",
                                                   "/etcdserverpb.Lease/LeaseLeases"),

    route<MemberListRequest, MemberListResponse>("/v3/cluster/member/list",
                                                 "/etcdserverpb.Cluster/MemberList"),

    route<MemberAddRequest, MemberAddResponse>("/v3/cluster/member/add",
                                               "/etcdserverpb.Cluster/MemberAdd"),
    route<MemberRemoveRequest, MemberRemoveResponse>("/v3/cluster/member/remove",
                                                     "/etcdserverpb.Cluster/MemberRemove"),
    route<MemberUpdateRequest, MemberUpdateResponse>("/v3/cluster/member/update",
                                                     "/etcdserverpb.Cluster/MemberUpdate"),
    route<MemberPromoteRequest, MemberPromoteResponse>("/v3/cluster/member/promote",
                                                       "/etcdserverpb.Cluster/MemberPromote"),

    route<AlarmRequest, AlarmResponse>("/v3/maintenance/alarm", "/etcdserverpb.Maintenance/Alarm"),
    route<StatusRequest, StatusResponse>("/v3/maintenance/status",
                                         "/etcdserverpb.Maintenance/Status"),
    route<HashKVRequest, HashKVResponse>("/v3/maintenance/hashkv",
                                         "/etcdserverpb.Maintenance/HashKV"),
    route<HashRequest, HashResponse>("/v3/maintenance/hash", "/etcdserverpb.Maintenance/Hash"),
    route<DefragmentRequest, DefragmentResponse>("/v3/maintenance/defragment",
                                                 "/etcdserverpb.Maintenance/Defragment"),
    route<DowngradeRequest, DowngradeResponse>("/v3/maintenance/downgrade",
                                               "/etcdserverpb.Maintenance/Downgrade"),
    route<MoveLeaderRequest, MoveLeaderResponse>("/v3/maintenance/transfer-leadership",
                                                 "/etcdserverpb.Maintenance/MoveLeader"),
    // SnapshotRequest has no field, as StatusRequest has none.
    route<StatusRequest, SnapshotResponse>(
        "/v3/maintenance/snapshot", "/etcdserverpb.Maintenance/Snapshot", Flow::server_stream),

    route<AuthEnableRequest, AuthChangeResponse>("/v3/auth/enable",
                                                 "/etcdserverpb.Auth/AuthEnable"),
    route<AuthDisableRequest, AuthChangeResponse>("/v3/auth/disable",
                                                  "/etcdserverpb.Auth/AuthDisable"),
    route<AuthStatusRequest, AuthStatusResponse>("/v3/auth/status",
                                                 "/etcdserverpb.Auth/AuthStatus"),
    route<AuthenticateRequest, AuthenticateResponse>("/v3/auth/authenticate",
                                                     "/etcdserverpb.Auth/Authenticate"),
    route<AuthUserAddRequest, AuthChangeResponse>("/v3/auth/user/add",
                                                  "/etcdserverpb.Auth/UserAdd"),
    route<AuthUserGetRequest, AuthUserGetResponse>("/v3/auth/user/get",
                                                   "/etcdserverpb.Auth/UserGet"),
    route<AuthUserListRequest, AuthUserListResponse>("/v3/auth/user/list",
                                                     "/etcdserverpb.Auth/UserList"),
    route<AuthUserDeleteRequest, AuthChangeResponse>("/v3/auth/user/delete",
                                                     "/etcdserverpb.Auth/UserDelete"),
    route<AuthUserChangePasswordRequest, AuthChangeResponse>(
        "/v3/auth/user/changepw", "/etcdserverpb.Auth/UserChangePassword"),
    route<AuthUserGrantRoleRequest, AuthChangeResponse>("/v3/auth/user/grant",
                                                        "/etcdserverpb.Auth/UserGrantRole"),
    route<AuthUserRevokeRoleRequest, AuthChangeResponse>("/v3/auth/user/revoke",
                                                         "/etcdserverpb.Auth/UserRevokeRole"),
    route<AuthRoleAddRequest, AuthChangeResponse>("/v3/auth/role/add",
                                                  "/etcdserverpb.Auth/RoleAdd"),
    route<AuthRoleGetRequest, AuthRoleGetResponse>("/v3/auth/role/get",
                                                   "/etcdserverpb.Auth/RoleGet"),
    route<AuthRoleListRequest, AuthRoleListResponse>("/v3/auth/role/list",
                                                     "/etcdserverpb.Auth/RoleList"),
    route<AuthRoleDeleteRequest, AuthChangeResponse>("/v3/auth/role/delete",
                                                     "/etcdserverpb.Auth/RoleDelete"),
    route<AuthRoleGrantPermissionRequest, AuthChangeResponse>(
        "/v3/auth/role/grant", "/etcdserverpb.Auth/RoleGrantPermission"),
    route<AuthRoleRevokePermissionRequest, AuthChangeResponse>(
        "/v3/auth/role/revoke", "/etcdserverpb.Auth/RoleRevokePermission"),

    route<LockRequest, LockResponse>("/v3/lock/lock", "/v3lockpb.Lock/Lock"),
    route<UnlockRequest, UnlockResponse>("/v3/lock/unlock", "/v3lockpb.Lock/Unlock"),

    route<CampaignRequest, CampaignResponse>("/v3/election/campaign",
                                             "/v3electionpb.Election/Campaign"),
    route<ProclaimRequest, ProclaimResponse>("/v3/election/proclaim",
                                             "/v3electionpb.Election/Proclaim"),
    route<LeaderRequest, LeaderResponse>("/v3/election/leader", "/v3electionpb.Election/Leader"),
    route<LeaderRequest, LeaderResponse>("/v3/election/observe", "/v3electionpb.Election/Observe",
                                         Flow::server_stream),
    route<ResignRequest, ResignResponse>("/v3/election/resign", "/v3electionpb.Election/Resign"),
};

}  // namespace

std::span<const Route> all_routes() {
  return routes;
}

const Route* find_route(std::string_view path) {
  const auto found = std::ranges::find(routes, path, &Route::path);
  return found == std::end(routes) ? nullptr : found;
}

}  // namespace tripod::etcd::rpc
