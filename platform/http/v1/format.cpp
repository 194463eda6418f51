#include "platform/http/v1/format.h"

namespace tripod::http::v1 {

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
  }
}

void append_field(Bytes& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  for (const char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  out += "\r\n";
}

void append_fields(Bytes& out, const Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (name == "connection" || name == "transfer-encoding" || name == "host") continue;
    append_field(out, name, value);
  }
}

void append_status_line(Bytes& out, int status) {
  out += std::format("HTTP/1.1 {} {}\r\n", status, reason_of(status));
}

void append_request_line(Bytes& out, const RequestHead& head) {
  out += head.method;
  out += ' ';
  out += head.path;
  if (!head.query.empty()) {
    out += '?';
    out += head.query;
  }
  out += " HTTP/1.1\r\n";
  append_field(out, "host", head.authority);
}

Bytes closing_response(int status) {
  const std::string body = std::format("{} {}", status, reason_of(status));
  Bytes out;
  append_status_line(out, status);
  append_field(out, "content-type", "text/plain; charset=utf-8");
  append_field(out, "connection", "close");
  append_field(out, "content-length", std::to_string(body.size()));
  return out + "\r\n" + body;
}

}  // namespace tripod::http::v1
