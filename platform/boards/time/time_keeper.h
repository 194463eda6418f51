#pragma once
// Keeps the board's clock by asking time servers: soon after the network is there, then now and
// then. A clock may only be set to a time after `floor`, the latest moment that is known to have
// passed. Loop thread only.

#include <functional>
#include <memory>
#include <vector>

#include "platform/async/task.h"
#include "platform/base/log.h"
#include "platform/boards/system/files.h"
#include "platform/boards/time/sntp.h"
#include "platform/linux/loop.h"
#include "platform/os/board.h"

namespace tripod::boards {

class TimeKeeper {
 public:
  struct Options {
    WallTime floor;
    std::function<std::vector<std::string>()> servers;  // names or addresses, asked for each round
    std::function<void()> changed;                      // the clock was set, or lost its servers
  };

  TimeKeeper(Options options, os::World world, linux_os::Loop& loop, const Logger& log);

  /// Runs until its scope is cancelled.
  Task<void> run();
  /// True once the clock was compared with servers.
  bool synchronized() const { return synchronized_; }
  /// For people: "synchronized with 192.168.1.1", "not synchronized: no time server answered".
  const std::string& status() const { return status_; }

 private:
  struct Exchange;
  Task<Result<TimeSample>> ask_all(std::vector<std::string> servers);
  Task<std::vector<std::string>> addresses_of(std::vector<std::string> servers);
  Result<> apply(const TimeSample& sample);

  Options options_;
  os::World world_;
  linux_os::Loop& loop_;
  Logger log_;
  bool synchronized_ = false;
  std::string status_ = "not synchronized";
};

}  // namespace tripod::boards
