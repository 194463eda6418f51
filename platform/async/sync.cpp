#include "platform/async/sync.h"

namespace tripod::async {

Task<Result<>> sleep_until(os::Clock& clock, MonotonicTime when) {
  Oneshot<void> rang;
  auto timer = clock.call_at(when, [rang]() mutable { rang.set(); });
  co_return co_await rang;
}

Task<Result<>> sleep_for(os::Clock& clock, Duration duration) {
  co_return co_await sleep_until(clock, clock.now() + duration);
}

Task<Result<std::unique_ptr<os::Stream>>> connect(os::Network& network, os::Address address) {
  Oneshot<std::unique_ptr<os::Stream>> connected;
  auto attempt = network.connect(
      address, [connected](auto result) mutable { connected.set(std::move(result)); });
  co_return co_await connected;
}

Task<Result<std::vector<std::string>>> resolve(os::Network& network, std::string host) {
  Oneshot<std::vector<std::string>> resolved;
  auto query =
      network.resolve(host, [resolved](auto result) mutable { resolved.set(std::move(result)); });
  co_return co_await resolved;
}

void Signal::notify() {
  bool woke = false;
  for (Oneshot<void>& waiter : std::exchange(waiters_, {})) {
    woke = woke || !waiter.done();
    waiter.set();
  }
  pending_ = pending_ || !woke;
}

Task<Result<>> Signal::wait() {
  if (std::exchange(pending_, false)) co_return Result<>{};
  Oneshot<void> woken;
  std::erase_if(waiters_, [](const Oneshot<void>& waiter) { return waiter.done(); });
  waiters_.push_back(woken);
  co_return co_await woken;
}

}  // namespace tripod::async
