#pragma once
// Parser: HTTP/1.x messages out of bytes, by llhttp (RFC 9112). Stops behind each message, so that
// what follows it stays with the caller. Pure.

#include <llhttp.h>

#include "platform/base/result.h"
#include "platform/http/limits.h"
#include "platform/http/message.h"

namespace tripod::http::v1 {

/// Receives one message after the other. Called from within Parser::parse.
class ParserSink {
 public:
  virtual ~ParserSink() = default;
  /// Returns true when no body follows, whatever the head says (a response to HEAD).
  virtual bool on_head() = 0;
  virtual void on_body(BytesView data) = 0;
  /// The end of the message; `trailers` of a chunked body.
  virtual void on_end(Headers trailers) = 0;
};

class Parser {
 public:
  enum class Kind : std::uint8_t { request, response };
  Parser(Kind kind, ParserSink& sink, const Limits& limits);
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// Consumes up to the end of one message and says how many bytes that were. Fails with too_large
  /// (limits on heads) or invalid, and stays failed.
  Result<std::size_t> parse(BytesView data);
  /// No more bytes come; false when that cuts a message short.
  bool finish();

  // --- the head, valid from on_head() on, until the next message begins ---
  RequestHead& request() { return request_; }
  ResponseHead& response() { return response_; }
  /// HTTP/1.1 or later 1.x, else 1.0.
  bool at_least_1_1() const { return llhttp_.http_minor >= 1; }
  /// By version and `connection`; valid in on_head() and on_end().
  bool keep_alive() const { return llhttp_should_keep_alive(&llhttp_) == 1; }
  /// Some of a message has come, but not all of its head.
  bool inside_head() const { return inside_head_; }
  bool inside_message() const { return inside_message_; }

  // --- for the callbacks of llhttp: 0, or a code that stops it ---
  int message_begin();
  int url(std::string_view part);
  int name(std::string_view part);
  int value(std::string_view part);
  int value_complete();
  int headers_complete();
  int body(std::string_view data);
  int message_complete();

 private:
  bool count(std::size_t bytes);
  int split_url();

  llhttp_t llhttp_;
  ParserSink& sink_;
  const Limits& limits_;
  Kind kind_;
  RequestHead request_;
  ResponseHead response_;
  Headers trailers_;
  std::string url_;
  std::string name_;
  std::string value_;
  std::size_t head_bytes_ = 0;
  std::size_t head_fields_ = 0;
  bool inside_head_ = false;
  bool inside_message_ = false;
  bool too_large_ = false;
};

}  // namespace tripod::http::v1
