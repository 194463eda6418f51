#pragma once
// A controller: a queue of keys and a decision per key. The loop around it is the same for all.
//
// Derived classes subscribe to caches in their constructor, name keys in handlers, and decide in
// reconcile(), which is pure but for reading the caches. Controllers that must look at live objects
// override sync() instead.

#include "firmware/controllers/shell/hub.h"
#include "firmware/kube/client/work_queue.h"

namespace tripod::controllers {

class Controller {
 public:
  /// `name` is the queue's in metrics, `component` the source of events.
  Controller(Hub& hub, std::string name, std::string component);
  virtual ~Controller() = default;
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  /// One worker; several may run. Until its scope is cancelled.
  Task<void> work();
  /// Work that is driven by time rather than by keys; ends when cancelled. By default there is
  /// none.
  virtual Task<void> tick();

  kube::WorkQueue& queue() { return queue_; }
  virtual int workers() const { return 4; }

 protected:
  virtual Decision reconcile(const std::string& key, WallTime now);
  virtual Task<kube::ApiResult<>> sync(std::string key);
  /// The last failure of that key's writes, until they succeed.
  const std::string* failure(const std::string& key) const;

  Hub& hub() { return hub_; }
  const std::string& component() const { return component_; }
  const Logger& logger() const { return logger_; }

 private:
  Hub& hub_;
  std::string component_;
  Logger logger_;
  kube::WorkQueue queue_;
  std::map<std::string, std::string> failures_;
};

}  // namespace tripod::controllers
