#pragma once
// An answer before it is sent: a head, and a body that for lists stays in the shared pieces of the
// watch cache until the connection takes them.

#include <string>
#include <vector>

#include "firmware/apiserver/watch_cache/object.h"
#include "firmware/kube/status.h"
#include "platform/http/message.h"

namespace tripod::apiserver {

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<http::Headers::Field> headers;  // besides content-type
  Bytes body;                                 // all of it, or what precedes the items
  std::vector<ObjectRef> items;               // joined by commas
  Bytes tail;                                 // what follows the items
};

Reply json_reply(const json::Value& document, int status = 200);
Reply text_reply(std::string text, int status = 200,
                 std::string content_type = "text/plain; charset=utf-8");
/// With Retry-After when the Status says when to come back.
Reply error_reply(const kube::StatusError& error);

/// Adds `Warning: 299 - "text"`.
void add_warning(Reply& reply, std::string_view text);

/// Indented by two, as ?pretty=true asks.
std::string pretty_print(const json::Value& document);

/// Sends head and body, in pieces that flow control can hold back.
Task<Result<>> send_reply(http::Exchange* exchange, Reply reply);

}  // namespace tripod::apiserver
