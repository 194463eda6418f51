#include "platform/linux/worker_lane.h"

#include "platform/base/check.h"

namespace tripod::linux_os {

WorkerLane::~WorkerLane() {
  CHECK(queue_.empty() && !running_, "a lane died with work in it");
}

void WorkerLane::run(os::Callback work, os::Callback done) {
  queue_.push_back({std::move(work), std::move(done)});
  if (!running_) begin_next();
}

void WorkerLane::begin_next() {
  running_ = true;
  current_ = std::move(queue_.front());
  queue_.pop_front();
  request_.data = this;
  int status = uv_queue_work(
      loop_.uv(), &request_,
      [](uv_work_t* request) { owner_of<WorkerLane>(request)->current_.work(); },
      [](uv_work_t* request, int) { owner_of<WorkerLane>(request)->ended(); });
  CHECK(status == 0, uv_strerror(status));
}

void WorkerLane::ended() {
  Job job = std::move(current_);
  running_ = false;
  if (!queue_.empty()) begin_next();
  job.done();
}

}  // namespace tripod::linux_os
