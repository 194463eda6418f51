#include "platform/linux/worker_lane.h"

#include <cerrno>

#include "platform/base/check.h"

namespace tripod::linux_os {

WorkerLane::WorkerLane(Loop& loop) : bell_(this), turned_(this) {
  int status = uv_async_init(loop.uv(), bell_.get(), [](uv_async_t* bell) {
    if (auto* lane = owner_of<WorkerLane>(bell)) lane->finished();
  });
  CHECK(status == 0, uv_strerror(status));
  CHECK(uv_prepare_init(loop.uv(), turned_.get()) == 0);
  CHECK(sem_init(&begin_, 0, 0) == 0);
}

WorkerLane::~WorkerLane() {
  CHECK(queue_.empty() && !running_, "a lane died with work in it");
  if (thread_.joinable()) {
    ending_ = true;
    sem_post(&begin_);
    thread_.join();
  }
  sem_destroy(&begin_);
}

void WorkerLane::run(os::Callback work, os::Callback done) {
  queue_.push_back({std::move(work), std::move(done)});
  if (!running_) begin_next();
}

void WorkerLane::begin_next() {
  running_ = true;
  current_ = std::move(queue_.front());
  queue_.pop_front();
  if (!thread_.joinable()) thread_ = std::thread([this] { work_until_ended(); });
  uv_prepare_start(turned_.get(),
                   [](uv_prepare_t* turned) { owner_of<WorkerLane>(turned)->begin_now(); });
}

void WorkerLane::begin_now() {
  if (uv_is_active(turned_.base()) == 0) return;
  uv_prepare_stop(turned_.get());
  sem_post(&begin_);
}

void WorkerLane::work_until_ended() {
  while (true) {
    while (sem_wait(&begin_) != 0) CHECK(errno == EINTR, "sem_wait");
    if (ending_) return;
    current_.work();
    done_.store(true, std::memory_order_release);
    CHECK(uv_async_send(bell_.get()) == 0);
  }
}

void WorkerLane::finished() {
  CHECK(done_.exchange(false, std::memory_order_acquire));
  Job job = std::move(current_);
  running_ = false;
  if (!queue_.empty()) begin_next();
  job.done();
}

}  // namespace tripod::linux_os
