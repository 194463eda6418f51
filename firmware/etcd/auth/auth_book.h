#pragma once
// Users, roles, their permissions, and whether authentication is on: a part of the replicated
// state. Commands are applied in log order; every member reckons the same. Rules and answers are
// etcd's (server/auth/store.go of 3.6). What a restart must find leaves by take_changes().
//
// Tokens alone are not replicated state: they follow from the log, but time ends them
// (tokens.h).
//
// Lives on the loop thread.

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "firmware/etcd/api/auth_messages.h"
#include "firmware/etcd/api/errors.h"
#include "firmware/etcd/auth/caller.h"
#include "firmware/etcd/auth/key_ranges.h"
#include "firmware/etcd/auth/tokens.h"

namespace tripod::etcd {

/// What a password is compared with, and for which state of users and roles.
struct PasswordToCheck {
  Bytes hash;
  std::uint64_t auth_revision = 0;
};

class AuthBook {
 public:
  static constexpr std::string_view root = "root";  // the user and the role

  bool enabled() const { return enabled_; }
  /// Rises with each change of a user or role; 1 when there never was one.
  std::uint64_t revision() const { return revision_; }
  Tokens& tokens() { return tokens_; }

  // --- commands ---

  /// The token of AssignToken, otherwise nothing, or why it was not done. Permission to do it is
  /// checked before, by administrator(). `index` is the log entry's.
  grpc::Reply<std::string> apply(AuthCommand command, std::uint64_t index, MonotonicTime now);

  // --- questions ---

  grpc::Reply<std::vector<std::string>> roles_of(const std::string& user) const;
  std::vector<std::string> users() const;
  grpc::Reply<std::vector<Permission>> permissions_of(const std::string& role) const;
  std::vector<std::string> roles() const;
  bool has_role(const std::string& user, std::string_view role) const;
  grpc::Reply<PasswordToCheck> password_of(const std::string& user) const;

  // --- what a caller may do; nullopt: it may ---

  std::optional<Outcome> may_read(const Caller& caller, BytesView key, BytesView range_end) const;
  std::optional<Outcome> may_write(const Caller& caller, BytesView key, BytesView range_end) const;
  std::optional<Outcome> administrator(const Caller& caller) const;

  // --- storage ---

  /// Facts that changed since the last call: a value, or nullopt for one that is gone.
  std::vector<std::pair<std::string, std::optional<Bytes>>> take_changes();
  static constexpr std::string_view fact_prefix = "auth/";
  void restore(std::string_view name, BytesView value);
  /// As if nothing had been stored; tokens stay.
  void forget();

 private:
  struct Ranges {
    KeyRanges read, write;
  };

  grpc::Reply<std::string> run(const AuthEnableRequest& request);
  grpc::Reply<std::string> run(const AuthDisableRequest& request);
  grpc::Reply<std::string> run(AuthUserAddRequest& request);
  grpc::Reply<std::string> run(const AuthUserDeleteRequest& request);
  grpc::Reply<std::string> run(AuthUserChangePasswordRequest& request);
  grpc::Reply<std::string> run(const AuthUserGrantRoleRequest& request);
  grpc::Reply<std::string> run(const AuthUserRevokeRoleRequest& request);
  grpc::Reply<std::string> run(const AuthRoleAddRequest& request);
  grpc::Reply<std::string> run(const AuthRoleDeleteRequest& request);
  grpc::Reply<std::string> run(AuthRoleGrantPermissionRequest& request);
  grpc::Reply<std::string> run(const AuthRoleRevokePermissionRequest& request);
  grpc::Reply<std::string> assign(const AssignToken& request, std::uint64_t index,
                                  MonotonicTime now);

  std::optional<Outcome> may(const Caller& caller, BytesView key, BytesView range_end,
                             KeyRanges Ranges::* kind) const;
  const Ranges& ranges_of(const AuthUser& user) const;
  void user_changed(const std::string& name);
  void role_changed(const std::string& name);
  /// A change counts: the revision rises, what was merged is merged anew when asked for.
  std::string changed();

  bool enabled_ = false;
  std::uint64_t revision_ = 1;
  std::map<std::string, AuthUser, std::less<>> users_;
  std::map<std::string, AuthRole, std::less<>> roles_;
  std::set<std::string> changes_;  // names of facts
  Tokens tokens_;
  mutable std::map<std::string, Ranges, std::less<>> ranges_;  // merged on demand, by user
};

}  // namespace tripod::etcd
