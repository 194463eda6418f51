#pragma once
// os::Lane as a thread of its own: an ordered queue, one job at a time. The thread starts with the
// first job. A job begins when the loop's turn has ended: what the turn sends is on its way before
// the thread takes the processor. (libuv's pool wakes any of its threads at once, which then waits
// for the lock that its waker still holds: twice the switches.)

#include <semaphore.h>

#include <atomic>
#include <deque>
#include <thread>

#include "platform/linux/loop.h"
#include "platform/os/storage.h"

namespace tripod::linux_os {

class WorkerLane final : public os::Lane {
 public:
  explicit WorkerLane(Loop& loop);
  /// No job may be queued or running.
  ~WorkerLane() override;

  void run(os::Callback work, os::Callback done) override;
  void begin_now() override;

 private:
  struct Job {
    os::Callback work;
    os::Callback done;
  };

  void begin_next();
  void work_until_ended();
  void finished();

  UvHandle<uv_async_t> bell_;      // rung by the thread when a job is done
  UvHandle<uv_prepare_t> turned_;  // at the end of the loop's turn: the thread may begin
  std::deque<Job> queue_;
  Job current_;  // the thread's while running_
  bool running_ = false;
  std::atomic<bool> done_ = false;  // the thread is through with current_
  bool ending_ = false;             // the thread is to end; handed over by begin_
  sem_t begin_{};
  std::thread thread_;
};

}  // namespace tripod::linux_os
