#pragma once
// The load balancer of the designated board: TCP pass-through, so that TLS and client certificates
// reach the API server untouched. Each backend is probed; a failed connect tries the next backend
// within the same client connection.
//
// Knows addresses and a health probe, nothing of Kubernetes. Lives on the loop thread; stop()
// before it dies.

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "firmware/balancer/backends.h"
#include "firmware/balancer/pump.h"
#include "platform/async/task.h"
#include "platform/base/log.h"
#include "platform/base/metrics.h"
#include "platform/os/board.h"

namespace tripod::balancer {

struct Options {
  os::Address listen;
  std::vector<os::Address> backends;
  HealthRule health;
  std::chrono::milliseconds health_check_interval{2000};
  std::chrono::milliseconds health_check_timeout{1000};
  std::chrono::milliseconds connect_timeout{2000};
  std::chrono::milliseconds drain_timeout{5000};
  std::size_t max_connections = 1024;
};

class Balancer {
 public:
  /// Whether the server there is ready; bounded by the caller.
  using Probe = std::function<Task<Result<>>(os::Address)>;

  Balancer(Options options, Probe probe, os::World world, metrics::Registry& metrics);
  ~Balancer();

  /// Listens and begins to probe. Fails when the address is in use.
  Result<> start();
  /// Takes no new clients, lets those there finish for drain_timeout, then breaks them.
  Task<void> stop();
  const Backends& backends() const { return backends_; }

 private:
  struct Series;

  void accept(std::unique_ptr<os::Stream> client);
  Task<void> serve(std::unique_ptr<os::Stream> client);
  Task<Result<std::unique_ptr<os::Stream>>> reach(Backends::Index index);
  Task<void> pump(std::unique_ptr<os::Stream> client, std::unique_ptr<os::Stream> backend,
                  Backends::Index index);
  Task<void> watch_backend(Backends::Index index);
  void note(Backends::Index index, bool good, std::string_view why);

  Options options_;
  Probe probe_;
  os::World world_;
  Logger logger_;
  Backends backends_;
  std::vector<Series> series_;
  metrics::Counter& rejected_;
  std::unique_ptr<os::Listener> listener_;
  std::list<Pump*> pumps_;
  std::size_t connections_ = 0;
  Scope sessions_;
  Scope probes_;
};

}  // namespace tripod::balancer
