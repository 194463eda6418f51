#include "firmware/kube/protobuf/well_known.h"

#include <format>

#include "firmware/kube/protobuf/wire.h"
#include "platform/base/time.h"

namespace tripod::kube::protobuf {

namespace {

constexpr std::int64_t seconds_of_year_1 = -62'135'596'800;
constexpr std::int64_t seconds_of_year_10000 = 253'402'300'800;
constexpr std::int64_t nanos_per_second = 1'000'000'000;

struct Parts {
  std::int64_t number_1 = 0;
  std::int64_t number_2 = 0;
  BytesView bytes_1;
  BytesView bytes_3;
};

/// All these messages together have no more than this. Error: malformed bytes.
Result<Parts> parts_of(BytesView message) {
  Parts parts;
  Reader reader(message);
  WireField field;
  while (reader.next(field)) {
    const bool is_number = field.type == WireType::varint;
    const bool is_bytes = field.type == WireType::bytes;
    if (field.number == 1 && is_number) parts.number_1 = static_cast<std::int64_t>(field.value);
    if (field.number == 2 && is_number) parts.number_2 = static_cast<std::int64_t>(field.value);
    if (field.number == 1 && is_bytes) parts.bytes_1 = field.bytes;
    if (field.number == 3 && is_bytes) parts.bytes_3 = field.bytes;
  }
  if (!reader.ok()) return fail(ErrorCode::invalid, "malformed message");
  return parts;
}

/// "5s", "0.25s": without trailing zeros.
std::string decimal_seconds(std::uint64_t whole, std::uint64_t nanos) {
  std::string text = std::format("{}.{:09}", whole, nanos);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text + "s";
}

}  // namespace

Result<json::Value> to_text(BytesView bytes) {
  if (!is_utf8(bytes)) return fail(ErrorCode::invalid, "string is not valid UTF-8");
  return json::Value(json::String(bytes));
}

Result<json::Value> read_time(BytesView message, bool micro) {
  if (message.empty()) return json::Value();
  auto parts = parts_of(message);
  if (!parts) return std::unexpected(parts.error());
  const std::int64_t seconds = parts->number_1;
  const std::int64_t nanos = parts->number_2;
  if (seconds < seconds_of_year_1 || seconds >= seconds_of_year_10000 || nanos < 0 ||
      nanos >= nanos_per_second)
    return fail(ErrorCode::invalid, "time out of range");
  if (seconds == seconds_of_year_1 && nanos == 0) return json::Value();
  const WallTime time(std::chrono::seconds(seconds) + std::chrono::microseconds(nanos / 1000));
  return json::Value(json::String(micro ? to_rfc3339_micro(time) : to_rfc3339(time)));
}

Result<json::Value> read_duration(BytesView message) {
  auto parts = parts_of(message);
  if (!parts) return std::unexpected(parts.error());
  const bool negative = parts->number_1 < 0;
  const auto bits = static_cast<std::uint64_t>(parts->number_1);
  const std::uint64_t total = negative ? 0 - bits : bits;
  const std::uint64_t whole = total / nanos_per_second;
  std::string text = negative ? "-" : "";
  if (total == 0) {
    text += "0s";
  } else if (total < 1000) {
    text += std::format("{}ns", total);
  } else if (total < nanos_per_second) {
    const bool micros = total < 1'000'000;
    std::string small = micros ? decimal_seconds(total / 1000, total % 1000 * 1'000'000)
                               : decimal_seconds(total / 1'000'000, total % 1'000'000 * 1000);
    small.insert(small.size() - 1, micros ? "µ" : "m");
    text += small;
  } else {
    if (whole >= 3600) text += std::format("{}h", whole / 3600);
    if (whole >= 60) text += std::format("{}m", whole / 60 % 60);
    text += decimal_seconds(whole % 60, total % nanos_per_second);
  }
  return json::Value(json::String(text));
}

Result<json::Value> read_quantity(BytesView message) {
  auto parts = parts_of(message);
  if (!parts) return std::unexpected(parts.error());
  return parts->bytes_1.empty() ? json::Value("0") : to_text(parts->bytes_1);
}

Result<json::Value> read_int_or_string(BytesView message) {
  auto parts = parts_of(message);
  if (!parts) return std::unexpected(parts.error());
  if (parts->number_1 == 1) return to_text(parts->bytes_3);
  if (parts->number_1 == 0) {
    return json::Value(std::int64_t{static_cast<std::int32_t>(parts->number_2)});
  }
  return fail(ErrorCode::invalid, "neither a number nor a string");
}

Result<json::Value> read_raw(BytesView message, const json::Limits& limits) {
  auto parts = parts_of(message);
  if (!parts) return std::unexpected(parts.error());
  if (parts->bytes_1.empty()) return json::Value();
  return json::parse(parts->bytes_1, limits);
}

}  // namespace tripod::kube::protobuf
