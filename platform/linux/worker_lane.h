#pragma once
// os::Lane on libuv's thread pool: an ordered queue, one job at a time.

#include <deque>

#include "platform/linux/loop.h"
#include "platform/os/storage.h"

namespace tripod::linux_os {

class WorkerLane final : public os::Lane {
 public:
  explicit WorkerLane(Loop& loop) : loop_(loop) {}
  /// No job may be queued or running.
  ~WorkerLane() override;

  void run(os::Callback work, os::Callback done) override;

 private:
  struct Job {
    os::Callback work;
    os::Callback done;
  };

  void begin_next();
  void ended();

  Loop& loop_;
  uv_work_t request_{};
  std::deque<Job> queue_;
  Job current_;  // the pool's while running_
  bool running_ = false;
};

}  // namespace tripod::linux_os
