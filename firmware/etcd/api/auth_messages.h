#pragma once
// The messages of etcd's Auth service, as rpc.proto and auth.proto name and number them (etcd 3.6),
// and the command by which members change users, roles and the switch. Plain values; see
// messages.h.

#include "firmware/etcd/api/messages.h"

namespace tripod::etcd {

enum class PermissionType : std::uint8_t { read = 0, write = 1, read_write = 2 };

/// [key, range_end), as of RangeRequest.
struct Permission {
  PermissionType type = PermissionType::read;
  Bytes key;
  Bytes range_end;
};

struct UserAddOptions {
  bool no_password = false;
};

/// As it is stored. `password` is a hash (platform/pki/password_hash.h), empty when none can match.
struct AuthUser {
  std::string name;
  Bytes password;
  std::vector<std::string> roles;  // sorted
  UserAddOptions options;
};

struct AuthRole {
  std::string name;
  std::vector<Permission> permissions;  // sorted by key
};

// --- requests ---

struct AuthEnableRequest {};
struct AuthDisableRequest {};
struct AuthStatusRequest {};

struct AuthenticateRequest {
  std::string name;
  std::string password;
};

struct AuthUserAddRequest {
  std::string name;
  std::string password;
  UserAddOptions options;
  std::string hashed_password;  // in the log, in place of the password; a client's is not looked at
};
struct AuthUserGetRequest {
  std::string name;
};
struct AuthUserListRequest {};
struct AuthUserDeleteRequest {
  std::string name;
};
struct AuthUserChangePasswordRequest {
  std::string name;
  std::string password;
  std::string hashed_password;  // as of AuthUserAddRequest
};
struct AuthUserGrantRoleRequest {
  std::string user;
  std::string role;
};
struct AuthUserRevokeRoleRequest {
  std::string name;
  std::string role;
};

struct AuthRoleAddRequest {
  std::string name;
};
struct AuthRoleGetRequest {
  std::string role;
};
struct AuthRoleListRequest {};
struct AuthRoleDeleteRequest {
  std::string role;
};
struct AuthRoleGrantPermissionRequest {
  std::string name;
  std::optional<Permission> permission;
};
struct AuthRoleRevokePermissionRequest {
  std::string role;
  Bytes key;
  Bytes range_end;
};

// --- responses ---

/// Of every request that only changes something: they are alike on the wire.
struct AuthChangeResponse {
  ResponseHeader header;
};

struct AuthStatusResponse {
  ResponseHeader header;
  bool enabled = false;
  std::uint64_t auth_revision = 0;
};

struct AuthenticateResponse {
  ResponseHeader header;
  std::string token;
};

struct AuthUserGetResponse {
  ResponseHeader header;
  std::vector<std::string> roles;
};

struct AuthUserListResponse {
  ResponseHeader header;
  std::vector<std::string> users;
};

struct AuthRoleGetResponse {
  ResponseHeader header;
  std::vector<Permission> permissions;
};

struct AuthRoleListResponse {
  ResponseHeader header;
  std::vector<std::string> roles;
};

// --- commands ---

/// What goes through the log in place of AuthenticateRequest, once the password was found right.
struct AssignToken {
  std::string name;
  std::string prefix;  // random; the token is "prefix.index of the log entry"
};

/// The order is the form on disk.
struct AuthCommand {
  std::variant<AuthEnableRequest, AuthDisableRequest, AssignToken, AuthUserAddRequest,
               AuthUserDeleteRequest, AuthUserChangePasswordRequest, AuthUserGrantRoleRequest,
               AuthUserRevokeRoleRequest, AuthRoleAddRequest, AuthRoleDeleteRequest,
               AuthRoleGrantPermissionRequest, AuthRoleRevokePermissionRequest>
      request;
};

}  // namespace tripod::etcd
