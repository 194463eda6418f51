#include "platform/boards/time/clock_setting.h"

#include <fcntl.h>
#include <linux/rtc.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

#include "platform/boards/system/files.h"

namespace tripod::boards {

WallTime read_clock() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return WallTime(std::chrono::seconds(time.tv_sec) +
                  std::chrono::microseconds(time.tv_nsec / 1000));
}

Result<> step_clock(WallTime to) {
  using namespace std::chrono;
  auto since = to.time_since_epoch();
  timespec time{};
  time.tv_sec = static_cast<time_t>(duration_cast<seconds>(since).count());
  time.tv_nsec = static_cast<long>(duration_cast<nanoseconds>(since % seconds(1)).count());
  if (clock_settime(CLOCK_REALTIME, &time) != 0) return os_failure("setting the clock");
  return {};
}

Result<> slew_clock(Duration offset) {
  auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(offset).count();
  timeval change{};
  change.tv_sec = static_cast<time_t>(microseconds / 1'000'000);
  change.tv_usec = static_cast<suseconds_t>(microseconds % 1'000'000);
  if (adjtime(&change, nullptr) != 0) return os_failure("adjusting the clock");
  return {};
}

bool save_to_rtc(WallTime time) {
  auto device = open_file("/dev/rtc0", O_RDONLY);
  if (!device) return false;
  auto seconds = static_cast<time_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
  tm broken{};
  if (gmtime_r(&seconds, &broken) == nullptr) return false;
  rtc_time out{};
  out.tm_sec = broken.tm_sec;
  out.tm_min = broken.tm_min;
  out.tm_hour = broken.tm_hour;
  out.tm_mday = broken.tm_mday;
  out.tm_mon = broken.tm_mon;
  out.tm_year = broken.tm_year;
  return ::ioctl(device->get(), RTC_SET_TIME, &out) == 0;
}

}  // namespace tripod::boards
