#include "platform/boards/supervise/backoff.h"

namespace tripod::boards {

Duration Backoff::next(Duration lived) {
  if (lived >= limits_.healthy) failures_ = 0;
  ++failures_;
  if (failures_ == 1) return Duration(0);
  Duration wait = limits_.first;
  for (int i = 2; i < failures_ && wait < limits_.max; ++i) wait *= 2;
  return std::min(wait, limits_.max);
}

}  // namespace tripod::boards
