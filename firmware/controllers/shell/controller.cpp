#include "firmware/controllers/shell/controller.h"

namespace tripod::controllers {

Controller::Controller(Hub& hub, std::string name, std::string component)
    : hub_(hub),
      component_(std::move(component)),
      logger_(hub.logger(name)),
      queue_(hub.clock(), name, hub.metrics(),
             {.base = std::chrono::milliseconds(5), .max = std::chrono::seconds(30)}) {}

Decision Controller::reconcile(const std::string&, WallTime) {
  return {};
}

Task<void> Controller::tick() {
  co_return;
}

const std::string* Controller::failure(const std::string& key) const {
  auto found = failures_.find(key);
  return found == failures_.end() ? nullptr : &found->second;
}

Task<kube::ApiResult<>> Controller::sync(std::string key) {
  Decision decision = reconcile(key, hub_.clock().wall_now());
  std::optional<Duration> again = decision.again_after;
  auto done = co_await hub_.execute(std::move(decision), component_);
  if (done) {
    failures_.erase(key);
    if (again) queue_.add_after(key, *again);
  } else if (!done.error().is_conflict() && !done.error().no_answer()) {
    failures_[key] = done.error().message;
  }
  co_return done;
}

Task<void> Controller::work() {
  async::ScopeCore& scope = co_await async::current_scope();
  while (!scope.cancelled()) {
    auto key = co_await queue_.get();
    if (!key) co_return;
    auto done = co_await sync(*key);
    if (done) {
      queue_.forget(*key);
    } else if (!scope.cancelled()) {
      if (done.error().code == 409 || done.error().no_answer()) {
        logger_.debug("retrying", LogField("key", *key),
                      LogField("error", done.error().to_string()));
      } else {
        logger_.warn("reconcile failed", LogField("key", *key),
                     LogField("error", done.error().to_string()));
      }
      queue_.add_rate_limited(*key);
    }
    queue_.done(*key);
  }
}

}  // namespace tripod::controllers
