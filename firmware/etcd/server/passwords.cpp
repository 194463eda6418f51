#include "firmware/etcd/server/passwords.h"

#include "platform/async/sync.h"
#include "platform/base/check.h"
#include "platform/pki/password_hash.h"

namespace tripod::etcd {
namespace {

constexpr unsigned iterations_at_cost_0 = 64;

}  // namespace

Passwords::Passwords(const os::World& world, unsigned cost)
    : world_(world), iterations_(iterations_at_cost_0 << cost) {
  CHECK(iterations_ > 0 && iterations_ <= pki::password_iterations_max);
}

Task<grpc::Reply<void>> Passwords::turn() {
  if (stopped_) co_return reject(outcome::stopped);
  if (!std::exchange(busy_, true)) co_return grpc::Reply<void>{};
  std::erase_if(waiting_, [](const auto& waiter) { return waiter.done(); });
  if (waiting_.size() >= waiting_max) co_return reject(outcome::too_many_requests);
  async::Oneshot<void> mine;
  waiting_.push_back(mine);
  auto given = co_await mine;
  if (given) co_return grpc::Reply<void>{};
  co_return std::unexpected(grpc::Status::from_error(given.error()));
}

void Passwords::pass_on() {
  while (!waiting_.empty()) {
    async::Oneshot<void> next = std::move(waiting_.front());
    waiting_.pop_front();
    if (next.done()) continue;  // its caller went away
    return next.set();
  }
  busy_ = false;
}

void Passwords::stop() {
  stopped_ = true;
  for (auto& waiter : std::exchange(waiting_, {})) {
    waiter.fail({ErrorCode::unavailable, std::string(outcome::stopped.text)});
  }
}

Task<grpc::Reply<std::string>> Passwords::hash(std::string password) {
  auto turn_came = co_await turn();
  if (!turn_came) co_return std::unexpected(std::move(turn_came.error()));
  pki::PasswordSalt salt{};
  world_.entropy.fill(std::as_writable_bytes(std::span(salt)));
  std::string hash = co_await async::run_on(world_.crypto_lane, [&password, salt, this] {
    return pki::hash_password(password, salt, iterations_);
  });
  pass_on();
  co_return hash;
}

Task<grpc::Reply<bool>> Passwords::matches(std::string password, std::string hash) {
  auto turn_came = co_await turn();
  if (!turn_came) co_return std::unexpected(std::move(turn_came.error()));
  const bool match = co_await async::run_on(
      world_.crypto_lane, [&password, &hash] { return pki::password_matches(password, hash); });
  pass_on();
  co_return match;
}

}  // namespace tripod::etcd
