#include "firmware/etcd/api/auth_messages.h"
#include "firmware/etcd/api/message_tables.h"

namespace tripod::etcd {
namespace table {

template <>
inline constexpr std::array<std::string_view, 3> enumerator_names<PermissionType>{"READ", "WRITE",
                                                                                  "READWRITE"};

TRIPOD_WIRE(Permission, field<1>(&Permission::type), field<2>(&Permission::key),
            field<3>(&Permission::range_end));
TRIPOD_WIRE(UserAddOptions, field<1>(&UserAddOptions::no_password));
TRIPOD_WIRE(AuthUser, field<1>(&AuthUser::name), field<2>(&AuthUser::password),
            field<3>(&AuthUser::roles), field<4>(&AuthUser::options));
TRIPOD_WIRE(AuthRole, field<1>(&AuthRole::name), field<2>(&AuthRole::permissions));

TRIPOD_WIRE(AuthenticateRequest, field<1>(&AuthenticateRequest::name),
            field<2>(&AuthenticateRequest::password));
TRIPOD_WIRE(AuthUserAddRequest, field<1>(&AuthUserAddRequest::name),
            field<2>(&AuthUserAddRequest::password), field<3>(&AuthUserAddRequest::options),
            field<4>(&AuthUserAddRequest::hashed_password));
TRIPOD_WIRE(AuthUserGetRequest, field<1>(&AuthUserGetRequest::name));
TRIPOD_WIRE(AuthUserDeleteRequest, field<1>(&AuthUserDeleteRequest::name));
TRIPOD_WIRE(AuthUserChangePasswordRequest, field<1>(&AuthUserChangePasswordRequest::name),
            field<2>(&AuthUserChangePasswordRequest::password),
            field<3>(&AuthUserChangePasswordRequest::hashed_password));
TRIPOD_WIRE(AuthUserGrantRoleRequest, field<1>(&AuthUserGrantRoleRequest::user),
            field<2>(&AuthUserGrantRoleRequest::role));
TRIPOD_WIRE(AuthUserRevokeRoleRequest, field<1>(&AuthUserRevokeRoleRequest::name),
            field<2>(&AuthUserRevokeRoleRequest::role));
TRIPOD_WIRE(AuthRoleAddRequest, field<1>(&AuthRoleAddRequest::name));
TRIPOD_WIRE(AuthRoleGetRequest, field<1>(&AuthRoleGetRequest::role));
TRIPOD_WIRE(AuthRoleDeleteRequest, field<1>(&AuthRoleDeleteRequest::role));
TRIPOD_WIRE(AuthRoleGrantPermissionRequest, field<1>(&AuthRoleGrantPermissionRequest::name),
            field<2>(&AuthRoleGrantPermissionRequest::permission));
TRIPOD_WIRE(AuthRoleRevokePermissionRequest, field<1>(&AuthRoleRevokePermissionRequest::role),
            field<2>(&AuthRoleRevokePermissionRequest::key),
            field<3>(&AuthRoleRevokePermissionRequest::range_end));

TRIPOD_WIRE(AuthChangeResponse, field<1>(&AuthChangeResponse::header));
TRIPOD_WIRE(AuthStatusResponse, field<1>(&AuthStatusResponse::header),
            field<2>(&AuthStatusResponse::enabled), field<3>(&AuthStatusResponse::auth_revision));
TRIPOD_WIRE(AuthenticateResponse, field<1>(&AuthenticateResponse::header),
            field<2>(&AuthenticateResponse::token));
TRIPOD_WIRE(AuthUserGetResponse, field<1>(&AuthUserGetResponse::header),
            field<2>(&AuthUserGetResponse::roles));
TRIPOD_WIRE(AuthUserListResponse, field<1>(&AuthUserListResponse::header),
            field<2>(&AuthUserListResponse::users));
TRIPOD_WIRE(AuthRoleGetResponse, field<1>(&AuthRoleGetResponse::header),
            field<2>(&AuthRoleGetResponse::permissions));
TRIPOD_WIRE(AuthRoleListResponse, field<1>(&AuthRoleListResponse::header),
            field<2>(&AuthRoleListResponse::roles));

TRIPOD_WIRE(AssignToken, field<1>(&AssignToken::name), field<2>(&AssignToken::prefix));
TRIPOD_WIRE_ONEOF(AuthCommand, request);

template <>
struct Wire<AuthEnableRequest> : EmptyWire<AuthEnableRequest> {};
template <>
struct Wire<AuthDisableRequest> : EmptyWire<AuthDisableRequest> {};
template <>
struct Wire<AuthStatusRequest> : EmptyWire<AuthStatusRequest> {};
template <>
struct Wire<AuthUserListRequest> : EmptyWire<AuthUserListRequest> {};
template <>
struct Wire<AuthRoleListRequest> : EmptyWire<AuthRoleListRequest> {};

}  // namespace table

TRIPOD_INSTANTIATE(Permission);
TRIPOD_INSTANTIATE(AuthUser);
TRIPOD_INSTANTIATE(AuthRole);
TRIPOD_INSTANTIATE(AuthEnableRequest);
TRIPOD_INSTANTIATE(AuthDisableRequest);
TRIPOD_INSTANTIATE(AuthStatusRequest);
TRIPOD_INSTANTIATE(AuthenticateRequest);
TRIPOD_INSTANTIATE(AuthUserAddRequest);
TRIPOD_INSTANTIATE(AuthUserGetRequest);
TRIPOD_INSTANTIATE(AuthUserListRequest);
TRIPOD_INSTANTIATE(AuthUserDeleteRequest);
TRIPOD_INSTANTIATE(AuthUserChangePasswordRequest);
TRIPOD_INSTANTIATE(AuthUserGrantRoleRequest);
TRIPOD_INSTANTIATE(AuthUserRevokeRoleRequest);
TRIPOD_INSTANTIATE(AuthRoleAddRequest);
TRIPOD_INSTANTIATE(AuthRoleGetRequest);
TRIPOD_INSTANTIATE(AuthRoleListRequest);
TRIPOD_INSTANTIATE(AuthRoleDeleteRequest);
TRIPOD_INSTANTIATE(AuthRoleGrantPermissionRequest);
TRIPOD_INSTANTIATE(AuthRoleRevokePermissionRequest);
TRIPOD_INSTANTIATE(AuthChangeResponse);
TRIPOD_INSTANTIATE(AuthStatusResponse);
TRIPOD_INSTANTIATE(AuthenticateResponse);
TRIPOD_INSTANTIATE(AuthUserGetResponse);
TRIPOD_INSTANTIATE(AuthUserListResponse);
TRIPOD_INSTANTIATE(AuthRoleGetResponse);
TRIPOD_INSTANTIATE(AuthRoleListResponse);
TRIPOD_INSTANTIATE(AuthCommand);

}  // namespace tripod::etcd
