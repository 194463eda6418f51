// The Auth service of a member, and the question who may ask what before anything is proposed;
// what was proposed is asked again when it is applied (mvcc/authorize.h).
#include "firmware/etcd/server/core.h"

namespace tripod::etcd {

// --- who ---

Task<grpc::Reply<OnBehalfOf>> Member::Implementation::identify(Credentials who) {
  if (who.is_board()) co_return OnBehalfOf();
  Caller caller;
  if (!store->auth().enabled()) co_return OnBehalfOf(std::move(caller));
  if (!who.token().empty()) {
    const auto index = index_of_token(who.token());
    if (!index) co_return reject(outcome::invalid_auth_token);
    // The entry that made it may not be applied here yet.
    if (*index > store->applied_index()) {
      auto applied = co_await reads->wait_applied({*index});
      if (!applied) co_return reject(outcome::invalid_auth_token);
    }
    const std::string* user = store->auth().tokens().use(who.token(), world.clock.now());
    if (user == nullptr) co_return reject(outcome::invalid_auth_token);
    caller.user = *user;
  } else if (options.client_cert_auth) {
    caller.user = who.common_name();
  }
  if (!caller.user.empty()) caller.auth_revision = store->auth().revision();
  co_return OnBehalfOf(std::move(caller));
}

Task<grpc::Reply<void>> Member::require_root(Credentials who) {
  auto caller = co_await implementation_->identify(std::move(who));
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  if (*caller) {
    if (auto refused = implementation_->store->auth().administrator(**caller)) {
      co_return reject(*refused);
    }
  }
  co_return grpc::Reply<void>{};
}

Task<grpc::Reply<void>> Member::require_user(Credentials who) {
  auto caller = co_await implementation_->identify(std::move(who));
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  if (*caller && (*caller)->user.empty() && implementation_->store->auth().enabled()) {
    co_return reject(outcome::user_empty);
  }
  co_return grpc::Reply<void>{};
}

Task<grpc::Reply<void>> Member::require_read(Bytes key, Bytes range_end, Credentials who) {
  auto caller = co_await implementation_->identify(std::move(who));
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  if (*caller) {
    const AuthBook& auth = implementation_->store->auth();
    if (auto refused = auth.may_read(**caller, key, range_end)) co_return reject(*refused);
  }
  co_return grpc::Reply<void>{};
}

// --- passwords ---

Task<grpc::Reply<AuthenticateResponse>> Member::authenticate(AuthenticateRequest request) {
  Implementation& member = *implementation_;
  for (;;) {
    auto confirmed = co_await member.reads->confirm();
    if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
    auto known = member.store->auth().password_of(request.name);
    if (!known) co_return std::unexpected(std::move(known.error()));
    auto matches = co_await member.passwords.matches(request.password, known->hash);
    if (!matches) co_return std::unexpected(std::move(matches.error()));
    if (!*matches) {
      member.log.info("a wrong password", LogField("user", request.name));
      co_return reject(outcome::auth_failed);
    }
    Bytes random(Tokens::prefix_length, '\0');
    member.world.entropy.fill(std::as_writable_bytes(std::span(random)));
    auto reply = co_await member.write<AuthenticateResponse>(
        AuthCommand{AssignToken{request.name, token_prefix(random)}}, Credentials::board());
    if (!reply) co_return reply;
    // Otherwise the password may have been changed meanwhile.
    if (known->auth_revision == member.store->auth().revision()) {
      fill(reply->header);
      co_return reply;
    }
  }
}

// --- changes ---

Task<grpc::Reply<AuthChangeResponse>> Member::auth_change(AuthCommand command, Credentials who) {
  auto reply =
      co_await implementation_->write<AuthenticateResponse>(std::move(command), std::move(who));
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  AuthChangeResponse response;
  fill(response.header);
  co_return response;
}

Task<grpc::Reply<AuthChangeResponse>> Member::auth_user_add(AuthUserAddRequest request,
                                                            Credentials who) {
  // Who may not is told before it costs the lane anything.
  auto allowed = co_await require_root(who);
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  request.hashed_password.clear();
  if (!request.options.no_password) {
    auto hash = co_await implementation_->passwords.hash(request.password);
    if (!hash) co_return std::unexpected(std::move(hash.error()));
    request.hashed_password = std::move(*hash);
  }
  request.password.clear();
  co_return co_await auth_change(AuthCommand{std::move(request)}, std::move(who));
}

Task<grpc::Reply<AuthChangeResponse>> Member::auth_user_change_password(
    AuthUserChangePasswordRequest request, Credentials who) {
  auto allowed = co_await require_root(who);
  if (!allowed) co_return std::unexpected(std::move(allowed.error()));
  request.hashed_password.clear();
  if (!request.password.empty()) {
    auto hash = co_await implementation_->passwords.hash(request.password);
    if (!hash) co_return std::unexpected(std::move(hash.error()));
    request.hashed_password = std::move(*hash);
  }
  request.password.clear();
  co_return co_await auth_change(AuthCommand{std::move(request)}, std::move(who));
}

// --- questions: etcd sends them through the log; a linearizable read sees the same ---

Task<grpc::Reply<AuthStatusResponse>> Member::auth_status(Credentials who) {
  auto confirmed = co_await implementation_->reads->confirm();
  if (confirmed) confirmed = co_await require_root(std::move(who));
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  const AuthBook& auth = implementation_->store->auth();
  AuthStatusResponse response{.enabled = auth.enabled(), .auth_revision = auth.revision()};
  fill(response.header);
  co_return response;
}

Task<grpc::Reply<AuthUserListResponse>> Member::auth_user_list(Credentials who) {
  auto confirmed = co_await implementation_->reads->confirm();
  if (confirmed) confirmed = co_await require_root(std::move(who));
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  AuthUserListResponse response{.users = implementation_->store->auth().users()};
  fill(response.header);
  co_return response;
}

Task<grpc::Reply<AuthRoleListResponse>> Member::auth_role_list(Credentials who) {
  auto confirmed = co_await implementation_->reads->confirm();
  if (confirmed) confirmed = co_await require_root(std::move(who));
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  AuthRoleListResponse response{.roles = implementation_->store->auth().roles()};
  fill(response.header);
  co_return response;
}

Task<grpc::Reply<AuthUserGetResponse>> Member::auth_user_get(AuthUserGetRequest request,
                                                             Credentials who) {
  auto confirmed = co_await implementation_->reads->confirm();
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  auto caller = co_await implementation_->identify(std::move(who));
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  const AuthBook& auth = implementation_->store->auth();
  if (*caller && (*caller)->user != request.name) {
    if (auto refused = auth.administrator(**caller)) co_return reject(*refused);
  }
  auto roles = auth.roles_of(request.name);
  if (!roles) co_return std::unexpected(std::move(roles.error()));
  AuthUserGetResponse response{.roles = std::move(*roles)};
  fill(response.header);
  co_return response;
}

Task<grpc::Reply<AuthRoleGetResponse>> Member::auth_role_get(AuthRoleGetRequest request,
                                                             Credentials who) {
  auto confirmed = co_await implementation_->reads->confirm();
  if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
  auto caller = co_await implementation_->identify(std::move(who));
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  const AuthBook& auth = implementation_->store->auth();
  if (*caller && !auth.has_role((*caller)->user, request.role)) {
    if (auto refused = auth.administrator(**caller)) co_return reject(*refused);
  }
  auto permissions = auth.permissions_of(request.role);
  if (!permissions) co_return std::unexpected(std::move(permissions.error()));
  AuthRoleGetResponse response{.permissions = std::move(*permissions)};
  fill(response.header);
  co_return response;
}

}  // namespace tripod::etcd
