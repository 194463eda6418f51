#include "firmware/kube/selector_parser.h"

#include <format>

namespace tripod::kube {

namespace {

constexpr std::string_view special = "=!(),><";
constexpr std::string_view blanks = " \t\r\n";

enum class Token : std::uint8_t {
  end,
  identifier,
  in,
  not_in,
  equals,
  double_equals,
  not_equals,
  exclamation,
  greater,
  less,
  open,
  close,
  comma,
  error
};

struct Lexeme {
  Token token = Token::end;
  std::string_view text;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) { advance(); }

  Result<std::vector<Requirement>> run() {
    std::vector<Requirement> requirements;
    if (peek() == Token::end) return requirements;
    if (!starts_requirement())
      return refuse("found '{}', expected: !, identifier, or 'end of string'");
    while (true) {
      auto requirement = parse_requirement();
      if (!requirement) {
        return fail(ErrorCode::invalid,
                    "unable to parse requirement: " + requirement.error().message);
      }
      requirements.push_back(std::move(*requirement));
      if (peek() == Token::end) return requirements;
      if (peek() != Token::comma) return refuse("found '{}', expected: ',' or 'end of string'");
      advance();
      if (!starts_requirement()) return refuse("found '{}', expected: identifier after ','");
    }
  }

 private:
  void advance() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size()));
    if (rest_.empty()) {
      now_ = {};
    } else if (special.contains(rest_[0])) {
      take_symbol();
    } else {
      const std::size_t size = std::min(rest_.find_first_of("=!(),>< \t\r\n"), rest_.size());
      now_ = {Token::identifier, rest_.substr(0, size)};
      if (now_.text == "in") now_.token = Token::in;
      if (now_.text == "notin") now_.token = Token::not_in;
      rest_.remove_prefix(size);
    }
  }

  void take_symbol() {
    static constexpr std::pair<std::string_view, Token> symbols[] = {
        {"==", Token::double_equals}, {"!=", Token::not_equals}, {"=", Token::equals},
        {"!", Token::exclamation},    {"(", Token::open},        {")", Token::close},
        {",", Token::comma},          {">", Token::greater},     {"<", Token::less}};
    for (const auto& [text, token] : symbols) {
      if (rest_.starts_with(text)) {
        now_ = {token, text};
        rest_.remove_prefix(text.size());
        return;
      }
    }
  }

  /// Outside of operators, "in" and "notin" are words like any other.
  Token peek() const {
    return now_.token == Token::in || now_.token == Token::not_in ? Token::identifier : now_.token;
  }
  bool starts_requirement() const {
    return peek() == Token::identifier || peek() == Token::exclamation;
  }

  std::unexpected<Error> refuse(std::string_view format) const {
    return fail(ErrorCode::invalid, std::vformat(format, std::make_format_args(now_.text)));
  }

  Result<Requirement> parse_requirement() {
    const bool negated = peek() == Token::exclamation;
    if (negated) advance();
    if (peek() != Token::identifier) return refuse("found '{}', expected: identifier");
    const std::string_view key = now_.text;
    advance();
    if (peek() == Token::end || peek() == Token::comma) {
      return make_requirement(
          key, negated ? SelectorOperator::not_exists : SelectorOperator::exists, {});
    }
    if (negated) return make_requirement(key, SelectorOperator::not_exists, {});
    const Token op = now_.token;
    switch (op) {
      case Token::in: return with_values(key, SelectorOperator::in);
      case Token::not_in: return with_values(key, SelectorOperator::not_in);
      case Token::equals:
      case Token::double_equals: return with_value(key, SelectorOperator::equals);
      case Token::not_equals: return with_value(key, SelectorOperator::not_equals);
      case Token::greater: return with_value(key, SelectorOperator::greater);
      case Token::less: return with_value(key, SelectorOperator::less);
      case Token::end:
      case Token::identifier:
      case Token::exclamation:
      case Token::open:
      case Token::close:
      case Token::comma:
      case Token::error: break;
    }
    return refuse("found '{}', expected: in, notin, =, ==, !=, gt, lt");
  }

  Result<Requirement> with_value(std::string_view key, SelectorOperator op) {
    advance();
    if (peek() == Token::end || peek() == Token::comma) return make_requirement(key, op, {""});
    if (peek() != Token::identifier) return refuse("found '{}', expected: identifier");
    std::string value(now_.text);
    advance();
    return make_requirement(key, op, {std::move(value)});
  }

  /// Empty values are values: "(,a)" is "" and "a", "()" is "".
  Result<Requirement> with_values(std::string_view key, SelectorOperator op) {
    advance();
    if (peek() != Token::open) return refuse("found '{}' expected: '('");
    advance();
    std::vector<std::string> values;
    while (true) {
      std::string value;
      if (peek() == Token::identifier) {
        value = now_.text;
        advance();
        if (peek() != Token::comma && peek() != Token::close)
          return refuse("found '{}', expected: ',' or ')'");
      } else if (peek() != Token::comma && peek() != Token::close) {
        return refuse(values.empty() ? "found '{}', expected: ',', ')' or identifier"
                                     : "found '{}', expected: ',', or identifier");
      }
      values.push_back(std::move(value));
      const bool closed = peek() == Token::close;
      advance();
      if (closed) return make_requirement(key, op, std::move(values));
    }
  }

  std::string_view rest_;
  Lexeme now_;
};

}  // namespace

Result<std::vector<Requirement>> parse_requirements(std::string_view text) {
  return Parser(text).run();
}

}  // namespace tripod::kube
