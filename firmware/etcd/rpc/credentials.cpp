#include "firmware/etcd/rpc/credentials.h"

namespace tripod::etcd::rpc {

Credentials credentials_of(const grpc::CallContext& context) {
  constexpr std::string_view bearer = "Bearer ";
  const http::Headers& metadata = context.metadata();
  std::string_view token = metadata.get("token");
  if (token.empty()) token = metadata.get("authorization");
  if (token.starts_with(bearer)) token.remove_prefix(bearer.size());
  const bool by_gateway = !metadata.get("grpcgateway-accept").empty();
  return Credentials::client(std::string(token), by_gateway ? nullptr : context.peer().certificate);
}

}  // namespace tripod::etcd::rpc
