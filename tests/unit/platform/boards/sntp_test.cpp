#include "platform/boards/time/sntp.h"

#include <gtest/gtest.h>

namespace tripod::boards {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t cookie = 0x0123456789abcdef;
const WallTime noon = *parse_rfc3339("2026-11-25T12:00:00Z");

void put(Bytes& packet, std::size_t offset, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i)
    packet[offset + i] = static_cast<char>(static_cast<std::uint8_t>(value >> (56 - 8 * i)));
}

std::uint64_t timestamp(WallTime time) {
  auto since =
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  auto seconds = static_cast<std::uint64_t>(since / 1'000'000 + 2'208'988'800) & 0xffff'ffff;
  auto fraction = (static_cast<std::uint64_t>(since % 1'000'000) << 32) / 1'000'000;
  return seconds << 32 | fraction;
}

Bytes answer(WallTime received, WallTime transmitted, int stratum = 2) {
  Bytes packet(sntp_bytes, '\0');
  packet[0] = 4 << 3 | 4;
  packet[1] = static_cast<char>(stratum);
  put(packet, 24, cookie);
  put(packet, 32, timestamp(received));
  put(packet, 40, timestamp(transmitted));
  return packet;
}

TimeSample sample(std::string server, Duration offset, Duration error) {
  return {.server = std::move(server), .offset = offset, .error = error};
}

TEST(Sntp, finds_the_offset_between_two_clocks) {
  // The server is 10 s ahead, each way takes 20 ms, and it thinks for 5 ms.
  auto found = decode_sntp_answer(answer(noon + 10s + 20ms, noon + 10s + 25ms), cookie, noon,
                                  noon + 45ms, {});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_NEAR(static_cast<double>(found->offset.count()), 10e9, 1e4);
  EXPECT_NEAR(static_cast<double>(found->error.count()), 20e6, 1e4);
}

TEST(Sntp, a_clock_of_1970_is_brought_to_now) {
  WallTime start{};
  auto found = decode_sntp_answer(answer(noon, noon), cookie, start, start + 2ms, {});
  ASSERT_TRUE(found);
  EXPECT_NEAR(static_cast<double>(
                  (start.time_since_epoch() + found->offset - noon.time_since_epoch()).count()),
              0, 2e6);
}

TEST(Sntp, the_second_era_is_read_right) {
  WallTime later = *parse_rfc3339("2040-01-01T00:00:00Z");  // the seconds began anew in 2036
  auto by_clock = decode_sntp_answer(answer(later, later), cookie, later - 1s, later - 1s, {});
  ASSERT_TRUE(by_clock);
  EXPECT_NEAR(static_cast<double>(by_clock->offset.count()), 1e9, 1e4);
  auto by_floor = decode_sntp_answer(answer(later, later), cookie, {}, {}, noon);
  ASSERT_TRUE(by_floor);
  EXPECT_NEAR(static_cast<double>((by_floor->offset - later.time_since_epoch()).count()), 0, 1e4);
}

TEST(Sntp, refuses_what_is_no_answer) {
  auto code = [](const Bytes& packet, std::uint64_t asked) {
    auto found = decode_sntp_answer(packet, asked, noon, noon + 1ms, {});
    return found ? std::optional<ErrorCode>() : found.error().code;
  };
  EXPECT_EQ(code(answer(noon, noon), cookie + 1), ErrorCode::corrupt)
      << "an answer to somebody else";
  EXPECT_EQ(code(answer(noon, noon).substr(0, 47), cookie), ErrorCode::corrupt);
  EXPECT_EQ(code(answer(noon, noon, 0), cookie), ErrorCode::unavailable) << "kiss of death";
  EXPECT_EQ(code(answer(noon, noon, 16), cookie), ErrorCode::unavailable);
  EXPECT_EQ(code(answer(noon + 1s, noon), cookie), ErrorCode::corrupt)
      << "sent before it was received";
  Bytes unsynchronized = answer(noon, noon);
  unsynchronized[0] = static_cast<char>(static_cast<std::uint8_t>(3 << 6 | 4 << 3 | 4));
  EXPECT_EQ(code(unsynchronized, cookie), ErrorCode::unavailable);
  Bytes vague = answer(noon, noon);
  vague[9] = 9;  // a root dispersion of nine seconds
  EXPECT_EQ(code(vague, cookie), ErrorCode::unavailable);
}

TEST(Sntp, a_liar_is_outvoted) {
  const std::vector<TimeSample> samples = {sample("a", 10ms, 5ms), sample("liar", 1h, 1ms),
                                           sample("b", 12ms, 3ms)};
  auto chosen = choose_time(samples);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->server, "b");
}

TEST(Sntp, without_a_majority_nobody_is_believed) {
  EXPECT_EQ(choose_time(std::vector{sample("a", 0s, 5ms), sample("b", 1h, 5ms)}).error(),
            ErrorCode::conflict);
  EXPECT_EQ(choose_time({}).error(), ErrorCode::unavailable);
  EXPECT_EQ(choose_time(std::vector{sample("a", 1h, 5ms)})->server, "a");
}

TEST(Sntp, small_offsets_are_drifted_away) {
  EXPECT_EQ(decide_change(1ms, false), ClockChange::none);
  EXPECT_EQ(decide_change(-100ms, false), ClockChange::slew);
  EXPECT_EQ(decide_change(-100ms, true), ClockChange::step);
  EXPECT_EQ(decide_change(-2h, false), ClockChange::step);
}

}  // namespace
}  // namespace tripod::boards
