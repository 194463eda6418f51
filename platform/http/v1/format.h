#pragma once
// HTTP/1.1 message heads as bytes (RFC 9112).

#include "platform/http/message.h"

namespace tripod::http::v1 {

/// "HTTP/1.1 200 OK" and the fields, without the empty line.
void append_status_line(Bytes& out, int status);
/// "GET /path?query HTTP/1.1" and `host`.
void append_request_line(Bytes& out, const RequestHead& head);
/// Fields that do not frame the message; values cannot break the line.
void append_fields(Bytes& out, const Headers& headers);
void append_field(Bytes& out, std::string_view name, std::string_view value);
/// "Bad Request"; "Status" for what we never send.
std::string_view reason_of(int status);
/// A whole response that ends the connection.
Bytes closing_response(int status);

}  // namespace tripod::http::v1
