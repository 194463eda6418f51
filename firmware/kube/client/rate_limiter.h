#pragma once
// Client-side rate limits: a token bucket, and exponential back-off per key. Pure; time and random
// draws are arguments.

#include <map>
#include <string>

#include "platform/base/time.h"

namespace tripod::kube {

class TokenBucket {
 public:
  TokenBucket(double per_second, int burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  /// Takes one token, on credit if need be; returns how long to wait before using it.
  Duration reserve(MonotonicTime now);
  /// Takes a token only if there is one.
  bool try_take(MonotonicTime now);
  void set_rate(double per_second) { per_second_ = per_second; }

 private:
  void refill(MonotonicTime now);

  double per_second_;
  double burst_;
  double tokens_;
  MonotonicTime filled_at_{};
};

/// base * 2^n up to max, spread upwards by up to `jitter` (0.5: half as much again).
struct Backoff {
  Duration base;
  Duration max;
  double jitter = 0;

  Duration delay(int failures, std::uint64_t random) const;
};

}  // namespace tripod::kube
