#include "firmware/kube/client/rate_limiter.h"

namespace tripod::kube {

void TokenBucket::refill(MonotonicTime now) {
  if (now > filled_at_) {
    const double seconds = std::chrono::duration<double>(now - filled_at_).count();
    tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
    filled_at_ = now;
  }
}

Duration TokenBucket::reserve(MonotonicTime now) {
  if (per_second_ <= 0) return Duration::zero();
  refill(now);
  tokens_ -= 1;
  if (tokens_ >= 0) return Duration::zero();
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(-tokens_ / per_second_));
}

bool TokenBucket::try_take(MonotonicTime now) {
  refill(now);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

Duration Backoff::delay(int failures, std::uint64_t random) const {
  Duration value = base;
  for (int i = 0; i < failures && value < max; ++i) value *= 2;
  value = std::min(value, max);
  const double spread = jitter * static_cast<double>(random % 1024) / 1024.0;
  return value + std::chrono::duration_cast<Duration>(value * spread);
}

}  // namespace tripod::kube
