#include "platform/boards/supervise/watchdog.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace tripod::boards {
namespace {

std::string seconds(Duration duration) {
  return std::format("{} s", std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

}  // namespace

std::optional<std::string> reason_to_reboot(const ServerState& state, const WatchdogLimits& limits,
                                            MonotonicTime now) {
  if (state.crashes >= limits.crashes) {
    return std::format("the server crashed {} times in a row", state.crashes);
  }
  if (!state.running) return std::nullopt;  // it is about to be started again
  const Duration silent = now - state.last_sign;
  if (!state.serving && silent >= limits.start) {
    return std::format("the server did not come up within {}", seconds(silent));
  }
  if (state.serving && silent >= limits.silence) {
    return std::format("the server's loop has hung for {}", seconds(silent));
  }
  if (state.sick_since && now - *state.sick_since >= limits.sick) {
    return std::format("the server has been sick for {}", seconds(now - *state.sick_since));
  }
  return std::nullopt;
}

Result<Watchdog> Watchdog::open(const std::string& device, std::chrono::seconds timeout) {
  auto file = open_file(device, O_WRONLY);
  if (!file) return std::unexpected(file.error());
  int wanted = static_cast<int>(timeout.count());
  if (::ioctl(file->get(), WDIOC_SETTIMEOUT, &wanted) != 0) {
    // Some know one period only: take that.
    if (::ioctl(file->get(), WDIOC_GETTIMEOUT, &wanted) != 0) wanted = 15;
  }
  watchdog_info info{};
  std::string name = device;
  if (::ioctl(file->get(), WDIOC_GETSUPPORT, &info) == 0) {
    info.identity[sizeof(info.identity) - 1] = 0;
    name = reinterpret_cast<const char*>(info.identity);
  }
  return Watchdog(std::move(*file), std::chrono::seconds(wanted), std::move(name));
}

void Watchdog::feed() {
  std::ignore = ::ioctl(device_.get(), WDIOC_KEEPALIVE, 0);
}

void Watchdog::extend(std::chrono::seconds timeout) {
  int wanted = static_cast<int>(timeout.count());
  std::ignore = ::ioctl(device_.get(), WDIOC_SETTIMEOUT, &wanted);
  feed();
}

void Watchdog::disarm() {
  constexpr char magic = 'V';  // Documentation/watchdog/watchdog-api: "Magic Close"
  std::ignore = ::write(device_.get(), &magic, 1);
  device_.reset();
}

}  // namespace tripod::boards
