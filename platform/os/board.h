#pragma once
// The machine under the appliance, and the bundle of everything that platform/os offers.

#include <cstdint>
#include <functional>
#include <string>

#include "platform/base/log.h"
#include "platform/os/clock.h"
#include "platform/os/network.h"
#include "platform/os/storage.h"

namespace tripod::os {

/// Figures of this process, for /metrics.
struct ProcessUsage {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t descriptors_max = 0;
  double start_unix_seconds = 0;
};

class Board {
 public:
  virtual ~Board() = default;
  virtual std::string hostname() const = 0;
  virtual ProcessUsage usage() const = 0;
  /// Of this process, as whoever started it has set it; empty when it is not set.
  virtual std::string environment(const std::string& name) const = 0;
  /// Hands freed memory back to the operating system, where the allocator can.
  virtual void release_memory() = 0;
};

/// Everything a module may ask of the world. Members outlive whoever was given the bundle.
struct World {
  Executor& executor;
  Clock& clock;
  Network& network;
  Storage& storage;
  Lane& storage_lane;
  Lane& log_lane;  // of the log whose appends nothing else on the disk should hold up
  Lane& crypto_lane;
  Entropy& entropy;
  Board& board;
  LogSink& log;
};

}  // namespace tripod::os
