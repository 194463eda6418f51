#include "firmware/etcd/server/reads.h"

#include <algorithm>
#include <iterator>

namespace tripod::etcd {
namespace {

constexpr std::string_view stopped_text = "stopped";

}  // namespace

Reads::Reads(os::Clock& clock, Duration patience, std::function<void(std::uint64_t token)> ask)
    : clock_(clock),
      ask_(std::move(ask)),
      deadlines_(
          clock, patience, [](const Done& done) { return done.done(); },
          [](Done done) { done.fail({ErrorCode::timeout, "timed out"}); }) {}

Task<grpc::Reply<void>> Reads::wait(Done done) {
  auto result = co_await done;
  if (result) co_return grpc::Reply<void>{};
  if (result.error() == ErrorCode::timeout) co_return reject(outcome::timeout);
  if (result.error().message == stopped_text) co_return reject(outcome::stopped);
  co_return std::unexpected(grpc::Status::from_error(result.error()));
}

void Reads::expect(Done done) {
  deadlines_.add(std::move(done));
}

Task<grpc::Reply<void>> Reads::confirm() {
  if (stopped_) co_return reject(outcome::stopped);
  Done done;
  expect(done);
  forming_.push_back(done);
  want_turn();
  co_return co_await wait(std::move(done));
}

Task<grpc::Reply<void>> Reads::wait_applied(raft::LogIndex index) {
  if (stopped_) co_return reject(outcome::stopped);
  if (index <= applied_) co_return grpc::Reply<void>{};
  Done done;
  expect(done);
  behind_[index].push_back(done);
  co_return co_await wait(std::move(done));
}

void Reads::flush() {
  std::erase_if(forming_, [](const Done& done) { return done.done(); });
  if (forming_.empty() || retry_timer_) return;
  const std::uint64_t token = std::exchange(next_token_, next_token_ + 2);
  asked_.emplace(token, std::exchange(forming_, {}));
  ask_(token);
}

void Reads::on_read(std::uint64_t token, raft::LogIndex index) {
  const auto found = asked_.find(token);
  if (found == asked_.end()) return;
  Group group = std::move(found->second);
  asked_.erase(found);
  if (index <= applied_) {
    for (Done& done : group) done.set();
    return;
  }
  Group& waiting = behind_[index];
  std::ranges::move(group, std::back_inserter(waiting));
}

bool Reads::refused(std::uint64_t token) {
  if (token % 2 == 0) return false;
  const auto found = asked_.find(token);
  if (found == asked_.end()) return true;
  std::ranges::move(found->second, std::back_inserter(forming_));
  asked_.erase(found);
  retry_soon();
  return true;
}

void Reads::retry_soon() {
  if (!retry_timer_) {
    retry_timer_ = clock_.call_at(clock_.now() + Milliseconds(100), [this] { retry(); });
  }
}

void Reads::retry() {
  retry_timer_.reset();
  if (!forming_.empty()) want_turn();
}

void Reads::applied(raft::LogIndex index) {
  applied_ = index;
  while (!behind_.empty() && behind_.begin()->first <= index) {
    for (Done& done : behind_.begin()->second) done.set();
    behind_.erase(behind_.begin());
  }
}

std::size_t Reads::waiting() const {
  std::size_t total = forming_.size();
  for (const auto& [token, group] : asked_) total += group.size();
  for (const auto& [index, group] : behind_) total += group.size();
  return total;
}

void Reads::stop() {
  stopped_ = true;
  deadlines_.clear();
  retry_timer_.reset();
  const auto fail_all = [](Group& group) {
    for (Done& done : group) done.fail({ErrorCode::unavailable, std::string(stopped_text)});
    group.clear();
  };
  fail_all(forming_);
  for (auto& [token, group] : asked_) fail_all(group);
  for (auto& [index, group] : behind_) fail_all(group);
  asked_.clear();
  behind_.clear();
}

}  // namespace tripod::etcd
