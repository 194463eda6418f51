#include "firmware/etcd/rpc/auth_service.h"

#include "firmware/etcd/api/codec.h"
#include "firmware/etcd/rpc/credentials.h"

namespace tripod::etcd::rpc {
namespace {

template <typename Response>
Task<grpc::Reply<Bytes>> encoded(Task<grpc::Reply<Response>> call) {
  auto reply = co_await std::move(call);
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  co_return encode(*reply);
}

Task<grpc::Reply<Bytes>> undecodable() {
  co_return grpc::reject(grpc::StatusCode::internal, "grpc: error unmarshalling request");
}

template <typename Response, typename Request>
using Method = Task<grpc::Reply<Response>> (Member::*)(Request, Credentials);
template <typename Response>
using Question = Task<grpc::Reply<Response>> (Member::*)(Credentials);

class Service {
 public:
  Service(grpc::Server& server, Member& member) : server_(server), member_(member) {}

  /// A request that is proposed as it came.
  template <typename Request>
  void change(std::string_view name) {
    add(name, [member = &member_](grpc::CallContext context, Bytes bytes) {
      auto request = decode<Request>(bytes);
      if (!request) return undecodable();
      return encoded(
          member->auth_change(AuthCommand{std::move(*request)}, credentials_of(context)));
    });
  }
  template <typename Response, typename Request>
  void call(std::string_view name, Method<Response, Request> method) {
    add(name, [member = &member_, method](grpc::CallContext context, Bytes bytes) {
      auto request = decode<Request>(bytes);
      if (!request) return undecodable();
      return encoded((member->*method)(std::move(*request), credentials_of(context)));
    });
  }
  /// A request without fields.
  template <typename Request, typename Response>
  void ask(std::string_view name, Question<Response> question) {
    add(name, [member = &member_, question](grpc::CallContext context, Bytes bytes) {
      if (!decode<Request>(bytes)) return undecodable();
      return encoded((member->*question)(credentials_of(context)));
    });
  }
  void add(std::string_view name, grpc::UnaryMethod method) {
    server_.add_unary("/etcdserverpb.Auth/" + std::string(name), std::move(method));
  }

 private:
  grpc::Server& server_;
  Member& member_;
};

}  // namespace

void add_auth_service(grpc::Server& server, Member& member) {
  Service service(server, member);
  service.change<AuthEnableRequest>("AuthEnable");
  service.change<AuthDisableRequest>("AuthDisable");
  service.ask<AuthStatusRequest>("AuthStatus", &Member::auth_status);
  service.add("Authenticate", [member = &member](grpc::CallContext, Bytes bytes) {
    auto request = decode<AuthenticateRequest>(bytes);
    if (!request) return undecodable();
    return encoded(member->authenticate(std::move(*request)));
  });
  service.call("UserAdd", &Member::auth_user_add);
  service.call("UserGet", &Member::auth_user_get);
  service.ask<AuthUserListRequest>("UserList", &Member::auth_user_list);
  service.change<AuthUserDeleteRequest>("UserDelete");
  service.call("UserChangePassword", &Member::auth_user_change_password);
  service.change<AuthUserGrantRoleRequest>("UserGrantRole");
  service.change<AuthUserRevokeRoleRequest>("UserRevokeRole");
  service.change<AuthRoleAddRequest>("RoleAdd");
  service.call("RoleGet", &Member::auth_role_get);
  service.ask<AuthRoleListRequest>("RoleList", &Member::auth_role_list);
  service.change<AuthRoleDeleteRequest>("RoleDelete");
  service.change<AuthRoleGrantPermissionRequest>("RoleGrantPermission");
  service.change<AuthRoleRevokePermissionRequest>("RoleRevokePermission");
}

}  // namespace tripod::etcd::rpc
