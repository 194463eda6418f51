#pragma once
// Two kinds of time that never mix. MonotonicTime orders and measures within one process; WallTime
// is what people and certificates mean, and may jump.

#include <chrono>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace tripod {

using Duration = std::chrono::nanoseconds;
using Milliseconds = std::chrono::milliseconds;

struct MonotonicClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

using MonotonicTime = MonotonicClock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

/// RFC 3339 in UTC with whole seconds, as metav1.Time: "2026-11-21T09:08:42Z".
std::string to_rfc3339(WallTime time);
/// RFC 3339 in UTC with six decimals, as metav1.MicroTime: "2026-11-21T09:08:42.000000Z".
std::string to_rfc3339_micro(WallTime time);
/// Accepts any number of decimals and any offset.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace tripod
