#pragma once
// Hashing passwords and comparing with hashes: on the crypto lane, one at a time, so that a
// handshake waits for one of them at most, however many clients authenticate.
//
// Lives on the loop thread; outlives its calls.

#include <deque>
#include <string>

#include "firmware/etcd/api/errors.h"
#include "platform/async/oneshot.h"
#include "platform/async/task.h"
#include "platform/os/board.h"

namespace tripod::etcd {

class Passwords {
 public:
  static constexpr std::size_t waiting_max = 128;  // further ones hear "too many requests"

  /// 64 * 2^`cost` iterations.
  Passwords(const os::World& world, unsigned cost);

  Task<grpc::Reply<std::string>> hash(std::string password);
  Task<grpc::Reply<bool>> matches(std::string password, std::string hash);
  /// Fails those that wait for their turn.
  void stop();

 private:
  Task<grpc::Reply<void>> turn();
  void pass_on();

  os::World world_;
  unsigned iterations_;
  bool busy_ = false;
  bool stopped_ = false;
  std::deque<async::Oneshot<void>> waiting_;
};

}  // namespace tripod::etcd
