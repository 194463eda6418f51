#pragma once
// The loop's turn queue, time and randomness, as the rest of the house sees them.
// Implemented by platform/linux and, under one seed, by platform/sim.

#include <functional>
#include <memory>
#include <span>

#include "platform/base/time.h"

namespace tripod::os {

using Callback = std::move_only_function<void()>;

/// Runs callbacks one after another on the loop thread, in the order posted. Loop thread only.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(Callback callback) = 0;
};

/// An operation under way, or a timer. Destroying it cancels it: the callback is then never called.
class Operation {
 public:
  virtual ~Operation() = default;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() const = 0;
  virtual WallTime wall_now() const = 0;
  /// Calls back once, at or after `when`, on the loop thread, never from within this call.
  [[nodiscard]] virtual std::unique_ptr<Operation> call_at(MonotonicTime when,
                                                           Callback callback) = 0;
};

class Entropy {
 public:
  virtual ~Entropy() = default;
  /// Unpredictable bytes on a real board; the seed's next ones in the simulator.
  virtual void fill(std::span<std::byte> out) = 0;

  std::uint64_t next() {
    std::uint64_t value = 0;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
};

}  // namespace tripod::os
