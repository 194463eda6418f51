#include "platform/http/message.h"

namespace tripod::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// RFC 3986 section 2.3.
bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string_view Headers::get(std::string_view name) const {
  for (const Field& field : fields_) {
    if (field.first == name) return field.second;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::ranges::any_of(fields_, [&](const Field& field) { return field.first == name; });
}

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(fields_, [&](const Field& field) { return field.first == name; });
  fields_.emplace_back(name, std::move(value));
}

Task<Result<Bytes>> read_all(Exchange& exchange, std::size_t bytes_max) {
  Bytes whole;
  while (true) {
    auto piece = co_await exchange.read();
    if (!piece) co_return std::unexpected(std::move(piece.error()));
    if (!*piece) co_return whole;
    if (whole.size() + (*piece)->size() > bytes_max) {
      co_return fail(ErrorCode::too_large, std::format("body above {} bytes", bytes_max));
    }
    if (whole.empty()) {
      whole = std::move(**piece);
    } else {
      whole += **piece;
    }
  }
}

Task<Result<>> send(Exchange& exchange, ResponseHead head, SharedBytes body) {
  const std::size_t size = body ? body->size() : 0;
  if (!head.headers.has("content-length") && head.status != 204 && head.status != 304) {
    head.headers.add("content-length", std::to_string(size));
  }
  exchange.respond(std::move(head));
  if (size > 0) {
    if (auto written = co_await exchange.write(std::move(body)); !written) co_return written;
  }
  exchange.finish();
  co_return Result<>{};
}

Task<Result<Response>> fetch(Transport& transport, RequestHead head, Bytes body,
                             std::size_t response_bytes_max) {
  auto call = co_await transport.open(std::move(head), std::move(body));
  if (!call) co_return std::unexpected(std::move(call.error()));
  auto response_head = co_await (*call)->head();
  if (!response_head) co_return std::unexpected(std::move(response_head.error()));
  Response response{std::move(*response_head), {}};
  while (true) {
    auto piece = co_await (*call)->read();
    if (!piece) co_return std::unexpected(std::move(piece.error()));
    if (!*piece) co_return response;
    if (response.body.size() + (*piece)->size() > response_bytes_max) {
      co_return fail(ErrorCode::too_large,
                     std::format("response above {} bytes", response_bytes_max));
    }
    if (response.body.empty()) {
      response.body = std::move(**piece);
    } else {
      response.body += **piece;
    }
  }
}

Result<std::string> percent_decode(std::string_view text, bool query) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && query) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return fail(ErrorCode::invalid,
                    std::format("invalid URL escape \"{}\"", text.substr(i, 3)));
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (unreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (item.empty()) continue;
    const std::size_t equals = std::min(item.find('='), item.size());
    auto name = percent_decode(item.substr(0, equals), true);
    if (!name) return std::unexpected(std::move(name.error()));
    auto value = percent_decode(item.substr(std::min(equals + 1, item.size())), true);
    if (!value) return std::unexpected(std::move(value.error()));
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

}  // namespace tripod::http
