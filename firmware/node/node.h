#pragma once
// One board, composed: reads what its configuration says it is, starts the roles in order, drains
// and stops them in the opposite order. Holds no decisions of its own.
//
//   auto prepared = co_await prepare(world, &config, tell);        // provisioning/join.h
//   auto node = Node::create(world, config, prefer_chacha20);      // reads certificates
//   auto started = co_await (*node)->start();                      // one clear error, or serving
//   co_await (*node)->stop();                                      // before it dies
//
// Loop thread only. Several may live in one process, each with its own world.

#include <functional>
#include <memory>

#include "firmware/node/config.h"
#include "platform/async/task.h"
#include "platform/boards/supervise/heartbeat.h"
#include "platform/os/board.h"

namespace tripod::etcd {
class Client;
}

namespace tripod::update {
class Slots;
}

namespace tripod::node {

class Node {
 public:
  static Result<std::unique_ptr<Node>> create(os::World world, Config config, bool prefer_chacha20);
  /// CHECKs that stop() has ended, when start() was called.
  ~Node();

  /// The boot slots of the machine, for updates over the network; before start(), and to outlive
  /// the node. Without, they are refused.
  void use_slots(update::Slots& slots);
  /// Returns when every role of this board serves or campaigns. After a failure, stop() cleans up.
  Task<Result<>> start();
  /// For process 1, and for people: whether it serves, and if not, whether this board is to blame.
  boards::Heartbeat health() const;
  /// Says "not ready", lets requests under way end, releases leases, hands over Raft leadership,
  /// closes files.
  Task<void> stop();
  /// Called at most once, when this board can go no further and says why: to be stopped.
  void on_end(std::function<void(Error)> end) { on_end_ = std::move(end); }

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);

  Task<Result<>> start_etcd();
  Task<Result<>> become_voter();
  Result<> serve_etcd_metrics();
  /// What the API server keeps its objects in.
  etcd::Client& store();
  Task<Result<>> start_apiserver();
  Task<Result<>> start_components();
  Task<Result<>> start_balancer();
  Result<> start_local_http();
  void start_renewal();
  void take_new_certificates();
  Result<> ready() const;

  void end_for_removal();

  std::unique_ptr<Parts> parts_;
  std::function<void(Error)> on_end_;
};

}  // namespace tripod::node
