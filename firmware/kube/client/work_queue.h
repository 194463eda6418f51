#pragma once
// Keys that want work: each at most once in the queue, never handled by two workers at once,
// retried with exponential back-off. Behaves as client-go's workqueue.
//
// Loop thread only. Timers die with the queue.

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "firmware/kube/client/rate_limiter.h"
#include "platform/async/sync.h"
#include "platform/base/metrics.h"
#include "platform/os/clock.h"

namespace tripod::kube {

class WorkQueue {
 public:
  /// `name` labels workqueue_adds_total and workqueue_depth; `metrics` may be null.
  WorkQueue(os::Clock& clock, std::string name, metrics::Registry* metrics,
            Backoff backoff = {.base = std::chrono::milliseconds(5),
                               .max = std::chrono::seconds(1000)});

  void add(std::string key);
  /// The earliest of several delays counts.
  void add_after(std::string key, Duration delay);
  /// After the back-off of so many failures.
  void add_rate_limited(const std::string& key);
  /// Success: the next failure starts from the shortest delay.
  void forget(const std::string& key);
  int failures(const std::string& key) const;

  /// The next key; its worker calls done() with it.
  Task<Result<std::string>> get();
  void done(const std::string& key);

  std::size_t size() const { return queue_.size(); }
  bool idle() const { return queue_.empty() && processing_.empty(); }

 private:
  struct Delayed {
    MonotonicTime when;
    std::unique_ptr<os::Operation> timer;
  };
  void changed();

  os::Clock& clock_;
  Backoff backoff_;
  metrics::Counter* adds_ = nullptr;
  metrics::Gauge* depth_ = nullptr;
  std::deque<std::string> queue_;
  std::set<std::string> dirty_;
  std::set<std::string> processing_;
  std::map<std::string, Delayed> delayed_;
  std::map<std::string, int> failures_;
  async::Signal readable_;
};

}  // namespace tripod::kube
