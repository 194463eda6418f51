#include "firmware/apiserver/reply.h"

#include <format>

namespace tripod::apiserver {

namespace {

constexpr std::size_t piece_bytes = 64 * 1024;

void pretty_to(std::string& out, const json::Value& value, std::size_t depth) {
  const auto line = [&](std::size_t indent) {
    out += '\n';
    out.append(indent * 2, ' ');
  };
  bool first = true;
  if (const auto* object = value.if_object(); object && !object->empty()) {
    out += '{';
    for (const auto& [key, member] : *object) {
      if (!std::exchange(first, false)) out += ',';
      line(depth + 1);
      json::serialize_string_to(out, key);
      out += ": ";
      pretty_to(out, member, depth + 1);
    }
    line(depth);
    out += '}';
  } else if (const auto* array = value.if_array(); array && !array->empty()) {
    out += '[';
    for (const json::Value& element : *array) {
      if (!std::exchange(first, false)) out += ',';
      line(depth + 1);
      pretty_to(out, element, depth + 1);
    }
    line(depth);
    out += ']';
  } else {
    json::serialize_to(out, value);
  }
}

http::ResponseHead head_of(const Reply& reply) {
  http::ResponseHead head;
  head.status = reply.status;
  head.headers.add("cache-control", "no-cache, private");
  if (!reply.content_type.empty()) head.headers.add("content-type", reply.content_type);
  for (const auto& [name, value] : reply.headers) head.headers.add(name, value);
  return head;
}

}  // namespace

Reply json_reply(const json::Value& document, int status) {
  Reply reply;
  reply.status = status;
  reply.body = json::serialize(document);
  reply.body += '\n';
  return reply;
}

Reply text_reply(std::string text, int status, std::string content_type) {
  Reply reply;
  reply.status = status;
  reply.content_type = std::move(content_type);
  reply.headers.emplace_back("x-content-type-options", "nosniff");
  reply.body = std::move(text);
  return reply;
}

Reply error_reply(const kube::StatusError& error) {
  Reply reply = json_reply(error.status, error.code);
  reply.headers.emplace_back("x-content-type-options", "nosniff");
  if (const auto seconds = json::get_int(error.status, "details", "retryAfterSeconds")) {
    reply.headers.emplace_back("retry-after", std::to_string(*seconds));
  }
  return reply;
}

void add_warning(Reply& reply, std::string_view text) {
  std::string quoted = "299 - \"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  quoted += '"';
  reply.headers.emplace_back("warning", std::move(quoted));
}

std::string pretty_print(const json::Value& document) {
  std::string out;
  pretty_to(out, document, 0);
  out += '\n';
  return out;
}

Task<Result<>> send_reply(http::Exchange* exchange, Reply reply) {
  http::ResponseHead head = head_of(reply);
  if (exchange->request().method == "HEAD") {
    exchange->respond(std::move(head));
    exchange->finish();
    co_return Result<>{};
  }
  if (reply.items.empty()) {
    Bytes body = std::move(reply.body);
    body += reply.tail;
    co_return co_await http::send(*exchange, std::move(head), share(std::move(body)));
  }
  exchange->respond(std::move(head));
  Bytes piece = std::move(reply.body);
  for (std::size_t i = 0; i < reply.items.size(); ++i) {
    if (i > 0) piece += ',';
    piece += reply.items[i]->json;
    reply.items[i].reset();
    if (piece.size() < piece_bytes) continue;
    auto sent = co_await exchange->write(share(std::exchange(piece, {})));
    if (!sent) co_return sent;
  }
  piece += reply.tail;
  if (auto sent = co_await exchange->write(share(std::move(piece))); !sent) co_return sent;
  exchange->finish();
  co_return Result<>{};
}

}  // namespace tripod::apiserver
