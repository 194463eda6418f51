#include "firmware/etcd/rpc/gateway/transcoded_exchange.h"

#include <charconv>
#include <limits>

namespace tripod::etcd::rpc {
namespace {

constexpr std::string_view metadata_prefix = "grpc-metadata-";

/// What grpc-gateway passes on: Grpc-Metadata-*, authorization, the time limit; and its own mark,
/// which tells that a client certificate is not the caller's identity.
http::RequestHead grpc_head(const http::RequestHead& real, const Route& route) {
  http::RequestHead head{.method = "POST",
                         .path = std::string(route.method),
                         .query = {},
                         .authority = real.authority,
                         .headers = {{"content-type", "application/grpc"}}};
  for (const auto& [name, value] : real.headers) {
    if (name.starts_with(metadata_prefix)) {
      head.headers.add(name.substr(metadata_prefix.size()), value);
    } else if (name == "authorization" || name == "grpc-timeout") {
      head.headers.add(name, value);
    }
  }
  const std::string_view accept = real.headers.get("accept");
  head.headers.add("grpcgateway-accept", accept.empty() ? "*/*" : std::string(accept));
  return head;
}

}  // namespace

TranscodedExchange::TranscodedExchange(Conversation& conversation)
    : conversation_(conversation),
      head_(grpc_head(conversation.real.request(), conversation.route)),
      // Base64 and names make a message longer, by less than this.
      splitter_(2 * conversation.message_bytes_max),
      answers_(std::numeric_limits<std::uint32_t>::max()) {}

Result<std::optional<Bytes>> TranscodedExchange::refuse(std::string message) {
  conversation_.refusal = grpc::Status{grpc::StatusCode::invalid_argument, std::move(message)};
  return fail(ErrorCode::invalid, conversation_.refusal->message);
}

Task<Result<std::optional<Bytes>>> TranscodedExchange::read() {
  const bool one = conversation_.route.flow != Flow::bidi_stream;
  if (one && asked_) co_return std::nullopt;
  for (;;) {
    auto value = splitter_.next();
    if (!value) co_return refuse(value.error().message);
    if (!*value && body_ended_) value = splitter_.last();
    if (*value) {
      auto message = wire_of_json(**value, conversation_.route.request());
      if (!message) co_return refuse(message.error().message);
      asked_ = true;
      co_return grpc::framed(std::move(*message));
    }
    if (body_ended_) {
      if (splitter_.inside_value()) co_return refuse("unexpected EOF");
      if (!one) co_return std::nullopt;
      asked_ = true;
      co_return grpc::framed({});  // no body is an empty message
    }
    auto piece = co_await conversation_.real.read();
    if (!piece) co_return std::unexpected(piece.error());
    body_ended_ = !*piece;
    if (*piece) splitter_.feed(**piece);
  }
}

void TranscodedExchange::take_status(const http::Headers& headers) {
  const std::string_view text = headers.get("grpc-status");
  if (text.empty()) return;
  unsigned code = 0;
  std::from_chars(text.data(), text.data() + text.size(), code);
  conversation_.status = {static_cast<grpc::StatusCode>(code),
                          grpc::decode_status_message(headers.get("grpc-message"))};
}

void TranscodedExchange::respond(http::ResponseHead head) {
  take_status(head.headers);
}

void TranscodedExchange::finish(http::Headers trailers) {
  take_status(trailers);
}

Task<Result<>> TranscodedExchange::write(SharedBytes data) {
  answers_.feed(*data);
  for (;;) {
    auto message = answers_.next();
    CHECK(message.has_value(), "the gRPC server writes whole messages");
    if (!*message) co_return Result<>{};
    auto json = json_of_wire(**message, conversation_.route.response());
    CHECK(json.has_value(), "the methods answer with their messages");
    if (conversation_.route.flow == Flow::unary) {
      conversation_.reply = std::move(*json);
      continue;
    }
    if (!std::exchange(conversation_.responded, true)) {
      http::ResponseHead head{200,
                              {{"content-type", "application/json"},
                               {"grpc-metadata-content-type", "application/grpc"}}};
      add_cross_origin_headers(head.headers);
      conversation_.real.respond(std::move(head));
    }
    auto written = co_await conversation_.real.write(share("{\"result\":" + *json + "}\n"));
    if (!written) co_return written;
  }
}

void add_cross_origin_headers(http::Headers& headers) {
  headers.add("access-control-allow-headers", "accept, content-type, authorization");
  headers.add("access-control-allow-methods", "POST, GET, OPTIONS, PUT, DELETE");
  headers.add("access-control-allow-origin", "*");
}

}  // namespace tripod::etcd::rpc
