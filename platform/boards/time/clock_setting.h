#pragma once
// The system's clock, set. Calls block only for moments.

#include "platform/base/result.h"
#include "platform/base/time.h"

namespace tripod::boards {

WallTime read_clock();
Result<> step_clock(WallTime to);
/// Lets it drift to `offset` from now, at 500 ppm as adjtime(3) does.
Result<> slew_clock(Duration offset);
/// Into the battery-backed clock, on a board that has one; false when it has none.
bool save_to_rtc(WallTime time);

}  // namespace tripod::boards
