#include "platform/http/v1/parser.h"

namespace tripod::http::v1 {
namespace {

// The one place where llhttp's untyped pointer becomes ours.
Parser& parser_of(llhttp_t* llhttp) {
  return *static_cast<Parser*>(llhttp->data);
}

llhttp_settings_t make_settings() {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_message_begin = [](llhttp_t* p) { return parser_of(p).message_begin(); };
  settings.on_url = [](llhttp_t* p, const char* at, std::size_t size) {
    return parser_of(p).url({at, size});
  };
  settings.on_header_field = [](llhttp_t* p, const char* at, std::size_t size) {
    return parser_of(p).name({at, size});
  };
  settings.on_header_value = [](llhttp_t* p, const char* at, std::size_t size) {
    return parser_of(p).value({at, size});
  };
  settings.on_header_value_complete = [](llhttp_t* p) { return parser_of(p).value_complete(); };
  settings.on_headers_complete = [](llhttp_t* p) { return parser_of(p).headers_complete(); };
  settings.on_body = [](llhttp_t* p, const char* at, std::size_t size) {
    return parser_of(p).body({at, size});
  };
  settings.on_message_complete = [](llhttp_t* p) { return parser_of(p).message_complete(); };
  return settings;
}

const llhttp_settings_t* settings() {
  static const llhttp_settings_t shared = make_settings();
  return &shared;
}

}  // namespace

Parser::Parser(Kind kind, ParserSink& sink, const Limits& limits)
    : sink_(sink), limits_(limits), kind_(kind) {
  llhttp_init(&llhttp_, kind == Kind::request ? HTTP_REQUEST : HTTP_RESPONSE, settings());
  llhttp_.data = this;
}

Result<std::size_t> Parser::parse(BytesView data) {
  std::size_t taken = 0;
  while (taken < data.size()) {
    const BytesView rest = data.substr(taken);
    const llhttp_errno_t outcome = llhttp_execute(&llhttp_, rest.data(), rest.size());
    if (outcome == HPE_OK) return data.size();
    if (outcome != HPE_PAUSED && outcome != HPE_PAUSED_UPGRADE) {
      if (too_large_) return fail(ErrorCode::too_large, "message head too large");
      const char* reason = llhttp_get_error_reason(&llhttp_);
      return fail(ErrorCode::invalid, reason == nullptr ? "malformed message" : reason);
    }
    taken += static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - rest.data());
    if (outcome == HPE_PAUSED) {
      llhttp_resume(&llhttp_);
      return taken;
    }
    llhttp_resume_after_upgrade(&llhttp_);  // an offer to upgrade that nobody takes up
  }
  return taken;
}

bool Parser::finish() {
  return llhttp_finish(&llhttp_) == HPE_OK;
}

bool Parser::count(std::size_t bytes) {
  head_bytes_ += bytes;
  too_large_ = too_large_ || head_bytes_ > limits_.header_bytes_max ||
               head_fields_ > limits_.header_fields_max;
  return !too_large_;
}

int Parser::message_begin() {
  request_ = {};
  response_ = {};
  trailers_ = {};
  url_.clear();
  head_bytes_ = 0;
  head_fields_ = 0;
  inside_head_ = true;
  inside_message_ = true;
  return 0;
}

int Parser::url(std::string_view part) {
  if (!count(part.size())) return -1;
  url_ += part;
  return 0;
}

int Parser::name(std::string_view part) {
  if (!count(part.size())) return -1;
  name_ += part;
  return 0;
}

int Parser::value(std::string_view part) {
  if (!count(part.size())) return -1;
  value_ += part;
  return 0;
}

int Parser::value_complete() {
  ++head_fields_;
  if (!count(0)) return -1;
  for (char& c : name_) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  Headers& headers = !inside_head_            ? trailers_
                     : kind_ == Kind::request ? request_.headers
                                              : response_.headers;
  headers.add(std::exchange(name_, {}), std::exchange(value_, {}));
  return 0;
}

int Parser::split_url() {
  std::string_view rest = url_;
  const std::size_t scheme = rest.find("://");
  if (!rest.starts_with('/') && scheme != std::string_view::npos) {  // absolute-form
    rest.remove_prefix(scheme + 3);
    const std::size_t slash = std::min(rest.find_first_of("/?"), rest.size());
    request_.authority = rest.substr(0, slash);
    rest.remove_prefix(slash);
  }
  if (request_.authority.empty()) request_.authority = request_.headers.get("host");
  const std::size_t mark = std::min(rest.find('?'), rest.size());
  request_.path = rest.substr(0, mark);
  request_.query = rest.substr(std::min(mark + 1, rest.size()));
  if (request_.path.empty()) request_.path = "/";
  return 0;
}

int Parser::headers_complete() {
  inside_head_ = false;
  if (llhttp_.http_major != 1) return -1;
  if (kind_ == Kind::request) {
    request_.method = llhttp_method_name(static_cast<llhttp_method_t>(llhttp_.method));
    if (at_least_1_1() && !request_.headers.has("host")) {
      llhttp_set_error_reason(&llhttp_, "missing Host header");
      return -1;
    }
    split_url();
  } else {
    response_.status = llhttp_.status_code;
  }
  return sink_.on_head() ? 1 : 0;
}

int Parser::body(std::string_view data) {
  sink_.on_body(data);
  return 0;
}

int Parser::message_complete() {
  inside_message_ = false;
  sink_.on_end(std::move(trailers_));
  return HPE_PAUSED;
}

}  // namespace tripod::http::v1
