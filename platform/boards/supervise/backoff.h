#pragma once
// How long to wait before a process that ended is started again: at once the first time, then twice
// as long each time, up to a bound; a process that lived long starts the count anew. Pure.

#include "platform/base/time.h"

namespace tripod::boards {

struct BackoffLimits {
  Duration first = std::chrono::seconds(1);
  Duration max = std::chrono::seconds(60);
  Duration healthy = std::chrono::minutes(2);  // living this long forgives what was before
};

class Backoff {
 public:
  explicit Backoff(BackoffLimits limits = {}) : limits_(limits) {}

  /// The process ended after `lived`; how long to wait.
  Duration next(Duration lived);
  /// Ends in a row, none of which lived long.
  int failures() const { return failures_; }

 private:
  BackoffLimits limits_;
  int failures_ = 0;
};

}  // namespace tripod::boards
