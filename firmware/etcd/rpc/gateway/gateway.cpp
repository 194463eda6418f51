#include "firmware/etcd/rpc/gateway/gateway.h"

#include <format>

#include "firmware/etcd/rpc/gateway/transcoded_exchange.h"
#include "platform/json/json.h"

namespace tripod::etcd::rpc {
namespace {

constexpr std::string_view prefix = "/v3/";
constexpr std::string_view old_prefix = "/v3beta/";

/// grpc-gateway's HTTPStatusFromCode.
int http_status_of(grpc::StatusCode code) {
  using enum grpc::StatusCode;
  switch (code) {
    case ok: return 200;
    case cancelled: return 499;
    case invalid_argument:
    case failed_precondition:
    case out_of_range: return 400;
    case deadline_exceeded: return 504;
    case not_found: return 404;
    case already_exists:
    case aborted: return 409;
    case permission_denied: return 403;
    case resource_exhausted: return 429;
    case unimplemented: return 501;
    case unavailable: return 503;
    case unauthenticated: return 401;
    case unknown:
    case internal:
    case data_loss: return 500;
  }
  return 500;
}

std::string json_string(std::string_view text) {
  std::string out;
  json::serialize_string_to(out, text);
  return out;
}

std::string error_body(const grpc::Status& status) {
  return std::format(R"({{"code":{},"message":{}}})", static_cast<int>(status.code),
                     json_string(status.message));
}

std::string stream_error(const grpc::Status& status) {
  return std::format("{{\"error\":{}}}\n", error_body(status));
}

Task<void> send_json(http::Exchange* exchange, int status, std::string body, bool from_method) {
  http::ResponseHead head{status, {{"content-type", "application/json"}}};
  if (from_method) head.headers.add("grpc-metadata-content-type", "application/grpc");
  add_cross_origin_headers(head.headers);
  co_await http::send(*exchange, std::move(head), share(std::move(body)));
}

Task<void> send_error(http::Exchange* exchange, grpc::Status status) {
  co_await send_json(exchange, http_status_of(status.code), error_body(status), false);
}

/// A path of etcd 3.3 means today's.
std::string path_of(const http::RequestHead& request) {
  if (!request.path.starts_with(old_prefix)) return request.path;
  return std::string(prefix) + request.path.substr(old_prefix.size());
}

}  // namespace

Task<void> Gateway::handle(std::unique_ptr<http::Exchange> exchange) {
  const std::string path = path_of(exchange->request());
  return path.starts_with(prefix) ? answer(std::move(exchange)) : next_.handle(std::move(exchange));
}

Task<void> Gateway::answer(std::unique_ptr<http::Exchange> exchange) {
  const std::string& method = exchange->request().method;
  if (method == "OPTIONS") {
    http::ResponseHead head{200, {}};
    add_cross_origin_headers(head.headers);
    co_await http::send(*exchange, std::move(head), nullptr);
    co_return;
  }
  const Route* route = find_route(path_of(exchange->request()));
  if (route == nullptr) {
    co_return co_await send_error(exchange.get(), {grpc::StatusCode::not_found, "Not Found"});
  }
  if (method != "POST") {
    co_return co_await send_error(exchange.get(),
                                  {grpc::StatusCode::unimplemented, "Method Not Allowed"});
  }
  Conversation conversation{
      .real = *exchange, .route = *route, .message_bytes_max = message_bytes_max_};
  co_await grpc_.handle(std::make_unique<TranscodedExchange>(conversation));
  const grpc::Status status = conversation.refusal.value_or(conversation.status);
  if (route->flow == Flow::unary) {
    if (!status.ok()) co_return co_await send_error(exchange.get(), status);
    co_return co_await send_json(exchange.get(), 200, std::move(conversation.reply), true);
  }
  if (!conversation.responded) {
    const int http_status = http_status_of(status.code);
    co_return co_await send_json(exchange.get(), http_status,
                                 status.ok() ? std::string() : stream_error(status), true);
  }
  if (!status.ok()) {
    auto written = co_await exchange->write(share(stream_error(status)));
    if (!written) co_return;
  }
  exchange->finish();
}

}  // namespace tripod::etcd::rpc
