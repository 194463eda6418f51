#include "platform/boards/update/trial.h"

#include <format>

namespace tripod::boards {

void Trial::health(bool healthy, std::string_view why, MonotonicTime now) {
  last_sign_ = now;
  if (!healthy) {
    healthy_since_.reset();
    why_ = why;
  } else if (!healthy_since_) {
    healthy_since_ = now;
    why_ = "it was not healthy for long enough";
  }
}

Trial::Verdict Trial::verdict(MonotonicTime now) const {
  if (healthy_since_ && last_sign_ - *healthy_since_ >= limits_.healthy) return Verdict::keep;
  return now - begun_ >= limits_.patience ? Verdict::give_up : Verdict::wait;
}

std::string Trial::reason() const {
  return std::format("it was not healthy within {} s: {}",
                     std::chrono::duration_cast<std::chrono::seconds>(limits_.patience).count(),
                     why_);
}

}  // namespace tripod::boards
