#include "platform/grpc/server.h"

#include "platform/async/sync.h"
#include "platform/grpc/invocation.h"

namespace tripod::grpc {
namespace {

constexpr std::string_view content_type = "application/grpc";
constexpr std::size_t copy_bytes_max = 4096;  // above it, a prefix travels apart from its message

bool is_grpc(const http::Headers& headers) {
  const std::string_view type = headers.get("content-type");
  return type.starts_with(content_type) &&
         (type.size() == content_type.size() || type[content_type.size()] == '+' ||
          type[content_type.size()] == ';');
}

std::string_view name_of(MethodType type) {
  switch (type) {
    case MethodType::unary: return "unary";
    case MethodType::client_stream: return "client_stream";
    case MethodType::server_stream: return "server_stream";
    case MethodType::bidi_stream: return "bidi_stream";
  }
  return "unary";
}

/// Wraps what a method returns, so that a time limit fits around it.
template <typename T>
Task<Result<T>> as_result(Task<T> task) {
  co_return co_await std::move(task);
}

template <typename T>
Task<T> until(os::Clock* clock, MonotonicTime deadline, Task<T> task) {
  auto outcome =
      co_await async::with_timeout(*clock, deadline - clock->now(), as_result(std::move(task)));
  co_return std::move(*outcome);
}

Status expired() {
  return {StatusCode::deadline_exceeded, "context deadline exceeded"};
}

Task<void> answer(std::unique_ptr<http::Exchange> exchange, int http_status, Status status) {
  exchange->respond({http_status,
                     {{"content-type", std::string(content_type)},
                      {"grpc-accept-encoding", "identity"},
                      {"grpc-status", std::to_string(static_cast<int>(status.code))},
                      {"grpc-message", encode_status_message(status.message)}}});
  exchange->finish();
  co_return;
}

Task<void> answer_unsupported(std::unique_ptr<http::Exchange> exchange) {
  const std::string text = std::format("invalid gRPC request content-type \"{}\"",
                                       exchange->request().headers.get("content-type"));
  co_await http::send(*exchange, {415, {{"content-type", "text/plain; charset=utf-8"}}},
                      share(text));
}

}  // namespace

namespace detail {

Task<Reply<std::optional<Bytes>>> Invocation::read() {
  while (true) {
    auto message = reader_.next();
    if (!message) co_return message;
    if (*message) {
      method.received->add();
      if (received_bytes != nullptr) {
        received_bytes->add(static_cast<double>((*message)->size()));
      }
      co_return message;
    }
    auto piece = co_await exchange.read();
    if (!piece) co_return std::unexpected(Status::from_error(piece.error()));
    if (!*piece) {
      if (reader_.inside_message()) co_return reject(StatusCode::internal, "unexpected EOF");
      co_return std::nullopt;
    }
    reader_.feed(std::move(**piece));
  }
}

Task<Reply<void>> Invocation::write(SharedBytes prefix, SharedBytes message) {
  if (!std::exchange(responded_, true)) {
    exchange.respond({200, {{"content-type", std::string(content_type)}}});
  }
  method.sent->add();
  if (sent_bytes != nullptr) {
    sent_bytes->add(static_cast<double>(message->size() - (prefix ? 0 : prefix_bytes)));
  }
  if (prefix) {
    if (auto written = co_await exchange.write(std::move(prefix)); !written) {
      co_return std::unexpected(Status::from_error(written.error()));
    }
  }
  if (auto written = co_await exchange.write(std::move(message)); !written) {
    co_return std::unexpected(Status::from_error(written.error()));
  }
  co_return Reply<void>{};
}

void Invocation::finish(const Status& status) {
  http::Headers outcome{{"grpc-status", std::to_string(static_cast<int>(status.code))}};
  // grpc-go sends an empty message, too; leaving it out saves bytes and means the same.
  if (!status.message.empty()) outcome.add("grpc-message", encode_status_message(status.message));
  if (responded_) return exchange.finish(std::move(outcome));
  http::ResponseHead head{200, {{"content-type", std::string(content_type)}}};
  for (const auto& [name, value] : outcome) head.headers.add(name, value);
  exchange.respond(std::move(head));
  exchange.finish();
}

}  // namespace detail

const http::Headers& CallContext::metadata() const {
  return invocation_->exchange.request().headers;
}
const http::Peer& CallContext::peer() const {
  return invocation_->exchange.peer();
}
std::optional<MonotonicTime> CallContext::deadline() const {
  return invocation_->deadline;
}

Task<Reply<std::optional<Bytes>>> ServerCall::read() {
  return invocation_->read();
}

Task<Reply<void>> ServerCall::write(Bytes message) {
  if (message.size() <= copy_bytes_max) {
    return invocation_->write(nullptr, share(framed(std::move(message))));
  }
  return write(share(std::move(message)));
}

Task<Reply<void>> ServerCall::write(SharedBytes message) {
  SharedBytes prefix = share(prefix_of(message->size()));
  return invocation_->write(std::move(prefix), std::move(message));
}

Server::Server(os::Clock& clock, metrics::Registry& metrics, ServerLimits limits,
               http::Handler* fallback)
    : clock_(clock), metrics_(metrics), limits_(limits), fallback_(fallback) {}

Server::~Server() = default;

void Server::count_bytes(metrics::Counter& received, metrics::Counter& sent) {
  received_bytes_ = &received;
  sent_bytes_ = &sent;
}

Server::Method& Server::add(std::string path, MethodType type) {
  const std::size_t slash = path.find('/', 1);
  CHECK(path.starts_with('/') && slash != std::string::npos, path);
  auto method = std::make_unique<Method>();
  method->service = path.substr(1, slash - 1);
  method->name = path.substr(slash + 1);
  method->type = type;
  const metrics::Labels labels = {{"grpc_method", method->name},
                                  {"grpc_service", method->service},
                                  {"grpc_type", std::string(name_of(type))}};
  method->started = &metrics_.counter("grpc_server_started_total",
                                      "Total number of RPCs started on the server.", labels);
  method->received =
      &metrics_.counter("grpc_server_msg_received_total",
                        "Total number of RPC stream messages received on the server.", labels);
  method->sent =
      &metrics_.counter("grpc_server_msg_sent_total",
                        "Total number of gRPC stream messages sent by the server.", labels);
  const auto [entry, added] = methods_.emplace(std::move(path), std::move(method));
  CHECK(added, entry->first);
  return *entry->second;
}

void Server::add_unary(std::string path, UnaryMethod method) {
  add(std::move(path), MethodType::unary).unary = std::move(method);
}

void Server::add_stream(std::string path, MethodType type, StreamMethod method) {
  CHECK(type != MethodType::unary);
  add(std::move(path), type).stream = std::move(method);
}

void Server::count(Method& method, StatusCode code, MonotonicTime begin) {
  if (method.seconds == nullptr) {
    // The default buckets of Prometheus' client libraries, which grpc-ecosystem's middleware takes.
    static const std::vector<double> bounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                               0.5,   1,    2.5,   5,    10};
    method.seconds = &metrics_.histogram("grpc_server_handling_seconds",
                                         "Histogram of response latency (seconds) of gRPC that had "
                                         "been application-level handled by "
                                         "the server.",
                                         bounds,
                                         {{"grpc_method", method.name},
                                          {"grpc_service", method.service},
                                          {"grpc_type", std::string(name_of(method.type))}});
  }
  method.seconds->observe(std::chrono::duration<double>(clock_.now() - begin).count());
  metrics::Counter*& counter = method.handled[static_cast<std::size_t>(code)];
  if (counter == nullptr) {
    counter = &metrics_.counter(
        "grpc_server_handled_total",
        "Total number of RPCs completed on the server, regardless of success or failure.",
        {{"grpc_code", std::string(grpc::name_of(code))},
         {"grpc_method", method.name},
         {"grpc_service", method.service},
         {"grpc_type", std::string(name_of(method.type))}});
  }
  counter->add();
}

Server::Method* Server::find(std::string_view path, Status& why) const {
  if (const auto found = methods_.find(path); found != methods_.end()) return found->second.get();
  const std::size_t slash = path.rfind('/');
  why.code = StatusCode::unimplemented;
  if (!path.starts_with('/') || slash == 0) {
    why.message = std::format("malformed method name: \"{}\"", path);
    return nullptr;
  }
  const auto service = methods_.lower_bound(path.substr(0, slash + 1));
  const bool known =
      service != methods_.end() && service->first.starts_with(path.substr(0, slash + 1));
  const std::string_view service_name = path.substr(1, slash - 1);
  why.message =
      known ? std::format("unknown method {} for service {}", path.substr(slash + 1), service_name)
            : std::format("unknown service {}", service_name);
  return nullptr;
}

Task<void> Server::handle(std::unique_ptr<http::Exchange> exchange) {
  const http::RequestHead& request = exchange->request();
  if (!is_grpc(request.headers)) {
    return fallback_ != nullptr ? fallback_->handle(std::move(exchange))
                                : answer_unsupported(std::move(exchange));
  }
  if (request.method != "POST") {
    return answer(std::move(exchange), 405,
                  {StatusCode::internal,
                   std::format("Received a HEADERS frame with :method \"{}\" which should be POST",
                               request.method)});
  }
  Status why;
  Method* method = find(request.path, why);
  if (method == nullptr) return answer(std::move(exchange), 200, std::move(why));
  if (guard_) {
    if (auto refused = guard_(request.path)) {
      return answer(std::move(exchange), 200, std::move(*refused));
    }
  }
  const std::string_view encoding = request.headers.get("grpc-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return answer(
        std::move(exchange), 200,
        {StatusCode::unimplemented,
         std::format("grpc: Decompressor is not installed for grpc-encoding \"{}\"", encoding)});
  }
  return serve(std::move(exchange), method);
}

namespace {

Task<Status> run_unary(detail::Invocation* call) {
  auto request = co_await call->read();
  if (!request) co_return std::move(request.error());
  if (!*request) co_return Status{StatusCode::internal, "no request message received"};
  auto response = co_await call->method.unary(CallContext(*call), std::move(**request));
  if (!response) co_return std::move(response.error());
  auto written = co_await ServerCall(*call).write(std::move(*response));
  co_return written ? Status{} : std::move(written.error());
}

}  // namespace

Task<void> Server::serve(std::unique_ptr<http::Exchange> exchange, Method* method) {
  const MonotonicTime begin = clock_.now();
  method->started->add();
  exchange->set_body_limit(std::numeric_limits<std::size_t>::max());
  detail::Invocation call(*exchange, *method, limits_.message_bytes_max);
  call.received_bytes = received_bytes_;
  call.sent_bytes = sent_bytes_;
  if (const auto timeout = exchange->request().headers.get("grpc-timeout"); !timeout.empty()) {
    auto limit = parse_timeout(timeout);
    if (!limit) {
      count(*method, StatusCode::internal, begin);
      co_return co_await answer(std::move(exchange), 400,
                                {StatusCode::internal, std::move(limit.error().message)});
    }
    call.deadline = clock_.now() + *limit;
  }
  auto task = method->unary ? run_unary(&call) : method->stream(ServerCall(call));
  Status status =
      co_await (call.deadline ? until(&clock_, *call.deadline, std::move(task)) : std::move(task));
  if (call.deadline && status.code == StatusCode::cancelled && clock_.now() >= *call.deadline) {
    status = expired();
  }
  count(*method, status.code, begin);
  call.finish(status);
}

}  // namespace tripod::grpc
