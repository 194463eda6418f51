#include "firmware/kube/client/work_queue.h"

namespace tripod::kube {

WorkQueue::WorkQueue(os::Clock& clock, std::string name, metrics::Registry* metrics,
                     Backoff backoff)
    : clock_(clock), backoff_(backoff) {
  if (!metrics) return;
  adds_ = &metrics->counter("workqueue_adds_total", "Total number of adds handled by workqueue",
                            {{"name", name}});
  depth_ = &metrics->gauge("workqueue_depth", "Current depth of workqueue", {{"name", name}});
}

void WorkQueue::changed() {
  if (depth_) depth_->set(static_cast<double>(queue_.size()));
}

void WorkQueue::add(std::string key) {
  if (!dirty_.insert(key).second) return;
  if (adds_) adds_->add();
  if (processing_.contains(key)) return;
  queue_.push_back(std::move(key));
  changed();
  readable_.notify();
}

void WorkQueue::add_after(std::string key, Duration delay) {
  if (delay <= Duration::zero()) return add(std::move(key));
  const MonotonicTime when = clock_.now() + delay;
  auto known = delayed_.find(key);
  if (known != delayed_.end() && known->second.when <= when) return;
  auto timer = clock_.call_at(when, [this, key] {
    auto finished = delayed_.extract(key);  // the timer dies at the end of its own callback
    add(key);
  });
  delayed_[key] = Delayed{when, std::move(timer)};
}

void WorkQueue::add_rate_limited(const std::string& key) {
  add_after(key, backoff_.delay(failures_[key]++, 0));
}

void WorkQueue::forget(const std::string& key) {
  failures_.erase(key);
}

int WorkQueue::failures(const std::string& key) const {
  auto found = failures_.find(key);
  return found == failures_.end() ? 0 : found->second;
}

Task<Result<std::string>> WorkQueue::get() {
  while (queue_.empty()) {
    if (auto woken = co_await readable_.wait(); !woken) co_return std::unexpected(woken.error());
  }
  std::string key = std::move(queue_.front());
  queue_.pop_front();
  dirty_.erase(key);
  processing_.insert(key);
  changed();
  if (!queue_.empty()) readable_.notify();
  co_return key;
}

void WorkQueue::done(const std::string& key) {
  processing_.erase(key);
  if (!dirty_.contains(key)) return;
  queue_.push_back(key);
  changed();
  readable_.notify();
}

}  // namespace tripod::kube
