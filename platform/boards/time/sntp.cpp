#include "platform/boards/time/sntp.h"

#include <algorithm>
#include <vector>

namespace tripod::boards {
namespace {

constexpr std::int64_t seconds_1900_to_1970 = 2'208'988'800;
constexpr std::int64_t era_seconds = std::int64_t{1} << 32;
constexpr std::uint8_t version_and_client = 4 << 3 | 3;
constexpr int mode_server = 4;
constexpr int leap_unknown = 3;
constexpr int stratum_max = 15;
constexpr Duration error_max = std::chrono::seconds(4);
constexpr Duration error_min = std::chrono::milliseconds(1);
constexpr Duration step_from = std::chrono::milliseconds(500);
constexpr Duration ignore_below = std::chrono::milliseconds(2);

std::uint64_t read_64(BytesView packet, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value = value << 8 | static_cast<std::uint8_t>(packet[offset + i]);
  return value;
}

/// 16.16 seconds.
Duration read_short(BytesView packet, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<std::uint8_t>(packet[offset + i]);
  return Duration(static_cast<std::int64_t>(std::uint64_t{value} * 1'000'000'000 >> 16));
}

/// Since 1970, in the era that is nearest to `pivot`.
Duration to_unix(std::uint64_t timestamp, Duration pivot) {
  std::int64_t seconds = static_cast<std::int64_t>(timestamp >> 32) - seconds_1900_to_1970;
  std::int64_t pivot_seconds = std::chrono::duration_cast<std::chrono::seconds>(pivot).count();
  while (seconds < pivot_seconds - era_seconds / 2) seconds += era_seconds;
  auto fraction = static_cast<std::int64_t>((timestamp & 0xffff'ffff) * 1'000'000'000 >> 32);
  return std::chrono::seconds(seconds) + Duration(fraction);
}

}  // namespace

Bytes encode_sntp_request(std::uint64_t cookie) {
  Bytes packet(sntp_bytes, '\0');
  packet[0] = static_cast<char>(version_and_client);
  for (std::size_t i = 0; i < 8; ++i)
    packet[40 + i] = static_cast<char>(static_cast<std::uint8_t>(cookie >> (56 - 8 * i)));
  return packet;
}

Result<TimeSample> decode_sntp_answer(BytesView packet, std::uint64_t cookie, WallTime sent,
                                      WallTime received, WallTime floor) {
  if (packet.size() < sntp_bytes) return fail(ErrorCode::corrupt, "the answer is too short");
  auto first = static_cast<std::uint8_t>(packet[0]);
  if ((first & 7) != mode_server || read_64(packet, 24) != cookie) {
    return fail(ErrorCode::corrupt, "not an answer to what was asked");
  }
  int stratum = static_cast<std::uint8_t>(packet[1]);
  std::uint64_t transmitted = read_64(packet, 40);
  if (stratum == 0 || stratum > stratum_max || first >> 6 == leap_unknown || transmitted == 0) {
    return fail(ErrorCode::unavailable, "the server knows no time itself");
  }
  const Duration t1 = sent.time_since_epoch();
  const Duration t4 = received.time_since_epoch();
  const Duration pivot = std::max<Duration>(t4, floor.time_since_epoch());
  const Duration t2 = to_unix(read_64(packet, 32), pivot);
  const Duration t3 = to_unix(transmitted, pivot);
  const Duration there_and_back = (t4 - t1) - (t3 - t2);
  if (t3 < t2 || there_and_back < Duration(0)) {
    return fail(ErrorCode::corrupt, "the answer's times contradict one another");
  }
  TimeSample sample;
  sample.offset = ((t2 - t1) + (t3 - t4)) / 2;
  sample.error =
      std::max(error_min, there_and_back / 2 + read_short(packet, 4) / 2 + read_short(packet, 8));
  if (sample.error > error_max) {
    return fail(ErrorCode::unavailable, "the server's answer is too vague");
  }
  return sample;
}

Result<TimeSample> choose_time(std::span<const TimeSample> samples) {
  if (samples.empty()) return fail(ErrorCode::unavailable, "no time server answered");
  std::size_t best_count = 0;
  Duration best{0};
  // The largest overlap begins where some interval begins.
  for (const TimeSample& start : samples) {
    const Duration at = start.offset - start.error;
    auto holds_it = [at](const TimeSample& each) {
      return each.offset - each.error <= at && at <= each.offset + each.error;
    };
    auto count = static_cast<std::size_t>(std::ranges::count_if(samples, holds_it));
    if (count > best_count) {
      best_count = count;
      best = at;
    }
  }
  if (2 * best_count <= samples.size()) {
    return fail(ErrorCode::conflict,
                std::format("{} time servers answered and no majority agrees", samples.size()));
  }
  const TimeSample* chosen = nullptr;
  for (const TimeSample& each : samples) {
    const bool agrees = each.offset - each.error <= best && best <= each.offset + each.error;
    if (agrees && (chosen == nullptr || each.error < chosen->error)) chosen = &each;
  }
  return *chosen;
}

ClockChange decide_change(Duration offset, bool first) {
  const Duration size = offset < Duration(0) ? -offset : offset;
  if (size < ignore_below) return ClockChange::none;
  if (size >= step_from) return ClockChange::step;
  return first ? ClockChange::step : ClockChange::slew;
}

}  // namespace tripod::boards
