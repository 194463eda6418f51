#include "firmware/etcd/auth/auth_book.h"

#include <algorithm>
#include <format>

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/api/wire.h"

namespace tripod::etcd {
namespace {

constexpr std::string_view state_fact = "auth/state";
constexpr std::string_view user_facts = "auth/user/";
constexpr std::string_view role_facts = "auth/role/";

bool covers_same(const Permission& permission, BytesView key, BytesView range_end) {
  return permission.key == key && permission.range_end == range_end;
}

}  // namespace

// --- commands ---

grpc::Reply<std::string> AuthBook::apply(AuthCommand command, std::uint64_t index,
                                         MonotonicTime now) {
  return std::visit(
      [&](auto& request) -> grpc::Reply<std::string> {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(request)>, AssignToken>) {
          return assign(request, index, now);
        } else {
          return run(request);
        }
      },
      command.request);
}

std::string AuthBook::changed() {
  ++revision_;
  ranges_.clear();
  changes_.emplace(state_fact);
  return {};
}

void AuthBook::user_changed(const std::string& name) {
  changes_.insert(std::string(user_facts) + name);
}

void AuthBook::role_changed(const std::string& name) {
  changes_.insert(std::string(role_facts) + name);
}

grpc::Reply<std::string> AuthBook::run(const AuthEnableRequest&) {
  if (enabled_) return std::string();
  if (!users_.contains(root)) return reject(outcome::root_user_not_exist);
  if (!has_role(std::string(root), root)) return reject(outcome::root_role_not_exist);
  enabled_ = true;
  changes_.emplace(state_fact);
  return std::string();
}

grpc::Reply<std::string> AuthBook::run(const AuthDisableRequest&) {
  if (!enabled_) return std::string();
  enabled_ = false;
  tokens_.clear();
  return changed();
}

grpc::Reply<std::string> AuthBook::assign(const AssignToken& request, std::uint64_t index,
                                          MonotonicTime now) {
  if (!enabled_) return reject(outcome::auth_not_enabled);
  const auto user = users_.find(request.name);
  if (user == users_.end() || user->second.options.no_password) return reject(outcome::auth_failed);
  std::string token = make_token(request.prefix, index);
  tokens_.assign(token, request.name, now);
  return token;
}

grpc::Reply<std::string> AuthBook::run(AuthUserAddRequest& request) {
  if (request.name.empty()) return reject(outcome::user_empty);
  if (users_.contains(request.name)) return reject(outcome::user_already_exists);
  AuthUser& user = users_[request.name];
  user.name = request.name;
  user.options = request.options;
  if (!request.options.no_password) user.password = std::move(request.hashed_password);
  user_changed(request.name);
  return changed();
}

grpc::Reply<std::string> AuthBook::run(const AuthUserDeleteRequest& request) {
  if (enabled_ && request.name == root) return reject(outcome::invalid_auth_management);
  if (users_.erase(request.name) == 0) return reject(outcome::user_not_found);
  tokens_.forget_user(request.name);
  user_changed(request.name);
  return changed();
}

grpc::Reply<std::string> AuthBook::run(AuthUserChangePasswordRequest& request) {
  const auto user = users_.find(request.name);
  if (user == users_.end()) return reject(outcome::user_not_found);
  user->second.password.clear();
  if (!user->second.options.no_password) {
    user->second.password = std::move(request.hashed_password);
  }
  tokens_.forget_user(request.name);
  user_changed(request.name);
  return changed();
}

grpc::Reply<std::string> AuthBook::run(const AuthUserGrantRoleRequest& request) {
  const auto user = users_.find(request.user);
  if (user == users_.end()) return reject(outcome::user_not_found);
  if (request.role != root && !roles_.contains(request.role)) {
    return reject(outcome::role_not_found);
  }
  std::vector<std::string>& granted = user->second.roles;
  const auto place = std::ranges::lower_bound(granted, request.role);
  if (place != granted.end() && *place == request.role) return std::string();
  granted.insert(place, request.role);
  user_changed(request.user);
  return changed();
}

grpc::Reply<std::string> AuthBook::run(const AuthUserRevokeRoleRequest& request) {
  if (enabled_ && request.name == root && request.role == root) {
    return reject(outcome::invalid_auth_management);
  }
  const auto user = users_.find(request.name);
  if (user == users_.end()) return reject(outcome::user_not_found);
  if (std::erase(user->second.roles, request.role) == 0) return reject(outcome::role_not_granted);
  user_changed(request.name);
  return changed();
}

grpc::Reply<std::string> AuthBook::run(const AuthRoleAddRequest& request) {
  if (request.name.empty()) return reject(outcome::role_empty);
  if (roles_.contains(request.name)) return reject(outcome::role_already_exists);
  roles_[request.name].name = request.name;
  role_changed(request.name);
  return changed();
}

grpc::Reply<std::string> AuthBook::run(const AuthRoleDeleteRequest& request) {
  if (enabled_ && request.role == root) return reject(outcome::invalid_auth_management);
  if (roles_.erase(request.role) == 0) return reject(outcome::role_not_found);
  role_changed(request.role);
  for (auto& [name, user] : users_) {
    if (std::erase(user.roles, request.role) > 0) user_changed(name);
  }
  return changed();
}

grpc::Reply<std::string> AuthBook::run(AuthRoleGrantPermissionRequest& request) {
  if (!request.permission) return reject(outcome::permission_not_given);
  Permission& wanted = *request.permission;
  if (!is_valid_permission_range(wanted.key, wanted.range_end)) {
    return reject(outcome::invalid_auth_management);
  }
  const auto role = roles_.find(request.name);
  if (role == roles_.end()) return reject(outcome::role_not_found);
  std::vector<Permission>& granted = role->second.permissions;
  const auto same = std::ranges::find_if(granted, [&](const Permission& permission) {
    return covers_same(permission, wanted.key, wanted.range_end);
  });
  if (same != granted.end()) {
    same->type = wanted.type;
  } else {
    const auto place = std::ranges::upper_bound(granted, wanted.key, {}, &Permission::key);
    granted.insert(place, std::move(wanted));
  }
  role_changed(request.name);
  return changed();
}

grpc::Reply<std::string> AuthBook::run(const AuthRoleRevokePermissionRequest& request) {
  const auto role = roles_.find(request.role);
  if (role == roles_.end()) return reject(outcome::role_not_found);
  const auto gone = std::erase_if(role->second.permissions, [&](const Permission& permission) {
    return covers_same(permission, request.key, request.range_end);
  });
  if (gone == 0) return reject(outcome::permission_not_granted);
  role_changed(request.role);
  return changed();
}

// --- questions ---

grpc::Reply<std::vector<std::string>> AuthBook::roles_of(const std::string& user) const {
  const auto found = users_.find(user);
  if (found == users_.end()) return reject(outcome::user_not_found);
  return found->second.roles;
}

std::vector<std::string> AuthBook::users() const {
  std::vector<std::string> names;
  for (const auto& [name, user] : users_) names.push_back(name);
  return names;
}

grpc::Reply<std::vector<Permission>> AuthBook::permissions_of(const std::string& role) const {
  const auto found = roles_.find(role);
  if (found == roles_.end()) return reject(outcome::role_not_found);
  if (role == root) {
    return std::vector<Permission>{{PermissionType::read_write, Bytes(), Bytes(1, '\0')}};
  }
  return found->second.permissions;
}

std::vector<std::string> AuthBook::roles() const {
  std::vector<std::string> names;
  for (const auto& [name, role] : roles_) names.push_back(name);
  return names;
}

bool AuthBook::has_role(const std::string& user, std::string_view role) const {
  const auto found = users_.find(user);
  return found != users_.end() && std::ranges::binary_search(found->second.roles, role);
}

grpc::Reply<PasswordToCheck> AuthBook::password_of(const std::string& user) const {
  if (!enabled_) return reject(outcome::auth_not_enabled);
  const auto found = users_.find(user);
  if (found == users_.end()) return reject(outcome::auth_failed);
  if (found->second.options.no_password) return reject(outcome::no_password_user);
  return PasswordToCheck{found->second.password, revision_};
}

// --- what a caller may do ---

const AuthBook::Ranges& AuthBook::ranges_of(const AuthUser& user) const {
  const auto [entry, made] = ranges_.try_emplace(user.name);
  Ranges& ranges = entry->second;
  if (!made) return ranges;
  for (const std::string& name : user.roles) {
    const auto role = roles_.find(name);
    if (role == roles_.end()) continue;
    for (const Permission& permission : role->second.permissions) {
      const bool both = permission.type == PermissionType::read_write;
      if (both || permission.type == PermissionType::read) {
        ranges.read.add(permission.key, permission.range_end);
      }
      if (both || permission.type == PermissionType::write) {
        ranges.write.add(permission.key, permission.range_end);
      }
    }
  }
  return ranges;
}

std::optional<Outcome> AuthBook::may(const Caller& caller, BytesView key, BytesView range_end,
                                     KeyRanges Ranges::* kind) const {
  if (!enabled_) return std::nullopt;
  if (caller.auth_revision == 0) return outcome::user_empty;
  if (caller.auth_revision < revision_) return outcome::auth_old_revision;
  const auto user = users_.find(caller.user);
  if (user == users_.end()) return outcome::permission_denied;
  if (std::ranges::binary_search(user->second.roles, root)) return std::nullopt;
  if ((ranges_of(user->second).*kind).contains(key, range_end)) return std::nullopt;
  return outcome::permission_denied;
}

std::optional<Outcome> AuthBook::may_read(const Caller& caller, BytesView key,
                                          BytesView range_end) const {
  return may(caller, key, range_end, &Ranges::read);
}

std::optional<Outcome> AuthBook::may_write(const Caller& caller, BytesView key,
                                           BytesView range_end) const {
  return may(caller, key, range_end, &Ranges::write);
}

std::optional<Outcome> AuthBook::administrator(const Caller& caller) const {
  if (!enabled_) return std::nullopt;
  if (caller.user.empty()) return outcome::user_empty;
  if (!users_.contains(caller.user)) return outcome::user_not_found;
  if (!has_role(caller.user, root)) return outcome::permission_denied;
  return std::nullopt;
}

// --- storage ---

std::vector<std::pair<std::string, std::optional<Bytes>>> AuthBook::take_changes() {
  std::vector<std::pair<std::string, std::optional<Bytes>>> changes;
  for (const std::string& name : std::exchange(changes_, {})) {
    std::optional<Bytes> value;
    if (name == state_fact) {
      wire::append_number(value.emplace(), 1, enabled_ ? 1 : 0);
      wire::append_number(*value, 2, revision_);
    } else if (name.starts_with(user_facts)) {
      const auto user = users_.find(std::string_view(name).substr(user_facts.size()));
      if (user != users_.end()) value = encode(user->second);
    } else {
      const auto role = roles_.find(std::string_view(name).substr(role_facts.size()));
      if (role != roles_.end()) value = encode(role->second);
    }
    changes.emplace_back(name, std::move(value));
  }
  return changes;
}

void AuthBook::forget() {
  enabled_ = false;
  revision_ = 1;
  users_.clear();
  roles_.clear();
  changes_.clear();
  ranges_.clear();
}

void AuthBook::restore(std::string_view name, BytesView value) {
  if (name == state_fact) {
    wire::Reader reader(value);
    wire::Field field;
    while (reader.next(field)) {
      if (field.number == 1) enabled_ = field.value != 0;
      if (field.number == 2) revision_ = field.value;
    }
  } else if (name.starts_with(user_facts)) {
    if (auto user = decode<AuthUser>(value)) users_[user->name] = std::move(*user);
  } else if (name.starts_with(role_facts)) {
    if (auto role = decode<AuthRole>(value)) roles_[role->name] = std::move(*role);
  }
}

}  // namespace tripod::etcd
