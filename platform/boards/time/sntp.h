#pragma once
// Simple network time (RFC 5905 and RFC 4330, client mode): the packet, what one answer says about
// our clock, and which of several answers to believe. Pure.

#include <optional>
#include <span>
#include <string>

#include "platform/base/bytes.h"
#include "platform/base/result.h"
#include "platform/base/time.h"

namespace tripod::boards {

inline constexpr std::size_t sntp_bytes = 48;

/// A request whose transmit time is `cookie`: a random number, so that only an answer to this very
/// request fits it.
Bytes encode_sntp_request(std::uint64_t cookie);

/// What one exchange says. Times of ours are of one clock: `sent` and `received`.
struct TimeSample {
  std::string server;
  Duration offset{0};  // to add to our clock
  Duration error{0};   // the offset is at most this wrong, as far as the server is right
};

/// Fails with `corrupt` on what is no answer to `cookie`, with `unavailable` when the server says
/// that it knows no time itself. The era of the 32-bit seconds is the one nearest to `received`, or
/// to `floor` when that is later.
Result<TimeSample> decode_sntp_answer(BytesView packet, std::uint64_t cookie, WallTime sent,
                                      WallTime received, WallTime floor);

/// The offset that most servers agree on: intervals of more than half of them overlap in it
/// (Marzullo's algorithm, as RFC 5905 section 11.2.1), and the one with the smallest error speaks
/// for them. Fails when there is no majority.
Result<TimeSample> choose_time(std::span<const TimeSample> samples);

/// What to do about an offset.
enum class ClockChange : std::uint8_t {
  none,  // too small to matter
  slew,  // let the clock run a little faster or slower: no time is seen twice
  step,  // too far: set it
};
ClockChange decide_change(Duration offset, bool first);

}  // namespace tripod::boards
