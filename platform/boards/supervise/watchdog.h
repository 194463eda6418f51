#pragma once
// The hardware watchdog, which reboots a board that nobody feeds, and the rule that says when to
// feed it. The rule is pure.

#include <chrono>
#include <optional>
#include <string>

#include "platform/base/time.h"
#include "platform/boards/supervise/heartbeat.h"
#include "platform/boards/system/files.h"

namespace tripod::boards {

/// What process 1 knows about its server.
struct ServerState {
  bool running = false;
  bool serving = false;     // it has said that it is no longer starting
  MonotonicTime last_sign;  // of life: its start, or its last heartbeat
  std::optional<MonotonicTime> sick_since;
  int crashes = 0;  // in a row; ends that it explained (a configuration it cannot use) are none
};

struct WatchdogLimits {
  Duration silence = std::chrono::seconds(30);  // of a server that serves: its loop hangs
  Duration start = std::chrono::minutes(5);     // of one that starts: it may replay a long log
  Duration sick = std::chrono::minutes(10);
  int crashes = 20;
};

/// Nothing: feed. Otherwise why the board is to reboot.
std::optional<std::string> reason_to_reboot(const ServerState& state, const WatchdogLimits& limits,
                                            MonotonicTime now);

class Watchdog {
 public:
  /// Fails with `not_found` on a board that has none.
  static Result<Watchdog> open(const std::string& device, std::chrono::seconds timeout);

  void feed();
  /// Gives an orderly reboot more time; it stays armed.
  void extend(std::chrono::seconds timeout);
  /// Switches it off, as far as the hardware can be; before the power goes.
  void disarm();
  std::chrono::seconds timeout() const { return timeout_; }
  const std::string& name() const { return name_; }

 private:
  Watchdog(Descriptor device, std::chrono::seconds timeout, std::string name)
      : device_(std::move(device)), timeout_(timeout), name_(std::move(name)) {}

  Descriptor device_;
  std::chrono::seconds timeout_;
  std::string name_;
};

}  // namespace tripod::boards
