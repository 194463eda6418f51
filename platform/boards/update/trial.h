#pragma once
// The trial of a slot that was started once: kept when the board has been healthy for a while,
// given up when it has not been by the deadline. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "platform/base/time.h"

namespace tripod::boards {

struct TrialLimits {
  Duration healthy = std::chrono::seconds(20);  // in a row
  Duration patience = std::chrono::minutes(5);  // since process 1 began
};

class Trial {
 public:
  enum class Verdict : std::uint8_t { wait, keep, give_up };

  Trial(TrialLimits limits, MonotonicTime now) : limits_(limits), begun_(now) {}

  /// A sign of life; `why` it is not a healthy one. Silence proves nothing: health lasts from the
  /// first healthy sign to the last one.
  void health(bool healthy, std::string_view why, MonotonicTime now);
  Verdict verdict(MonotonicTime now) const;
  /// For the record: why it is given up.
  std::string reason() const;

 private:
  TrialLimits limits_;
  MonotonicTime begun_;
  std::optional<MonotonicTime> healthy_since_;
  MonotonicTime last_sign_;
  std::string why_ = "the server did not start";
};

}  // namespace tripod::boards
