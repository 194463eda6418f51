#include "platform/grpc/framing.h"

#include <charconv>

namespace tripod::grpc {
namespace {

constexpr std::string_view digits = "0123456789ABCDEF";

std::size_t length_at(BytesView prefix) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < prefix_bytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  }
  return length;
}

int hex_digit(char c) {
  const std::size_t at = digits.find(c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

Bytes prefix_of(std::size_t message_bytes) {
  Bytes prefix(prefix_bytes, '\0');
  for (std::size_t i = prefix_bytes - 1; i > 0; --i) {
    prefix[i] = static_cast<char>(message_bytes & 0xff);
    message_bytes >>= 8;
  }
  return prefix;
}

Bytes framed(Bytes message) {
  const Bytes prefix = prefix_of(message.size());
  message.insert(0, prefix);
  return message;
}

void MessageReader::feed(Bytes piece) {
  buffer_.erase(0, start_);
  start_ = 0;
  if (buffer_.empty()) {
    buffer_ = std::move(piece);
  } else {
    buffer_ += piece;
  }
}

Reply<std::optional<Bytes>> MessageReader::next() {
  const BytesView rest = BytesView(buffer_).substr(start_);
  if (rest.size() < prefix_bytes) return std::nullopt;
  const std::size_t length = length_at(rest);
  if (rest[0] == 1) {
    return reject(StatusCode::internal,
                  "grpc: compressed flag set with identity or empty encoding");
  }
  if (rest[0] != 0) {
    return reject(StatusCode::internal,
                  std::format("grpc: received unexpected payload format {}", int{rest[0]}));
  }
  if (length > message_bytes_max_) {
    return reject(StatusCode::resource_exhausted,
                  std::format("grpc: received message larger than max ({} vs. {})", length,
                              message_bytes_max_));
  }
  if (rest.size() < prefix_bytes + length) return std::nullopt;
  Bytes message;
  if (start_ == 0 && rest.size() == prefix_bytes + length) {
    message = std::exchange(buffer_, {});
    message.erase(0, prefix_bytes);
    return message;
  }
  message = rest.substr(prefix_bytes, length);
  start_ += prefix_bytes + length;
  if (start_ == buffer_.size()) {
    buffer_.clear();
    start_ = 0;
  }
  return message;
}

std::string encode_status_message(std::string_view message) {
  std::string out;
  out.reserve(message.size());
  for (const char c : message) {
    if (c >= ' ' && c <= '~' && c != '%') {
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

std::string decode_status_message(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

Result<Duration> parse_timeout(std::string_view text) {
  using namespace std::chrono;
  std::int64_t value = 0;
  const char* last = text.data() + text.size() - 1;
  if (text.size() < 2 || text.size() > 9 || text.front() == '-' ||
      std::from_chars(text.data(), last, value).ptr != last) {
    return fail(ErrorCode::invalid, std::format("malformed grpc-timeout \"{}\"", text));
  }
  constexpr std::int64_t hours_max = 24 * 365 * 100;
  switch (text.back()) {
    case 'H': return hours(std::min(value, hours_max));
    case 'M': return minutes(std::min(value, hours_max * 60));
    case 'S': return seconds(value);
    case 'm': return milliseconds(value);
    case 'u': return microseconds(value);
    case 'n': return nanoseconds(value);
    default: return fail(ErrorCode::invalid, std::format("malformed grpc-timeout \"{}\"", text));
  }
}

std::string format_timeout(Duration timeout) {
  using namespace std::chrono;
  constexpr std::int64_t value_max = 99'999'999;
  const std::int64_t count = std::max<std::int64_t>(timeout.count(), 1);
  if (count <= value_max) return std::format("{}n", count);
  if (count / 1000 <= value_max) return std::format("{}u", count / 1000);
  if (count / 1'000'000 <= value_max) return std::format("{}m", count / 1'000'000);
  return std::format("{}S", std::min(count / 1'000'000'000, value_max));
}

StatusCode code_of_http_status(int status) {
  switch (status) {
    case 400: return StatusCode::internal;
    case 401: return StatusCode::unauthenticated;
    case 403: return StatusCode::permission_denied;
    case 404: return StatusCode::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return StatusCode::unavailable;
    default: return StatusCode::unknown;
  }
}

}  // namespace tripod::grpc
