#include "platform/base/time.h"

#include <charconv>
#include <format>

namespace tripod {
namespace {

/// Reads exactly `digits` decimal digits off the front of `text`.
bool take_number(std::string_view& text, std::size_t digits, int& out) {
  if (text.size() < digits) return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + digits, out);
  if (error != std::errc{} || end != text.data() + digits) return false;
  text.remove_prefix(digits);
  return true;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// ".123456789" -> microseconds; absent is zero.
bool take_fraction(std::string_view& text, std::chrono::microseconds& out) {
  if (!take_char(text, ".")) return true;
  long micros = 0;
  long scale = 100000;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9';
       ++digits, scale /= 10) {
    micros += (text[digits] - '0') * scale;
  }
  text.remove_prefix(digits);
  out = std::chrono::microseconds(micros);
  return digits > 0;
}

bool take_offset(std::string_view& text, std::chrono::minutes& out) {
  if (take_char(text, "Zz")) return true;
  int sign = !text.empty() && text.front() == '-' ? -1 : 1;
  int hours = 0;
  int minutes = 0;
  if (!take_char(text, "+-") || !take_number(text, 2, hours) || !take_char(text, ":") ||
      !take_number(text, 2, minutes)) {
    return false;
  }
  out = std::chrono::minutes(sign * (hours * 60 + minutes));
  return true;
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  return std::format("{:%FT%TZ}", std::chrono::floor<std::chrono::seconds>(time));
}

std::string to_rfc3339_micro(WallTime time) {
  return std::format("{:%FT%TZ}", time);
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  std::string_view rest = text;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::chrono::microseconds fraction{0};
  std::chrono::minutes offset{0};
  bool shape = take_number(rest, 4, year) && take_char(rest, "-") && take_number(rest, 2, month) &&
               take_char(rest, "-") && take_number(rest, 2, day) && take_char(rest, "Tt") &&
               take_number(rest, 2, hour) && take_char(rest, ":") && take_number(rest, 2, minute) &&
               take_char(rest, ":") && take_number(rest, 2, second) &&
               take_fraction(rest, fraction) && take_offset(rest, offset) && rest.empty();
  std::chrono::year_month_day date{std::chrono::year(year),
                                   std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!shape || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return fail(
        ErrorCode::invalid,
        std::format("\"{}\" is not a time; expected RFC 3339, as 2006-01-02T15:04:05Z", text));
  }
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second) + fraction - offset;
}

}  // namespace tripod
